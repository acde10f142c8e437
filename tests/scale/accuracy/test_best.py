"""The best of k scores against adaptive quadrature, closed forms and dense sums."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from scipy.integrate import quad

from lpo.scale.accuracy import accuracy_moments, best_of_k_slopes
from lpo.scale.laws import AccuracyLaw, make_laws
from tests.quick import jit

PASSES = np.array([1.0, 2.0, 3.0, 7.5, 16.0, 64.0, 200.0, 4096.0])
MEANS = [0.94, 0.91, 0.88, 0.5, 0.05, 0.999, 0.5, 0.9]
SPREADS = [0.02, 0.07, 0.06, 0.02, 0.05, 0.05, 2.0, 1e-4]
SOME, SOME_SPREADS = [0.94, 0.91, 0.5, 0.6], [0.02, 0.07, 0.05, 0.2]


def quantile(law, mean, sd):
    """Score of a latent number by scipy, each tail by itself."""
    if law == AccuracyLaw.CLIPPED_NORMAL:
        return lambda y: np.clip(mean + sd * y, 0.0, 1.0)
    if law == AccuracyLaw.TRUNCATED_NORMAL:
        given = stats.truncnorm(-mean / sd, (1.0 - mean) / sd, mean, sd)
        mirror = stats.truncnorm(-(1.0 - mean) / sd, mean / sd, 1.0 - mean, sd)
    else:
        both = mean * (1.0 - mean) / sd**2 - 1.0
        given = stats.beta(mean * both, (1.0 - mean) * both)
        mirror = stats.beta((1.0 - mean) * both, mean * both)

    def score(y):
        tail = special.ndtr(-np.abs(y))
        return np.where(y < 0.0, given.ppf(tail), 1.0 - mirror.ppf(tail))

    return score


@pytest.mark.parametrize("at", range(len(MEANS)))
def test_independent_passes_against_adaptive_quadrature(at, models_of):
    mean, sd = MEANS[at], SPREADS[at]
    laws, numbers = make_laws()
    ours = [row[at] for row in accuracy_moments(laws, numbers, models_of(MEANS, SPREADS), PASSES)]
    splits = np.unique(np.clip([0.0, *(mean + sd * np.arange(-9.0, 9.5, 0.5)), 1.0], 0.0, 1.0))
    for j, k in enumerate(PASSES):

        def integral(of, k=k):
            return sum(
                quad(of, a, b, epsabs=1e-16, epsrel=1e-13, args=(k,))[0]
                for a, b in pairwise(splits)
            )

        def cdf(x, k):
            return np.exp(k * special.log_ndtr((x - mean) / sd))

        missing = integral(cdf)
        square = integral(lambda x, k: 2.0 * (1.0 - x) * cdf(x, k))
        assert ours[0][j] == pytest.approx(1.0 - missing, abs=1e-10)
        assert ours[1][j] == pytest.approx(np.sqrt(max(square - missing**2, 0.0)), abs=1e-9)


@pytest.mark.parametrize("law", list(AccuracyLaw))
def test_correlated_passes_against_a_dense_sum(law, models_of):
    k = np.array([1.0, 5.0, 200.0])
    z, step = np.linspace(-8.5, 8.5, 201, retstep=True)
    own_z, own_step = np.linspace(-8.5, 8.5, 2001, retstep=True)
    # P(largest of k within a cell) from the distribution function at its ends
    cells = np.diff(special.ndtr(np.append(own_z, 8.5 + own_step) - 0.5 * own_step) ** k[:, None])
    weight = stats.norm.pdf(z) * step
    fine = np.linspace(-9.0, 9.0, 5001)
    given = [quantile(law, mean, sd)(fine) for mean, sd in zip(SOME, SOME_SPREADS, strict=True)]
    for correlation in (0.1, 0.8):
        laws, numbers = make_laws(accuracy=law, correlation=correlation)
        ours = accuracy_moments(laws, numbers, models_of(SOME, SOME_SPREADS), k)
        y = np.sqrt(correlation) * z + np.sqrt(1.0 - correlation) * own_z[:, None]
        for at, scores in enumerate(given):
            score = np.interp(y, fine, scores)
            first, second = cells @ (score @ weight), cells @ (score**2 @ weight)
            np.testing.assert_allclose(ours[0][at], first, atol=2e-6)
            np.testing.assert_allclose(ours[1][at], np.sqrt(second - first**2), atol=2e-6)


@pytest.mark.parametrize("law", list(AccuracyLaw)[1:])
def test_other_laws_against_a_fine_sum(law, models_of):
    k = np.array([1.0, 5.0, 200.0])
    laws, numbers = make_laws(accuracy=law)
    ours = accuracy_moments(laws, numbers, models_of(SOME, SOME_SPREADS), k)
    y, step = np.linspace(-8.3, 8.3, 1001, retstep=True)
    # the trapezoidal rule is spectral for what falls like exp(-y^2 / 2) on both sides
    weight = k[:, None] * np.exp((k[:, None] - 1.0) * special.log_ndtr(y)) * stats.norm.pdf(y)
    for at, (mean, sd) in enumerate(zip(SOME, SOME_SPREADS, strict=True)):
        score = quantile(law, mean, sd)(y)
        first, second = step * weight @ score, step * weight @ score**2
        np.testing.assert_allclose(ours[0][at], first, atol=2e-9)
        np.testing.assert_allclose(ours[1][at], np.sqrt(second - first**2), atol=2e-9)


def test_one_pass_has_the_moments_of_the_law(models_of):
    laws, numbers = make_laws(accuracy="beta", correlation=0.4)
    mean, sd = accuracy_moments(laws, numbers, models_of(SOME, SOME_SPREADS), np.ones(1))
    np.testing.assert_allclose(mean[:, 0], SOME, atol=1e-9)
    np.testing.assert_allclose(sd[:, 0], SOME_SPREADS, atol=1e-9)


def test_correlation_goes_to_independence_and_to_one_pass(models_of):
    k = np.array([1.0, 5.0, 200.0])
    models = models_of(SOME, SOME_SPREADS)
    for law in AccuracyLaw:
        free = accuracy_moments(*make_laws(accuracy=law), models, k)
        laws, numbers = make_laws(accuracy=law, correlation=1e-9)
        for ours, theirs in zip(accuracy_moments(laws, numbers, models, k), free, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-8)
        numbers = numbers._replace(correlation=1.0 - 1e-12)
        same, _ = accuracy_moments(laws, numbers, models, k)
        np.testing.assert_allclose(same, np.repeat(same[:, :1], 3, 1), atol=1e-5)


def test_identities_without_clips(models_of):
    laws, numbers = make_laws()
    k = np.array([2.0, 3.0, 1e12])
    (mean,), _ = accuracy_moments(laws, numbers, models_of([0.5], [0.01]), k)
    expected = [0.5 + 0.01 / np.sqrt(np.pi), 0.5 + 0.015 / np.sqrt(np.pi)]
    np.testing.assert_allclose(mean[:2], expected, atol=1e-15)
    (mean,), (sd,) = accuracy_moments(laws, numbers, models_of([0.9], [0.1]), k)
    assert mean[2] == pytest.approx(1.0, abs=1e-12) and sd[2] < 1e-9


def test_scores_that_do_not_vary(models_of):
    laws, numbers = make_laws()
    models = models_of([0.0, 0.3, 1.0], [0.0, 0.0, 0.0])
    mean, sd = accuracy_moments(laws, numbers, models, np.array([1.0, 7.0]))
    np.testing.assert_allclose(mean, [[0.0, 0.0], [0.3, 0.3], [1.0, 1.0]], atol=1e-15)
    np.testing.assert_allclose(sd, 0.0)
    with jax.enable_x64(True):

        def best(mean, sd):
            one = models_of([0.0], [0.0])._replace(accuracy=mean, accuracy_sd=sd)
            return accuracy_moments(laws, numbers, one, jnp.array([2.0]))[0].sum()

        slopes = jit(jax.grad(best, (0, 1)))(jnp.array([0.3]), jnp.array([0.0]))
    np.testing.assert_allclose(slopes[0], 1.0)
    np.testing.assert_allclose(slopes[1], 1.0 / np.sqrt(np.pi), rtol=1e-12)


def test_more_passes_are_better_and_less_so_each_time(models_of):
    laws, numbers = make_laws()
    mean, _ = accuracy_moments(laws, numbers, models_of(MEANS, SPREADS), np.arange(1.0, 9.0))
    gains = np.diff(mean)
    assert (gains > 0.0).all() and (np.diff(gains) < 0.0).all()


def test_slopes_are_those_of_automatic_and_finite_differences(models_of):
    laws, numbers = make_laws()
    models = models_of(SOME, SOME_SPREADS)
    k = np.array([1.5, 4.0, 60.0])
    slopes = best_of_k_slopes(models, k)
    assert (slopes.k > 0.0).all() and (slopes.k_twice < 0.0).all()

    def best(mean, sd, k):
        given = models._replace(accuracy=mean, accuracy_sd=sd)
        return accuracy_moments(laws, numbers, given, k)[0]

    with jax.enable_x64(True):
        at = tuple(map(jnp.asarray, (models.accuracy, models.accuracy_sd, k)))
        # an entry depends on one mean, one spread and one k
        ones = [tuple(np.full(x.shape, 1.0 * (i == j)) for j, x in enumerate(at)) for i in range(3)]
        slope = jit(lambda tangent: jax.jvp(best, at, tangent)[1])
        along = [slope(one) for one in ones]
    for ours, theirs in zip((slopes.mean, slopes.sd, slopes.k), along, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)
    h = 1e-3 * k
    around = [best(models.accuracy, models.accuracy_sd, k + side * h) for side in (-1.0, 0.0, 1.0)]
    np.testing.assert_allclose(slopes.k, (around[2] - around[0]) / (2.0 * h), rtol=1e-5)
    twice = (around[2] - 2.0 * around[1] + around[0]) / h**2
    np.testing.assert_allclose(slopes.k_twice, twice, rtol=1e-4, atol=1e-9)


def test_the_gain_of_one_more_pass(models_of):
    """E[A(k + 1)] - E[A(k)] = int F^k (1 - F)."""
    laws, numbers = make_laws()
    mean, sd = 0.91, 0.07
    (best,), _ = accuracy_moments(laws, numbers, models_of([mean], [sd]), np.arange(1.0, 6.0))
    for k in range(1, 5):

        def gain(x, k=k):
            p = special.ndtr((x - mean) / sd)
            return p**k * (1.0 - p)

        assert best[k] - best[k - 1] == pytest.approx(quad(gain, 0.0, 1.0, points=[0.91])[0])
