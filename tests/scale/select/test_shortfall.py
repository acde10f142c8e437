"""What stands in the way, against loops over all points."""

import numpy as np
import pytest

from lpo.scale.curves import Curves, Estimate, Limits
from lpo.scale.select import feasible_by_mean, shortfall

NAMES = ("cost", "time", "accuracy")


def curves(cost, time, accuracy):
    cost, time, accuracy = np.broadcast_arrays(cost, time, accuracy)
    return Curves(
        np.arange(1, cost.shape[2] + 1),
        np.arange(1, cost.shape[1] + 1),
        Estimate(cost, 0.0, 0.0),
        Estimate(time, 0.0, 0.0),
        Estimate(accuracy, 0.0, 0.0),
    )


def test_the_nearest_point_and_what_it_misses():
    rng = np.random.default_rng(0)
    given = curves(rng.random((4, 3, 7)), rng.random((4, 3, 7)), rng.random((4, 3, 7)))
    limits = Limits(np.array([0.1, 0.5]), np.array([0.2, 0.4]), np.array([0.9, 0.7]))
    allowed = rng.random((3, 7)) < 0.7
    found = shortfall(given, limits, allowed)
    for s, m, p in np.ndindex(2, 4, 3):
        misses = {}
        for i in np.flatnonzero(allowed[p]):
            cost, time, accuracy = (getattr(given, name).mean[m, p, i] for name in NAMES)
            misses[i] = [
                max(cost - limits.cost[s], 0.0),
                max(time - limits.time[s], 0.0),
                max(limits.accuracy[s] - accuracy, 0.0),
            ]
        bounds = [limit[s] for limit in limits]
        worst = {i: max(np.divide(miss, bounds)) for i, miss in misses.items()}
        nearest = min(worst, key=worst.__getitem__)
        assert found.at[s, m, p] == nearest
        for axis in range(3):
            assert found.missed[axis][s, m, p] == pytest.approx(misses[nearest][axis])
            relative = misses[nearest][axis] / bounds[axis]
            assert found.relative[axis][s, m, p] == pytest.approx(relative)
        assert found.best.cost[s, m, p] == given.cost.mean[m, p, allowed[p]].min()
        assert found.best.time[s, m, p] == given.time.mean[m, p, allowed[p]].min()
        assert found.best.accuracy[s, m, p] == given.accuracy.mean[m, p, allowed[p]].max()


def test_feasible_points_miss_nothing():
    rng = np.random.default_rng(1)
    given = curves(rng.random((5, 1, 9)), rng.random((5, 1, 9)), rng.random((5, 1, 9)))
    limits, allowed = Limits(0.5, 0.5, 0.5), np.ones((1, 9), bool)
    some = feasible_by_mean(given, limits, allowed).any(-1)
    missed = np.stack(shortfall(given, limits, allowed).missed).max(0)
    np.testing.assert_array_equal(missed == 0.0, some)
    assert some.any() and not some.all()


def test_what_rounding_lets_pass_is_not_missed():
    found = shortfall(curves([[[0.1 * 3]]], [[[1.0]]], [[[0.3]]]), Limits(0.3, 1.0, 0.1 * 3), True)
    assert [float(miss.max()) for miss in found.missed] == [0.0, 0.0, 0.0]


def test_nothing_allowed_and_limits_of_nothing():
    given = curves([[[1.0, 2.0]]], [[[1.0, 2.0]]], [[[0.5, 0.6]]])
    none = shortfall(given, Limits(1.0, 1.0, 0.5), [[False, False]])
    assert none.at.tolist() == [[[-1]]]
    parts = (*none.missed, *none.relative, *none.best)
    assert all(np.isnan(part).all() and part.shape == (1, 1, 1) for part in parts)
    zero = shortfall(given, Limits(0.0, np.inf, 0.0), [[False, True]])
    assert zero.at.tolist() == [[[1]]] and zero.relative.cost.tolist() == [[[np.inf]]]
    assert zero.missed.cost.tolist() == [[[2.0]]] and zero.relative.time.tolist() == [[[0.0]]]
