"""Resamples against drawing them one by one."""

import jax
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.monte_carlo import Paths, resampled_means, trial_weights

KEY = jax.random.key(4)
DRAWS, TRIALS = 4000, 25


@pytest.fixture(scope="module")
def paths():
    rng = np.random.default_rng(0)
    return Paths(
        *(rng.random(shape, np.float32) for shape in ((2, 25, 3), (2, 4, 25, 3), (2, 25, 3)))
    )


@pytest.fixture(scope="module")
def weights():
    return trial_weights(KEY, TRIALS, DRAWS)


@pytest.fixture(scope="module")
def resampled(paths):
    return resampled_means(KEY, paths, DRAWS)


def test_weights_are_multinomial(weights):
    assert weights.shape == (DRAWS, TRIALS) and (weights.sum(1) == TRIALS).all()
    covariance = np.cov(weights.T)
    expected = np.eye(TRIALS) - 1.0 / TRIALS
    np.testing.assert_allclose(covariance, expected, atol=6.0 * np.sqrt(2.0 / DRAWS))
    np.testing.assert_allclose(weights.mean(0), 1.0, atol=5.0 / np.sqrt(DRAWS))


def test_means_are_those_of_the_queries_drawn(paths, weights, resampled):
    cost, time, accuracy = resampled
    assert cost.shape == time.shape == accuracy.shape == (DRAWS, 2, 4, 3)
    for draw in range(6):
        at = np.repeat(np.arange(TRIALS), weights[draw])
        np.testing.assert_allclose(time[draw], paths.time[:, :, at].mean(2), rtol=1e-6)
        for ours, given in ((cost, paths.cost), (accuracy, paths.accuracy)):
            expected = np.broadcast_to(given[:, at].mean(1)[:, None], (2, 4, 3))
            np.testing.assert_allclose(ours[draw], expected, rtol=1e-6)


def test_their_spread_is_the_standard_error(paths, resampled):
    ours = resampled.accuracy[:, :, 0].std(0)
    expected = paths.accuracy.std(1) / np.sqrt(TRIALS)
    np.testing.assert_allclose(ours, expected, rtol=0.06)


def test_bad_numbers(paths):
    with pytest.raises(InputError, match="`draws` must be a whole number of at least 1, got 0"):
        resampled_means(KEY, paths, 0)
    with pytest.raises(InputError, match="`trials`"):
        trial_weights(KEY, 0, 3)
