"""Whole units: within limits, locally best, near brute force."""

import itertools

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.warm.repair import Covering, plan, repair
from lpo.l2o.warm.rounding import levels_by_value, round_covering


def drawn(seed: int, batch: int = 20) -> Covering:
    rng = np.random.default_rng(seed)
    return Covering(
        rng.uniform(0.3, 1.5, size=(2, 2)),
        np.array([3.0, 2.0]),
        4.0,
        rng.uniform(0.5, 3.0, size=(batch, 2)),
        rng.uniform(0.5, 1.5, size=(batch, 2)),
    )


def best(problem: Covering) -> np.ndarray:
    choices = np.array(list(itertools.product(range(4), range(3), range(4), range(3))), float)
    choices = choices.reshape(-1, 2, 2)
    choices = choices[(choices.sum(1) <= problem.stock).all(1)]
    each = []
    for b in range(len(problem.demand)):
        many = problem._replace(
            demand=np.tile(problem.demand[b], (len(choices), 1)),
            price=np.tile(problem.price[b], (len(choices), 1)),
        )
        each.append(plan(many, choices).usd.min())
    return np.array(each)


def test_whole_within_stock_and_near_the_best():
    problem = drawn(0)
    found = round_covering(problem, repair(problem, np.zeros((20, 2, 2))).gpus, 1.0)
    assert (found.gpus == np.rint(found.gpus)).all()
    assert (found.gpus.sum(1) <= problem.stock).all()
    least = best(problem)
    assert (found.usd >= least - 1e-9).all()
    assert np.median(found.usd / least) < 1.1


def test_no_unit_more_or_less_is_cheaper():
    problem = drawn(1)
    found = round_covering(problem, np.zeros((20, 2, 2)), 0.5)
    for j, k, sign in itertools.product(range(2), range(2), (-0.5, 0.5)):
        moved = found.gpus.copy()
        moved[:, j, k] += sign
        allowed = (moved >= 0).all((1, 2)) & (moved.sum(1) <= problem.stock + 1e-12).all(1)
        assert (plan(problem, moved).usd >= found.usd - 1e-8)[allowed].all()


def test_units_that_nobody_needs_are_dropped():
    problem = drawn(2)._replace(demand=np.zeros((20, 2)))
    assert round_covering(problem, np.ones((20, 2, 2)), 1.0).gpus.sum() == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_levels_that_no_single_change_improves(seed):
    rng = np.random.default_rng(seed)
    cost, weight, most = rng.uniform(1.0, 2.0, size=6), rng.uniform(0.5, 1.5, size=6), np.full(6, 3)

    def value(level: np.ndarray) -> float:
        return float(cost @ level + 50.0 * max(7.0 - weight @ level, 0.0))

    for first in (np.zeros(6, int), most, rng.integers(0, 4, 6)):
        found = levels_by_value(rng.uniform(size=6), most, value, first=first, sweeps=20)
        assert found.usd == value(found.level) and weight @ found.level >= 7.0
        for p, sign in itertools.product(range(6), (1, -1)):
            moved = found.level.copy()
            moved[p] += sign
            if 0 <= moved[p] <= 3:
                assert value(moved) > found.usd - 1e-8


def test_likely_units_are_raised_first_and_redundant_ones_dropped():
    def value(level: np.ndarray) -> float:  # either of the two will do
        return float(100.0 * (level.sum() == 0) + level.sum())

    most, none = np.ones(2, int), np.zeros(2, int)
    found = levels_by_value(np.array([0.1, 0.9]), most, value, first=none)
    np.testing.assert_array_equal(found.level, [0, 1])
    both = levels_by_value(np.array([0.1, 0.9]), most, value, first=most)
    np.testing.assert_array_equal(both.level, [0, 1])


def test_bad_arguments():
    with pytest.raises(InputError, match="unit"):
        round_covering(drawn(0), np.zeros((20, 2, 2)), 0.0)
    with pytest.raises(InputError, match="stock"):
        round_covering(drawn(0), np.full((20, 2, 2), 9.0), 1.0)
    with pytest.raises(InputError, match="first"):
        levels_by_value(np.ones(2), np.ones(2, int), lambda level: 0.0, first=np.array([0, 2]))
