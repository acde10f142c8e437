"""Diversity of samples and the quantities of a bound on risk."""

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from lpo.errors import InputError
from lpo.l2o.diversity import (
    best_spread,
    diversity,
    kl_of_normals,
    normal_of,
    risk_bound,
    weight_of,
)


def test_distances_spreads_and_best_of():
    rng = np.random.default_rng(0)
    x, value = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 4))
    found = diversity(x, value)
    for b in range(2):
        pairs = [np.linalg.norm(x[b, i] - x[b, j]) for i, j in itertools.combinations(range(4), 2)]
        assert float(found.distance[b]) == pytest.approx(np.mean(pairs), rel=1e-5)
    np.testing.assert_allclose(found.value_sd, value.std(1, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(found.best_of, np.minimum.accumulate(value, 1), rtol=1e-6)
    with pytest.raises(InputError, match="at least two samples"):
        diversity(x[:, :1], value[:, :1])


def test_the_divergence_is_its_integral():
    def integrand(t):
        own, prior = (0.3, 0.5), (-0.2, 1.5)
        return stats.norm.pdf(t, *own) * (stats.norm.logpdf(t, *own) - stats.norm.logpdf(t, *prior))

    one = integrate.quad(integrand, -4, 5)[0]
    found = kl_of_normals([0.3, 0.3], 0.5, [-0.2, -0.2], 1.5)
    assert found == pytest.approx(2 * one, rel=1e-8)
    assert kl_of_normals([1.0], 2.0, [1.0], 2.0) == 0.0


def test_the_bound_holds_as_often_as_it_says():
    """Bernoulli losses of a law that was fixed before: with no divergence."""
    rng = np.random.default_rng(1)
    empirical = rng.binomial(50, 0.3, 4000) / 50
    held = [risk_bound(risk, 0.0, 50, 0.1) >= 0.3 for risk in empirical]
    assert np.mean(held) >= 0.9
    # .1 + sqrt((5 + ln(2 sqrt(100) / .05)) / 200)
    assert risk_bound(0.1, 5.0, 100) == pytest.approx(0.1 + np.sqrt((5.0 + np.log(400.0)) / 200.0))
    assert risk_bound(0.1, 5.0, 100) > risk_bound(0.1, 1.0, 100) > risk_bound(0.1, 1.0, 400)
    with pytest.raises(InputError):
        risk_bound(1.5, 0.0, 10)


def test_the_best_spread_minimises_the_linearised_objective():
    for trace in (0.0, 3.0, 40.0):

        def objective(s, trace=trace):
            return 0.5 * s**2 * trace + kl_of_normals([0.0] * 4, s, [0.0] * 4, 2.0) / 0.7

        found: Any = optimize.minimize_scalar(objective, bounds=(1e-3, 5.0), method="bounded")
        assert best_spread(trace, 4, 2.0, 0.7) == pytest.approx(found.x, rel=1e-3)
    assert best_spread(0.0, 4, 2.0, 0.7) == pytest.approx(2.0)  # flat: the prior's


def test_the_weight_minimises_the_bound_that_is_linear_in_the_divergence():
    kl, problems, delta = 3.0, 40, 0.1

    def bound(weight):
        return (kl + np.log(1.0 / delta)) / weight + weight / (8.0 * problems)

    found: Any = optimize.minimize_scalar(bound, bounds=(1e-2, 1e3), method="bounded")
    assert weight_of(kl, problems, delta) == pytest.approx(found.x, rel=1e-3)
    with pytest.raises(InputError):
        weight_of(-1.0, problems)


def test_the_normal_law_of_samples():
    rng = np.random.default_rng(2)
    x = np.array([[[1.0, -2.0]], [[0.0, 4.0]]]) + 0.3 * rng.normal(size=(2, 4000, 2))
    mean, sd = normal_of(x)
    np.testing.assert_allclose(mean, [[1.0, -2.0], [0.0, 4.0]], atol=0.03)
    np.testing.assert_allclose(sd, 0.3, rtol=0.03)  # over 8000 numbers, 3 standard errors
    with pytest.raises(InputError, match="at least two samples"):
        normal_of(x[:, :1])
