"""Scores and latent numbers against scipy's distributions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from lpo.scale.accuracy import latent_of, quantile_of
from lpo.scale.accuracy.beta import log_below
from lpo.scale.laws import AccuracyLaw
from tests.quick import jit

MEANS, SPREADS = np.array([0.94, 0.91, 0.5, 0.2]), np.array([0.02, 0.07, 0.2, 0.3])
Y = np.linspace(-6.0, 6.0, 49)

scores_at = jit(quantile_of, static_argnums=0)
latents_at = jit(latent_of, static_argnums=0)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def distributions(law):
    for mean, sd in zip(MEANS, SPREADS, strict=True):
        if law == AccuracyLaw.TRUNCATED_NORMAL:
            yield stats.truncnorm(-mean / sd, (1.0 - mean) / sd, mean, sd)
        else:
            both = mean * (1.0 - mean) / sd**2 - 1.0
            yield stats.beta(mean * both, (1.0 - mean) * both)


@pytest.mark.parametrize("law", list(AccuracyLaw)[1:])
def test_quantiles_and_back(law):
    scores = np.asarray(scores_at(law, Y, MEANS[:, None], SPREADS[:, None]))
    assert ((scores >= 0.0) & (scores <= 1.0)).all() and (np.diff(scores) >= 0.0).all()
    sure = (scores > 1e-6) & (scores < 1.0 - 1e-6)  # the rest has lost digits of its tail
    for ours, theirs, known in zip(scores, distributions(law), sure, strict=True):
        tail = np.where(Y < 0.0, theirs.cdf(ours), theirs.sf(ours))
        np.testing.assert_allclose(tail[known], special.ndtr(-np.abs(Y))[known], rtol=1e-7)
    back = np.asarray(latents_at(law, scores, MEANS[:, None], SPREADS[:, None]))
    np.testing.assert_allclose(back[sure], np.broadcast_to(Y, back.shape)[sure], atol=1e-6)


def test_a_clipped_normal_is_one():
    law = AccuracyLaw.CLIPPED_NORMAL
    scores = scores_at(law, Y, MEANS[:, None], SPREADS[:, None])
    line = MEANS[:, None] + SPREADS[:, None] * Y
    np.testing.assert_allclose(scores, np.clip(line, 0.0, 1.0), atol=1e-15)
    np.testing.assert_allclose(latents_at(law, line[0], MEANS[0], SPREADS[0]), Y, atol=1e-12)


def test_axes_broadcast():
    given = np.random.default_rng(0).normal(size=(3, 1, 5))
    for law in AccuracyLaw:
        every = scores_at(law, given, MEANS[:, None], SPREADS[:, None])
        assert every.shape == (3, 4, 5)
        alone = scores_at(law, given[1, 0, 2], MEANS[3], SPREADS[3])
        np.testing.assert_allclose(every[1, 3, 2], alone, rtol=1e-12)


def test_single_precision_is_enough_to_draw():
    for law in AccuracyLaw:
        exact = scores_at(law, Y, MEANS[:, None], SPREADS[:, None])
        with jax.enable_x64(False):
            given = (np.float32(each) for each in (Y, MEANS[:, None], SPREADS[:, None]))
            single = scores_at(law, *given)
            assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, exact, atol=2e-5)


def test_tails_of_the_beta_distribution():
    rng = np.random.default_rng(0)
    a, b = np.exp(rng.uniform(np.log(0.3), np.log(3e3), (2, 400)))
    p = special.ndtr(rng.uniform(-8.0, 0.0, 400))
    x = special.betaincinv(a, b, p)
    sure = (x > 1e-280) & (x < 1.0 - 1e-9)  # digits of x that scipy has lost
    v = special.logit(np.where(sure, x, 0.5))
    ours = np.exp(jit(log_below)(a, b, v))
    np.testing.assert_allclose(ours[sure], special.betainc(a, b, special.expit(v))[sure], rtol=1e-9)
    assert sure.mean() > 0.9


def test_derivatives_of_a_beta_quantile():
    """With respect to mean and spread, by differences of scipy's quantile."""
    y, h = np.array([-2.0, 0.3, 1.5]), 1e-5

    def theirs(mean, sd):
        both = mean * (1.0 - mean) / sd**2 - 1.0
        return special.betaincinv(mean * both, (1.0 - mean) * both, special.ndtr(y))

    law = AccuracyLaw.BETA
    slopes = jit(jax.jacfwd(lambda m, s: quantile_of(law, y, m, s), (0, 1)))(0.9, 0.05)
    across = (theirs(0.9 + h, 0.05) - theirs(0.9 - h, 0.05)) / (2.0 * h)
    np.testing.assert_allclose(slopes[0], across, rtol=1e-5)
    across = (theirs(0.9, 0.05 + h) - theirs(0.9, 0.05 - h)) / (2.0 * h)
    np.testing.assert_allclose(slopes[1], across, rtol=1e-5)
