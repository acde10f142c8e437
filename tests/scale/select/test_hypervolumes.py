"""What is within reach of the box of limits, against moocore and the area under a curve."""

import moocore
import numpy as np
import pytest

from lpo.scale.curves import Limits
from lpo.scale.select import Points, allowed_grid, feasible_by_mean, front_hypervolume, points_of


def test_another_library_agrees(linear_curves, scenarios):
    allowed = allowed_grid(linear_curves.k, linear_curves.parallel)
    feasible = feasible_by_mean(linear_curves, scenarios, allowed)
    points = points_of(linear_curves)
    found = front_hypervolume(points, feasible, scenarios)
    assert found.shape == (3, 9, 2)
    for s, m, p in np.ndindex(found.shape):
        mine = np.column_stack(
            [
                points.cost[m, p] / scenarios.cost[s],
                points.time[m, p] / scenarios.time[s],
                1.0 - points.accuracy[m, p],
            ]
        )
        reference = [1.0, 1.0, 1.0 - scenarios.accuracy[s]]
        inside = mine[(mine <= reference).all(1)]
        wanted = moocore.hypervolume(inside, ref=reference) if len(inside) else 0.0
        assert found[s, m, p] == pytest.approx(wanted, abs=1e-14)
    assert (found > 0.0).all()


def test_nothing_feasible_and_one_point():
    points = Points(np.array([1.0, 2.0]), np.array([3.0, 3.0]), np.array([0.6, 0.9]))
    limits = Limits(4.0, 6.0, 0.5)
    assert front_hypervolume(points, np.zeros(2, bool), limits) == 0.0
    one = front_hypervolume(points, np.array([[True, False], [True, True]]), limits)
    np.testing.assert_allclose(one, [0.75 * 0.5 * 0.1, 0.5 * (0.75 * 0.1 + 0.5 * 0.3)])
