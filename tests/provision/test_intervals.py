"""Student's t by its definition, the block bootstrap by its coverage on known processes."""

import numpy as np
import pytest
from scipy import stats

from lpo.provision import block_interval, ratio_of_sums, seed_interval
from lpo.provision.intervals import block_median_interval


def test_seed_interval_is_students():
    values = np.array([0.31, 0.28, 0.35, 0.30, 0.33])
    reference = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    np.testing.assert_allclose(seed_interval(values), (reference.low, reference.high))


def test_one_seed_has_no_interval():
    assert np.isnan(seed_interval(np.array([0.3]))).all()


def test_ratio_of_sums_is_not_the_mean_of_ratios():
    assert ratio_of_sums(np.array([1.0, 9.0]), np.array([1.0, 3.0])) == 2.5
    assert np.isnan(ratio_of_sums(np.ones(2), np.zeros(2)))


def covers(correlation: float, block: int, trials: int = 300) -> float:
    """Share of series of an AR(1) process, mean 1, whose interval holds the mean."""
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(trials):
        noise = rng.standard_normal(500)
        path = np.zeros(500)
        for t in range(1, 500):
            path[t] = correlation * path[t - 1] + noise[t]
        low, high = block_interval(1 + 0.2 * path, np.ones(500), block=block, seed=trial, draws=200)
        hits += low <= 1 <= high
    return hits / trials


def test_independent_windows_are_covered_as_stated():
    assert covers(0.0, block=12) == pytest.approx(0.95, abs=0.045)


def test_blocks_are_needed_for_dependent_windows():
    # blocks of 12 hold most of the dependence of an AR(1) with .6; blocks of one ignore it
    assert covers(0.6, block=12) > 0.87
    assert covers(0.6, block=1) < 0.75


def test_same_seed_pairs_two_methods():
    """The interval of a difference that is constant has no width."""
    rng = np.random.default_rng(1)
    demand, cost = rng.uniform(1, 2, 300), rng.uniform(0, 1, 300)
    low, high = block_interval((cost + 0.1 * demand) - cost, demand, block=12)
    assert low == pytest.approx(0.1) and high == pytest.approx(0.1)


def test_too_few_windows_have_no_interval():
    assert np.isnan(block_interval(np.ones(20), np.ones(20), block=12)).all()


def test_a_block_median_covers_as_often_as_it_says():
    """Of medians of independent normals, whose true median is 0; and one value a block is the
    ordinary bootstrap."""
    rng = np.random.default_rng(0)
    found = [block_median_interval(rng.normal(size=60), block=3, draws=300) for _ in range(200)]
    held = np.mean([each.low <= 0.0 <= each.high for each in found])
    assert 0.87 <= held <= 0.99
    constant = block_median_interval(np.full(12, 3.0), block=6)
    assert constant == (3.0, 3.0)
    assert np.isnan(block_median_interval(np.ones(11), block=6)).all()
