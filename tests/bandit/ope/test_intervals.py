"""Intervals by hand, by what resamples there are, and by how often they hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lpo.bandit.ope.estimators import Scores, ips, snips, standard_error, value
from lpo.bandit.ope.intervals import (
    Ranges,
    bootstrap_interval,
    empirical_bernstein_interval,
    normal_interval,
    resampled_values,
    weighted_range,
)


def test_empirical_bernstein_by_hand():
    rows = np.array([0.0, 1.0, 1.0, 0.5, 3.0])
    variance = sum((x - y) ** 2 for x in rows for y in rows) / 2 / (5 * 4)  # over pairs
    log = np.log(2 / 0.05)  # 0.05 to each side of a level of 0.9
    half = np.sqrt(2 * variance * log / 5) + 7 * (4.0 - -1.0) * log / (3 * 4)
    with jax.enable_x64(True):
        low, high = empirical_bernstein_interval(jnp.asarray(rows), -1.0, 4.0, 0.9)
    assert (float(low), float(high)) == pytest.approx((1.1 - half, 1.1 + half), abs=1e-12)


def test_empirical_bernstein_covers_at_small_samples_of_skewed_weights():
    # w r of 0 or 10, 10 with probability 0.05: the normal interval is empty in a third of the logs
    rows = jnp.asarray(10.0 * (np.random.default_rng(0).uniform(size=(2000, 20)) < 0.05))
    low, high = np.asarray(empirical_bernstein_interval(rows, 0.0, 10.0, 0.9))
    assert ((low <= 0.5) & (high >= 0.5)).mean() >= 0.9
    low, high = np.asarray(normal_interval(Scores(rows, jnp.ones_like(rows)), 0.9))
    assert ((low <= 0.5) & (high >= 0.5)).mean() < 0.8


def test_the_range_of_weighted_rewards():
    assert weighted_range(Ranges(-1.0, 2.0), 5.0) == (-5.0, 10.0)
    assert weighted_range(Ranges(0.0, 2.0), np.inf) == (0.0, np.inf)
    assert weighted_range(Ranges(1.0, 2.0), 5.0) == (0.0, 10.0)  # a weight may be 0
    assert weighted_range(Ranges(-2.0, -1.0), 5.0) == (-10.0, 0.0)


def test_normal_interval_has_the_quantile_of_its_level():
    rewards = jnp.asarray([0.0, 1.0, 4.0])
    scores = ips(jnp.ones(3), rewards)
    low, high = normal_interval(scores, 0.8)
    middle, error = np.mean([0, 1, 4]), np.std([0, 1, 4], ddof=1) / np.sqrt(3)
    np.testing.assert_allclose([low, high], stats.norm(middle, error).ppf([0.1, 0.9]), rtol=1e-5)


def test_resamples_of_two_rows_are_the_four_there_are():
    scores = ips(jnp.ones(2), jnp.asarray([0.0, 1.0]))
    found = np.asarray(resampled_values(jax.random.key(0), scores, 4000))
    share = [(found == mean).mean() for mean in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(share, [0.25, 0.5, 0.25], atol=4 * 0.5 / np.sqrt(4000))


def test_a_resample_without_weights_does_not_count():
    scores = snips(jnp.asarray([2.0, 0.0]), jnp.asarray([3.0, 9.0]))
    found = np.asarray(resampled_values(jax.random.key(0), scores, 4000))
    assert 0.2 < np.isnan(found).mean() < 0.3
    low, high = bootstrap_interval(jax.random.key(0), scores, draws=4000)
    assert (float(low), float(high)) == (3.0, 3.0)


def test_the_bootstrap_is_the_normal_interval_for_many_rows():
    rng = np.random.default_rng(0)
    weights = jnp.asarray(rng.exponential(size=(2, 1500)))
    rewards = jnp.asarray(rng.normal(1.0, size=1500))
    for scores in (ips(weights, rewards), snips(weights, rewards)):
        resampled = np.asarray(resampled_values(jax.random.key(1), scores, 1000))
        error = standard_error(scores)
        np.testing.assert_allclose(resampled.std(0), error, rtol=0.1)
        np.testing.assert_array_less(abs(resampled.mean(0) - value(scores)), 4 * error / 31)
        ends = np.stack(bootstrap_interval(jax.random.key(1), scores, 0.9))
        assert (np.abs(ends - np.stack(normal_interval(scores, 0.9))) < 0.25 * error).all()


def test_the_bootstrap_is_by_the_key():
    scores = ips(jnp.ones(2), jnp.asarray([0.0, 1.0]))
    one, same, other = (resampled_values(jax.random.key(s), scores, 4000) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
