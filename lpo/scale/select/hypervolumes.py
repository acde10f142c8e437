"""How much of the box of limits is within reach."""

from typing import Any

import numpy as np

from lpo.optim.hypervolume import hypervolume
from lpo.scale.curves import Limits
from lpo.scale.select.points import Points, leading


def front_hypervolume(points: Points, feasible: Any, limits: Limits) -> np.ndarray:
    """Return the hypervolume of the feasible ones of points [..., N], [...].

    In coordinates (C / C_max, T / T_max, 1 - A) with the reference point (1, 1, 1 - A_min), by
    `lpo.optim.hypervolume`: 0 where nothing is feasible, at most 1 - A_min. limits: numbers, or
    arrays of the first of the leading axes; positive ones of cost and time.
    """
    may = np.asarray(feasible, bool)
    wide = leading(limits, may.ndim)
    axes = points.cost / wide.cost, points.time / wide.time, 1.0 - points.accuracy
    coordinates = np.stack([np.broadcast_to(axis, may.shape) for axis in axes], -1)
    floor = np.broadcast_to(wide.accuracy, (*may.shape[:-1], 1))
    volumes = np.zeros(may.shape[:-1])
    for place in np.ndindex(volumes.shape):
        reference = np.array([1.0, 1.0, 1.0 - floor[place][0]])
        volumes[place] = hypervolume(coordinates[place][may[place]], reference)
    return volumes
