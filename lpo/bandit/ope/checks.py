"""Refusals of what cannot be evaluated."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import numpy as np

from lpo.bandit.ope.intervals import Ranges
from lpo.bandit.ope.log import Log
from lpo.bandit.ope.notes import uncovered
from lpo.errors import InputError

Member = TypeVar("Member", bound=StrEnum)


def member(name: str, kind: type[Member], given: str) -> Member:
    """Return the member of that name; raises InputError on another."""
    if given not in tuple(kind):
        raise InputError(f"`{name}`: must be one of {', '.join(kind)}, got {given!r}.")
    return kind(given)


def check_numbers(*, level: float, draws: int, clip: float, switch: float) -> None:
    """Raise InputError unless 0 < level < 1, draws is whole and at least 1, clip above 0, and
    switch at least 0; both may be infinite."""
    if not 0.0 < level < 1.0:
        raise InputError(f"`level` must be between 0 and 1, got {level}.")
    if draws != int(draws) or draws < 1:
        raise InputError(f"`draws` must be a whole number of at least 1, got {draws}.")
    if not clip > 0.0:
        raise InputError(f"`clip` must be above 0, got {clip}.")
    if not switch >= 0.0:
        raise InputError(f"`switch` must be at least 0, got {switch}.")


def refuse_deterministic(log: Log, tables: Mapping[str, np.ndarray]) -> None:
    """Raise InputError where every propensity is 1 and a policy takes other actions."""
    if not (log.propensities == 1.0).all():
        return
    for name, table in tables.items():
        if uncovered(log, table) > 0.0:
            raise InputError(
                f"policy `{name}` cannot be evaluated: every propensity of the log is 1, so that "
                "it says nothing of other actions than those it took. Log with epsilon mixing; "
                "dm alone, which trusts a model, may be asked for."
            )


def check_ranges(ranges: Ranges | None, log: Log, weights: Mapping[str, np.ndarray]) -> Ranges:
    """Return the ranges of an empirical Bernstein interval.

    Raises InputError where there are none, rewards have no finite range, weights may not be 1, or
    the log or a policy's weights [n] are not within them.
    """
    if ranges is None:
        raise InputError("`interval=empirical_bernstein` needs `ranges`, known before the log was.")
    low, high, most = ranges
    if not -np.inf < low < high < np.inf:
        raise InputError(f"`ranges`: rewards need low < high, both finite, got {low}, {high}.")
    if not most >= 1.0:
        raise InputError(f"`ranges.weight` must be at least 1, the mean of weights, got {most}.")
    bad = np.flatnonzero((log.rewards < low) | (log.rewards > high))
    if len(bad):
        raise InputError(
            f"`ranges`: {low:g} to {high:g} given, but the reward of row {bad[0]} is "
            f"{log.rewards[bad[0]]:g}."
        )
    for name, each in weights.items():
        bad = np.flatnonzero(each > most * (1.0 + 1e-9))
        if len(bad):
            raise InputError(
                f"policy `{name}`, row {bad[0]}: `ranges.weight` must be at least its weight, "
                f"{each[bad[0]]:g}, got {most:g}."
            )
    return ranges
