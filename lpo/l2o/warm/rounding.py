"""Whole numbers from fractions: units added by what they save, then dropped where none is needed.

docs/l2o_warm_starts.md, "Whole numbers".
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.l2o.warm.repair import Covering, Plan, plan

_GAIN = 1e-9  # dollars; less is rounding


def round_covering(problem: Covering, gpus: np.ndarray, unit: float) -> Plan:
    """Return a plan of whole units for fractions [B, J, K], which must keep the stock.

    Begins at the fractions rounded down; adds the unit that saves most until none saves, then drops
    the unit that saves most until none saves. No single unit more or less makes it cheaper.
    Raises InputError on a unit that is not positive and on fractions beyond the stock.
    """
    if not 0.0 < unit < np.inf:
        raise InputError(f"`unit` must be positive and finite, got {unit}.")
    stock = np.floor(problem.stock / unit * (1.0 + 1e-12))
    whole = np.floor(np.asarray(gpus, np.float64) / unit * (1.0 + 1e-12))
    if (whole.sum(1) > stock).any() or (whole < 0.0).any():
        raise InputError("`gpus` must be at least 0 and within the stock; repair them first.")
    rate, price = problem.rate * unit, problem.price[:, None] * unit
    rows, K = np.arange(len(whole)), whole.shape[2]
    for sign in (1.0, -1.0, 1.0, -1.0):
        while True:
            short = problem.demand - (rate * whole).sum(2)
            served = np.maximum(short, 0.0)[..., None] - np.maximum(
                short[..., None] - sign * rate, 0.0
            )
            saves = problem.unmet_usd * served - sign * price
            full = (whole.sum(1) >= stock)[:, None] if sign > 0.0 else whole <= 0.0
            saves = np.where(full, -np.inf, saves).reshape(len(whole), -1)
            best = saves.argmax(1)
            gains = saves[rows, best] > _GAIN
            if not gains.any():
                break
            j, k = np.divmod(best, K)
            whole[rows[gains], j[gains], k[gains]] += sign
    return plan(problem, whole * unit)


class Levels(NamedTuple):
    """level: [P] whole. usd: its value. asked: how often a value was."""

    level: np.ndarray
    usd: float
    asked: int


def levels_by_value(
    fraction: np.ndarray,
    most: np.ndarray,
    value: Callable[[np.ndarray], float],
    *,
    first: np.ndarray,
    sweeps: int = 4,
) -> Levels:
    """Return whole levels [P] near `first` that no change of one of them by one makes cheaper.

    value: dollars of levels [P] in 0..most; what cannot be carried out must cost more the further
    it is from what can. fraction: [P], how likely each is needed: the order of trials. A sweep
    raises each level, the likeliest first, as long as that saves, then lowers each, the least
    likely first, as long as that costs nothing. Ends after `sweeps`, or one that changes nothing.
    Raises InputError where `first` is outside 0..most.
    """
    level = np.array(first, np.int64)
    if level.shape != np.shape(most) or (level < 0).any() or (level > most).any():
        raise InputError(f"`first` must be [{len(most)}] whole numbers from 0 to most.")
    order = np.argsort(-fraction, kind="stable")
    usd, asked = value(level), 1
    for _ in range(sweeps):
        before = level.copy()
        for sign, trials in ((1, order), (-1, order[::-1])):
            for p in trials:
                while 0 <= level[p] + sign <= most[p]:
                    moved = level.copy()
                    moved[p] += sign
                    new, asked = value(moved), asked + 1
                    helps = new < usd - _GAIN if sign > 0 else new <= usd + _GAIN
                    if not helps:
                        break
                    level, usd = moved, new
        if (level == before).all():
            break
    return Levels(level, usd, asked)
