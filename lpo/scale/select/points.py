"""The points that are chosen among: mean cost, time and accuracy."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.scale.curves import Curves, Limits


class Points(NamedTuple):
    """Mean cost in dollars, time in seconds and accuracy of N choices, arrays [..., N]."""

    cost: Any
    time: Any
    accuracy: Any


def points_of(curves: Curves) -> Points:
    """Return the means of curves, [m, p, K] each."""
    means = [np.asarray(each.mean) for each in (curves.cost, curves.time, curves.accuracy)]
    return Points(*np.broadcast_arrays(*means))


def leading(limits: Limits, dimensions: int) -> Limits:
    """Return limits, numbers or [s], with axes of length 1 behind, to go with arrays [s, ...]."""

    def wide(limit: Any) -> Any:
        limit = limit if hasattr(limit, "ndim") else np.asarray(limit, np.float64)
        return limit.reshape(limit.shape + (1,) * (dimensions - limit.ndim))

    return Limits(*map(wide, limits))


def namespace(*arrays: Any) -> Any:
    """Return jax.numpy where an array is one of JAX, otherwise numpy: what is done once for few
    points is not worth a compilation."""
    return jnp if any(isinstance(each, jax.Array) for each in arrays) else np
