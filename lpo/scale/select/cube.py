"""The volume of the box between a point and the limits."""

from typing import Any

import numpy as np

from lpo.scale.curves import Limits
from lpo.scale.select.front import over
from lpo.scale.select.options import Cube, Options
from lpo.scale.select.points import Points, leading, namespace


def cube(options: Options, points: Points, limits: Limits) -> Any:
    """Return (1 - C / C_max) (1 - T / T_max) times the third factor of `Cube`; 0 beyond a limit.

    Arrays that broadcast; the factor A is that of arXiv 2510.18905.
    """
    left = (1.0 - over(points.cost, limits.cost)).clip(0.0)
    left = left * (1.0 - over(points.time, limits.time)).clip(0.0)
    if options.cube == Cube.ACCURACY:
        return left * points.accuracy
    room = 1.0 - limits.accuracy
    above = (points.accuracy - limits.accuracy).clip(0.0)
    xp = namespace(above)
    return left * xp.where(room > 0.0, above / xp.where(room > 0.0, room, 1.0), 0.0)


def cubes(options: Options, points: Points, limits: Limits) -> np.ndarray:
    """Return `cube` of points [m, p, K] under limits [s], [s, m, p, K] NumPy float64."""
    wide = leading(limits, 1 + np.ndim(points.cost))
    real = Points(*(np.asarray(axis, np.float64) for axis in points))
    return cube(options, real, Limits(*(np.asarray(limit, np.float64) for limit in wide)))
