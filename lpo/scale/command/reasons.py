"""Why nothing was chosen, in words."""

from typing import NamedTuple

import numpy as np

from lpo.scale.command.question import Question
from lpo.scale.select import Chance, Shortfall

NOTHING = "-1: nothing feasible, or no knee"
NO_KNEE = "fewer than three points on the front"
_LIMITS = ("cost", "time", "accuracy")
_UNITS = ("{:.3g} $", "{:.3g} s", "{:.3g}")


class Missed(NamedTuple):
    """What stands in the way of each model on each number of slots, arrays [s, m, p].

    means: by how much means miss the limits. chance: how often queries keep them, None where means
    count. needed: how often they must.
    """

    means: Shortfall
    chance: Chance | None
    needed: float


def case_words(asked: Question, missed: Missed, place: tuple[int, ...]) -> str:
    """Why nothing is feasible in a scenario with one model on one number of slots."""
    return _words(asked, missed, place, "")


def scenario_words(asked: Question, missed: Missed, scenario: int) -> str:
    """Why nothing is feasible in a scenario: what comes nearest of all models and slots.

    The likeliest where a chance counts; otherwise, and where nothing has a chance, the one whose
    greatest violation over its limit is the least.
    """
    far = np.maximum.reduce([each[scenario] for each in missed.means.relative])
    if missed.chance is not None:
        share = _greatest(missed.chance)[scenario]
        far = np.where(share > 0.0, -share, far)
    far = np.where(missed.means.at[scenario] < 0, np.inf, far)
    model, slots = map(int, np.unravel_index(far.argmin(), far.shape))
    whom = f"{asked.models.names[model]} on P = {asked.parallel[slots]} with "
    return _words(asked, missed, (scenario, model, slots), whom)


def _words(asked: Question, missed: Missed, place: tuple[int, ...], whom: str) -> str:
    if missed.means.at[place] < 0:
        return "no number of passes is allowed"
    chance = missed.chance
    if chance is None:
        return _of_means(asked, missed.means, place, whom)
    at = int(chance.likeliest[place])
    share, low, high = (each[place][at] for each in (chance.share, chance.low, chance.high))
    if share == 0.0:
        means = _of_means(asked, missed.means, place, whom)
        return f"no simulated query keeps the limits; in the mean: {means}"
    return (
        f"likeliest, {whom}k = {asked.k[at]}, keeps the limits with chance {share:.3g} "
        f"[{low:.3g}, {high:.3g}], needed {missed.needed:g}"
    )


def _of_means(asked: Question, means: Shortfall, place: tuple[int, ...], whom: str) -> str:
    """Which limits the nearest number of passes misses, and by how much."""
    nearest = f"nearest, {whom}k = {asked.k[means.at[place]]},"
    parts = [
        f"{name} by {unit.format(missed[place])}"
        for name, unit, missed in zip(_LIMITS, _UNITS, means.missed, strict=True)
        if missed[place] > 0.0
    ]
    return f"{nearest} misses {' and '.join(parts)}" if parts else f"{nearest} misses nothing"


def _greatest(chance: Chance) -> np.ndarray:
    """The share of the likeliest k, [s, m, p]; 0 where none is allowed."""
    at = np.maximum(chance.likeliest, 0)[..., None]
    return np.where(chance.likeliest < 0, 0.0, np.take_along_axis(chance.share, at, -1)[..., 0])
