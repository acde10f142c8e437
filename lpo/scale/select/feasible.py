"""Which numbers of passes keep the limits: in the mean, or with a probability."""

from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from lpo.allocate.validate.proportion import wilson
from lpo.errors import InputError
from lpo.scale.curves import Curves, Limits
from lpo.scale.select.points import Points, points_of

ROUNDING = 1e-12
"""Relative: 3 passes of $0.1 keep a limit of $0.3."""


class Grid(StrEnum):
    """Numbers of passes that are allowed: all, or full waves only (arXiv 2510.18905)."""

    ALL = "all"
    MULTIPLES_OF_P = "multiples_of_p"


class Chance(NamedTuple):
    """How often simulated queries kept all limits, [s, m, p, K].

    feasible: allowed, and share at least 1 - eps. share: of the trials. low, high: its Wilson
    interval at 95 %; where 1 - eps lies within, more trials are needed to be sure. likeliest [s, m,
    p]: index of the allowed k with the greatest share, the first of equals, -1 where none is
    allowed.
    """

    feasible: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    likeliest: np.ndarray


def allowed_grid(k: Any, parallel: Any, grid: str = Grid.ALL) -> np.ndarray:
    """Return which of k [K] passes are allowed on each of parallel [p] slots, bool [p, K].

    Raises InputError on an unknown grid, and on numbers below 1.
    """
    if grid not in tuple(Grid):
        raise InputError(f"`grid` must be one of {', '.join(Grid)}, got {grid!r}.")
    passes, slots = np.asarray(k), np.asarray(parallel)
    for name, numbers in (("k", passes), ("parallel", slots)):
        if numbers.ndim != 1 or not (numbers >= 1).all():
            raise InputError(f"`{name}` must be whole numbers >= 1, got {numbers}.")
    if grid == Grid.ALL:
        return np.ones((slots.size, passes.size), bool)
    return passes % slots[:, None] == 0


def feasible_by_mean(curves: Curves, limits: Limits, allowed: Any) -> np.ndarray:
    """Return where means keep the limits [s] and k is allowed [p, K], bool [s, m, p, K].

    arXiv 2510.18905: mean cost at most C_max, mean time at most T_max, mean accuracy at least
    A_min; here but for a rounding of 1e-12, relative.
    """
    return keeping(points_of(curves), limits) & np.asarray(allowed, bool)


def keeping(points: Points, limits: Limits) -> np.ndarray:
    """Return where points [m, p, K] keep the limits [s], bool [s, m, p, K]."""
    cost, time, accuracy = (np.reshape(limit, (-1, 1, 1, 1)) for limit in limits)
    slack = 1.0 + ROUNDING
    spent = (points.cost <= cost * slack) & (points.time <= time * slack)
    return spent & (points.accuracy >= accuracy * (1.0 - ROUNDING))


def feasible_by_chance(curves: Curves, eps: float, allowed: Any = True) -> Chance:
    """Return where a query keeps all limits with a probability of at least 1 - eps.

    By the share of the trials (`Curves.met`, of all limits together); the interval says how sure
    that is. Raises InputError where the curves do not count trials, and for eps outside (0, 1).
    """
    if curves.met is None or curves.trials is None:
        raise InputError("`feasibility` chance needs simulated curves that count trials (`met`).")
    if not 0.0 < eps < 1.0:
        raise InputError(f"`eps` must be in (0, 1), got {eps}.")
    share = np.asarray(curves.met, np.float64) / curves.trials
    low, high = wilson(share, curves.trials)
    may = np.broadcast_to(np.asarray(allowed, bool), share.shape)
    likeliest = np.where(may.any(-1), np.where(may, share, -1.0).argmax(-1), -1)
    return Chance(may & (share >= 1.0 - eps - ROUNDING), share, low, high, likeliest)
