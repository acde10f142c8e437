"""A noisy verifier against closed forms, its limits, and sums on fine grids."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from lpo.scale.accuracy import accuracy_moments
from lpo.scale.laws import AccuracyLaw, make_laws
from tests.quick import jit

K = np.array([1.0, 2.0, 5.0, 40.0])
MEANS, SPREADS = [0.94, 0.91, 0.5], [0.02, 0.07, 0.1]


def moments(models, noise, k=K, **numbers):
    laws, given = make_laws(rule="verifier", verifier_sd=noise, **numbers)
    return accuracy_moments(laws, given, models, k)


def pieces(breaks, nodes):
    at, weight = np.polynomial.legendre.leggauss(nodes)
    half, middle = 0.5 * np.diff(breaks)[:, None], 0.5 * (breaks[1:] + breaks[:-1])[:, None]
    return (middle + half * at).ravel(), (half * weight).ravel()


def density(z):
    return np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)


def by_sums(law, mean, sd, noise, k, shift=0.0, own=1.0):
    """First and second moment, [2, K], by two nested sums: over scores, over what is seen."""
    low, high = -8.3, 8.3
    if law == AccuracyLaw.CLIPPED_NORMAL:
        ends = (((end - mean) / sd - shift) / own for end in (0.0, 1.0))
        low, high = (np.clip(end, -8.3, 8.3) for end in ends)
    z, weight = pieces(np.linspace(low, high, 25), 16)
    weight, y = weight * density(z), shift + own * z
    if law == AccuracyLaw.CLIPPED_NORMAL:
        score = mean + sd * y
    elif law == AccuracyLaw.TRUNCATED_NORMAL:
        below, above = special.ndtr([-mean / sd, (mean - 1.0) / sd])
        tail = np.where(y < 0.0, below, above) + (1.0 - below - above) * special.ndtr(-np.abs(y))
        score = mean - np.sign(y) * sd * special.ndtri(tail)
    else:
        both = mean * (1.0 - mean) / sd**2 - 1.0
        score = special.betaincinv(mean * both, (1.0 - mean) * both, special.ndtr(y))
    # atoms of a clipped normal at its ends
    score = np.append(score, np.clip(mean + sd * (shift + own * np.array([low, high])), 0.0, 1.0))
    weight = np.append(weight, special.ndtr([low, -high]))
    reach = 8.3 * noise
    count = int(4.0 * (score.max() - score.min() + 2.0 * reach) / noise)
    s, wide = pieces(np.linspace(score.min() - reach, score.max() + reach, count), 10)
    off = (s[:, None] - score) / noise
    cdf, seen = special.ndtr(off) @ weight, density(off) / noise
    first, second = seen @ (weight * score), seen @ (weight * score**2)
    best = [wide * n * cdf ** (n - 1.0) for n in k]
    return np.array([[each @ first for each in best], [each @ second for each in best]])


@pytest.mark.parametrize("law", list(AccuracyLaw))
def test_sums_on_fine_grids(law, models_of):
    for noise in (0.01, 0.05, 0.5):
        ours = moments(models_of(MEANS, SPREADS), noise, accuracy=law)
        for at, (mean, sd) in enumerate(zip(MEANS, SPREADS, strict=True)):
            first, second = by_sums(law, mean, sd, noise, K)
            np.testing.assert_allclose(ours[0][at], first, atol=1e-9)
            np.testing.assert_allclose(ours[1][at], np.sqrt(second - first**2), atol=1e-8)


def test_correlated_scores_by_sums_given_the_common_factor(models_of):
    z, step = np.linspace(-6.5, 6.5, 27, retstep=True)
    weight = step * density(z)
    clipped, mean, sd = AccuracyLaw.CLIPPED_NORMAL, MEANS[1], SPREADS[1]
    for correlation in (0.3, 0.8):
        ours = moments(models_of(MEANS, SPREADS), 0.05, correlation=correlation)
        own, shifts = np.sqrt(1.0 - correlation), np.sqrt(correlation) * z
        given = np.array([by_sums(clipped, mean, sd, 0.05, K, shift, own) for shift in shifts])
        first, second = np.tensordot(weight, given, 1)
        np.testing.assert_allclose(ours[0][1], first, atol=1e-7)
        np.testing.assert_allclose(ours[1][1], np.sqrt(second - first**2), atol=1e-7)


def test_closed_form_without_clips(models_of):
    """mean + sd rho m_k, and the variance of a concomitant: sd^2 (rho^2 v_k + 1 - rho^2)."""
    y, weight = pieces(np.linspace(-9.0, 9.0, 40), 20)
    law = K[:, None] * density(y) * special.ndtr(y) ** (K[:, None] - 1.0) * weight
    m, v = law @ y, law @ y**2 - (law @ y) ** 2
    for noise in (1e-3, 0.01, 0.2):
        rho = 0.01 / np.hypot(0.01, noise)
        mean, sd = moments(models_of([0.4, 0.5, 0.6], [0.01] * 3), noise)
        middle, spread = mean - [[0.4], [0.5], [0.6]], 0.01 * np.sqrt(rho**2 * v + 1.0 - rho**2)
        np.testing.assert_allclose(middle, np.tile(0.01 * rho * m, (3, 1)), atol=1e-12)
        np.testing.assert_allclose(sd, np.tile(spread, (3, 1)), atol=1e-11)


def test_between_the_best_score_and_one_pass(models_of):
    models = models_of(MEANS, SPREADS)
    best, _ = accuracy_moments(*make_laws(), models, K)
    np.testing.assert_allclose(moments(models, 1e-6)[0], best, atol=1e-7)
    np.testing.assert_array_equal(moments(models, 0.0)[0], best)  # the limit itself
    blind, spread = moments(models, 1e4)
    np.testing.assert_allclose(blind, np.repeat(best[:, :1], len(K), 1), atol=1e-5)
    np.testing.assert_allclose(spread[:, 0], spread[:, -1], atol=1e-5)
    half, _ = moments(models, 0.05)
    assert (half[:, 1:] < best[:, 1:]).all() and (np.diff(half) > 0.0).all()


def test_scores_that_do_not_vary(models_of):
    mean, sd = moments(models_of([0.0, 0.3, 1.0], [0.0, 0.0, 0.0]), 0.05)
    np.testing.assert_allclose(mean, np.broadcast_to([[0.0], [0.3], [1.0]], mean.shape), atol=1e-12)
    np.testing.assert_allclose(sd, 0.0, atol=1e-12)


def test_derivatives_against_differences(models_of):
    laws, numbers = make_laws(rule="verifier", correlation=0.3)
    k = np.array([5.0])

    def best(noise, correlation, mean):
        given = numbers._replace(verifier_sd=noise, correlation=correlation)
        models = models_of([0.0], [0.07])._replace(accuracy=mean)
        return accuracy_moments(laws, given, models, k)[0].sum()

    at = (0.05, 0.3, np.array([0.9]))
    with jax.enable_x64(True):
        slopes = jit(jax.grad(best, (0, 1, 2)))(*(jnp.asarray(each) for each in at))
    for i in range(3):
        up, down = ((*at[:i], at[i] + side, *at[i + 1 :]) for side in (1e-5, -1e-5))
        assert (best(*up) - best(*down)) / 2e-5 == pytest.approx(
            float(np.sum(np.asarray(slopes[i]))), rel=1e-6
        )
