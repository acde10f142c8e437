"""Columns of the evaluation from hand-made outcomes."""

import numpy as np
import pytest

from lpo.evaluate.rows import Outcome, summarise


def test_columns_are_the_sums_and_ratios_they_say():
    outcome = Outcome(
        cost=np.array([5.0, 7.0]), oracle=np.array([4.0, 6.0]), demand=np.array([10.0, 30.0]),
        unserved=np.array([1.0, 1.0]), gpus=np.array([2.0, 4.0]), oracle_gpus=np.array([2.0, 3.0]),
    )  # fmt: skip
    row = summarise(outcome, True, 12)
    assert row["plans"] == 2 and row["cost_usd"] == 12 and row["regret_usd"] == 2
    assert row["regret_fraction"] == pytest.approx(0.2)
    assert row["unserved_share"] == pytest.approx(0.05)
    assert (row["gpus"], row["oracle_gpus"]) == (3.0, 2.5)
    assert np.isnan(summarise(outcome, False, 12)["cost_usd"])


def test_without_demand_there_is_no_fraction():
    """The relaxed oracle of no demand costs 1e-16 and not 0: no ratio of that."""
    none = np.zeros(40)
    row = summarise(Outcome(none + 1, none + 4e-16, none, none, none, none), True, 12)
    assert np.isnan(row["regret_fraction"]) and row["unserved_share"] == 0


def test_the_interval_covers_the_mean_of_independent_plans():
    rng = np.random.default_rng(0)
    oracle = rng.uniform(1, 2, 400)
    excess = 0.1 * oracle * rng.uniform(0, 2, 400)
    outcome = Outcome(oracle + excess, oracle, oracle, oracle * 0, oracle, oracle)
    row = summarise(outcome, True, 12)
    error = 0.1 * np.sqrt(4 / 12 / 400)  # of a mean of uniform numbers of variance 4/12
    assert row["regret_low"] < row["regret_fraction"] < row["regret_high"]
    assert 2 * error < row["regret_high"] - row["regret_low"] < 6 * error
