"""How far choices are from utopia, as the method `utopia` measures it."""

from typing import Any

import numpy as np

from lpo.optim.pareto import efficient
from lpo.scale.curves import Limits
from lpo.scale.select import Options, Points
from lpo.scale.select.front import losses, settled


def utopia_distances(
    options: Options, points: Points, feasible: np.ndarray, at: Any, limits: Limits
) -> np.ndarray:
    """Return the distance of choices [s, ..., n] among points [..., N] from utopia.

    In the units of `options`, those of a range being of the front of the feasible points. feasible:
    bool [s, ..., N]. at: indices of points, -1 where there is none, whose distance is NaN. limits:
    [s].
    """
    axes = [np.broadcast_to(axis, feasible.shape) for axis in points]
    chosen = np.asarray(at)
    found = np.full(chosen.shape, np.nan)
    for case in np.ndindex(feasible.shape[:-1]):
        may, there = np.flatnonzero(feasible[case]), chosen[case] >= 0
        if not there.any():
            continue
        cost, time, accuracy = (axis[case] for axis in axes)
        kept = efficient(np.stack([cost, time, -settled(accuracy)], -1)[may])
        front, own = (
            Points(cost[which], time[which], accuracy[which])
            for which in (may[kept], chosen[case][there])
        )
        bounds = Limits(*(np.asarray(limit)[case[0]] for limit in limits))
        away = losses(options, own, bounds, front)
        found[(*case, there)] = np.sqrt((away**2).sum(0))
    return found
