"""Whether any answer is right: closed forms, and an estimator that is unbiased."""

from itertools import combinations
from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from scipy.integrate import quad

from lpo.errors import InputError
from lpo.scale.accuracy import accuracy_moments, pass_at_k_estimate
from lpo.scale.laws import make_laws
from tests.quick import jit

K = np.array([1.0, 2.0, 7.5, 50.0, 4096.0])


def test_independent_answers(models_of):
    laws, numbers = make_laws(rule="pass_at_k")
    right = np.array([0.0, 1e-5, 0.3, 0.9, 1.0])
    mean, sd = accuracy_moments(laws, numbers, models_of(right, 0.0 * right), K)
    expected = 1.0 - (1.0 - right[:, None]) ** K
    np.testing.assert_allclose(mean, expected, rtol=1e-10)
    np.testing.assert_allclose(sd**2, expected * (1.0 - expected), atol=1e-14)


def test_queries_that_are_not_equally_hard(models_of):
    laws, numbers = make_laws(rule="pass_at_k", varied=True)
    means, spreads = np.array([0.1, 0.5, 0.9, 0.3]), np.array([0.05, 0.3, 0.2, 0.45])
    ours, _ = accuracy_moments(laws, numbers, models_of(means, spreads), K)
    both = means * (1.0 - means) / spreads**2 - 1.0
    a, b = (means * both)[:, None], ((1.0 - means) * both)[:, None]
    closed = 1.0 - np.exp(special.betaln(a, b + K) - special.betaln(a, b))
    np.testing.assert_allclose(ours, closed, atol=1e-12)
    for j in range(4):
        direct = stats.beta(a[0, 0], b[0, 0]).expect(lambda p, j=j: 1.0 - (1.0 - p) ** K[j])
        assert ours[0, j] == pytest.approx(direct, abs=1e-8)


def test_queries_that_are_nearly_equally_hard(models_of):
    """Where logarithms of Gamma functions have no digits left: to second order in the spread."""
    laws, numbers = make_laws(rule="pass_at_k", varied=True)
    spreads = np.array([0.0, 1e-6, 1e-5, 1e-4])
    (flat, *rest), _ = accuracy_moments(laws, numbers, models_of([0.3] * 4, spreads), K[:4])
    np.testing.assert_allclose(flat, 1.0 - 0.7 ** K[:4], atol=1e-12)
    for ours, sd in zip(rest, spreads[1:], strict=True):
        curved = 1.0 - 0.7 ** K[:4] - 0.5 * K[:4] * (K[:4] - 1.0) * 0.7 ** (K[:4] - 2.0) * sd**2
        np.testing.assert_allclose(ours, curved, atol=1e-12)


def test_correlated_answers_by_quadrature(models_of):
    laws, numbers = make_laws(rule="pass_at_k", correlation=0.4)
    (ours,), _ = accuracy_moments(laws, numbers, models_of([0.2], [0.0]), K)
    for at, k in enumerate(K[:4]):

        def none(z, k=k):
            wrong = special.ndtr((special.ndtri(0.8) - np.sqrt(0.4) * z) / np.sqrt(0.6))
            return stats.norm.pdf(z) * wrong**k

        assert ours[at] == pytest.approx(1.0 - quad(none, -9.0, 9.0, epsabs=1e-13)[0], abs=1e-11)


def test_the_estimate_is_what_subsets_say():
    for n in range(1, 7):
        for c in range(n + 1):
            for k in range(1, n + 1):
                sets = list(combinations(range(n), k))
                some = np.mean([min(chosen) < c for chosen in sets])
                assert pass_at_k_estimate(n, c, k) == pytest.approx(some, abs=1e-14)


def test_the_estimate_is_unbiased():
    n, k = 12, np.arange(1, 13)
    for p in (0.05, 0.4, 0.97):
        c = np.arange(n + 1)
        chance = stats.binom.pmf(c, n, p)
        mean = chance @ pass_at_k_estimate(n, c[:, None], k)
        np.testing.assert_allclose(mean, 1.0 - (1.0 - p) ** k, atol=1e-13)


def test_the_estimate_of_many_answers():
    ours = pass_at_k_estimate(2000, [3, 100], 1000)
    exact = [1.0 - comb(2000 - c, 1000) / comb(2000, 1000) for c in (3, 100)]
    np.testing.assert_allclose(ours, exact, rtol=1e-13)
    assert pass_at_k_estimate(5, 0, 5) == 0.0


def test_what_is_refused():
    for given, name in (((0, 0, 1), "n"), ((5, 6, 1), "c"), ((5, 2, 0), "k"), ((5, 2, 6), "k")):
        with pytest.raises(InputError, match=f"`{name}` must be"):
            pass_at_k_estimate(*given)
    with pytest.raises(InputError, match="`c` must be whole"):
        pass_at_k_estimate(5, 1.5, 2)


def test_slopes_at_certain_answers(models_of):
    laws, numbers = make_laws(rule="pass_at_k")

    def share(right):
        models = models_of([0.0], [0.0])._replace(accuracy=right)
        return accuracy_moments(laws, numbers, models, np.array([1.0, 3.0]))[0][0]

    with jax.enable_x64(True):
        slopes = jit(jax.jacfwd(share))
        np.testing.assert_allclose(slopes(jnp.array([0.0]))[:, 0], [1.0, 3.0])
        np.testing.assert_allclose(slopes(jnp.array([1.0]))[:, 0], [1.0, 0.0])
