"""By how much limits are missed where nothing is feasible."""

from typing import Any, NamedTuple

import numpy as np

from lpo.scale.curves import Curves, Limits
from lpo.scale.select.feasible import ROUNDING
from lpo.scale.select.points import points_of


class Shortfall(NamedTuple):
    """What stands in the way, [s, m, p]; NaN and -1 where no k is allowed.

    at int: index of the k that comes nearest, whose greatest relative violation is the least; the
    first of equals. missed: by how much its means violate each limit, in dollars, seconds and
    accuracy, 0 where they keep it. relative: the same over the limit. best: of each limit alone
    what any allowed k reaches, the least cost, the least time, the greatest accuracy. A limit that
    `best` violates is out of reach; where none is, they exclude each other.
    """

    at: np.ndarray
    missed: Limits
    relative: Limits
    best: Limits


def shortfall(curves: Curves, limits: Limits, allowed: Any) -> Shortfall:
    """Return how far the means of curves [m, p, K] stay from limits [s], where k is allowed [p, K].

    Where something is feasible, its first point is the nearest and misses nothing.
    """
    means = points_of(curves)
    bounds = [np.reshape(np.asarray(limit, np.float64), (-1, 1, 1, 1)) for limit in limits]
    may = np.broadcast_to(np.asarray(allowed, bool), means[0].shape)
    signs = (1.0, 1.0, -1.0)
    over = [
        _beyond(sign * (mean - bound), bound)
        for sign, mean, bound in zip(signs, means, bounds, strict=True)
    ]
    shares = [_share(each, bound) for each, bound in zip(over, bounds, strict=True)]
    most = np.finfo(np.float64).max
    worst = np.where(may, np.minimum(np.maximum.reduce(shares), most), np.inf)
    nearest = np.where(may.any(-1), worst.argmin(-1), -1)

    def there(values: np.ndarray) -> np.ndarray:
        taken = np.take_along_axis(values, np.maximum(nearest, 0)[..., None], -1)[..., 0]
        return np.where(nearest >= 0, taken, np.nan)

    def reached(mean: np.ndarray, sign: float) -> np.ndarray:
        least = sign * np.where(may, sign * mean, np.inf).min(-1)
        return np.broadcast_to(np.where(may.any(-1), least, np.nan), nearest.shape)

    best = [reached(mean, sign) for mean, sign in zip(means, signs, strict=True)]
    return Shortfall(nearest, Limits(*map(there, over)), Limits(*map(there, shares)), Limits(*best))


def _beyond(amount: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """What is missing, 0 where that is rounding: `feasible_by_mean` lets it pass."""
    return np.where(amount > ROUNDING * np.abs(limit), amount, 0.0)


def _share(amount: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """amount / limit; infinite of a limit of 0 that is missed."""
    positive = limit > 0.0
    share = amount / np.where(positive, limit, 1.0)
    return np.where(positive, share, np.where(amount > 0.0, np.inf, 0.0))
