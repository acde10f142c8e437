"""Which points are efficient, and how far from the best each one is.

Here accuracies closer than 1e-14 are one: by so much integrals round, and an even number of votes
would seem better than the odd one before it.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.scale.curves import Limits
from lpo.scale.select.options import Options, Scale
from lpo.scale.select.points import Points, namespace

_ROUNDING = 1e-14


def settled(accuracy: Any) -> Any:
    """Return accuracies rounded to multiples of 1e-14; of NumPy or JAX."""
    return (accuracy / _ROUNDING).round() * _ROUNDING


def efficient_among(points: Points, feasible: Array) -> Array:
    """[N] bool: feasible points that no other feasible point dominates.

    One dominates another that costs at least as much, takes at least as long and is at most as
    accurate, and one of the three strictly (arXiv 2510.18905). Every pair is compared; many
    thousands of points are for `lpo.optim.pareto.efficient`.
    """
    cost = jnp.where(feasible, points.cost, jnp.inf)
    as_good, better = True, False
    for axis in (cost, points.time, -settled(points.accuracy)):
        one, other = axis[:, None], axis[None]
        as_good, better = as_good & (one <= other), better | (one < other)
    return feasible & ~(as_good & better).any(0)


def along(front: Any) -> tuple[Any, Any]:
    """Return the indices of the front points of N, [N] int32, the last one again and again behind
    it, and the index of the last one, -1 where there is none."""
    xp = namespace(front)
    at = xp.arange(front.size, dtype=np.int32)
    last = xp.where(front, at, -1).max()
    return xp.minimum(xp.sort(xp.where(front, at, front.size)), last), last


def losses(options: Options, points: Points, limits: Limits, front: Points | None = None) -> Any:
    """[3, N]: what separates the points of a front [N] from utopia in cost, time and accuracy.

    In units of the scale of `options`. budget: (C / C_max, T / T_max, 1 - A), utopia at no cost, no
    time, accuracy 1. range: from the best value on the front, over the width of the front, so that
    1 is the nadir; 0 where the front has no width but rounding. front: in whose range other points
    are measured, by default their own.
    """
    xp = namespace(*points)
    if options.scale == Scale.BUDGET:
        shares = over(points.cost, limits.cost), over(points.time, limits.time)
        return xp.stack([*shares, 1.0 - points.accuracy])
    axes = xp.stack([points.cost, points.time, -points.accuracy])
    own = axes if front is None else xp.stack([front.cost, front.time, -front.accuracy])
    low, high = own.min(1, keepdims=True), own.max(1, keepdims=True)
    wide = high - low > _ROUNDING * xp.maximum(xp.abs(low), xp.abs(high))
    return xp.where(wide, (axes - low) / xp.where(wide, high - low, 1.0), 0.0)


def over(amount: Any, limit: Any) -> Any:
    """Return amount / limit; over a limit of 0 nothing is 0 and anything infinite."""
    xp = namespace(amount, limit)
    share = amount / xp.where(limit > 0.0, limit, 1.0)
    return xp.where(limit > 0.0, share, xp.where(amount > 0.0, xp.inf, 0.0))
