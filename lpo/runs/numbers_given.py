"""The numbers of `analysis.values`: what an experiment varies."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from lpo.errors import InputError

Allowed = tuple[Callable[[float], bool], str]
"""Which finite numbers are good, and how an error says that."""

_AT_LEAST = "at least one number, each"
NOT_NEGATIVE: Allowed = (lambda number: number >= 0, f"{_AT_LEAST} >= 0 and finite")
POSITIVE: Allowed = (lambda number: number > 0, f"{_AT_LEAST} > 0 and finite")
WHOLE: Allowed = (lambda number: number >= 1 and number == int(number), "whole numbers >= 1")
SHARES: Allowed = (lambda number: 0 <= number < 1, "numbers in [0, 1)")


def numbers_given(cfg: Any, names: Collection[str]) -> dict[str, np.ndarray]:
    """Return the numbers by name, ascending and each once; at least one name.

    cfg: a configuration with `analysis.values`, lists of numbers by name.

    Raises InputError on no name, on one that is not in `names`, on an empty list and on numbers
    that are negative or not finite.
    """
    values = cfg.analysis.values
    if not values:
        raise InputError(f"analysis.values: nothing given; allowed: numbers of {', '.join(names)}")
    _check_names(values, names)
    return {name: np.unique(_checked(name, values[name], NOT_NEGATIVE)) for name in values}


def numbers_or(
    cfg: Any, allowed: Mapping[str, Allowed] | None = None, /, **defaults: Sequence[float]
) -> dict[str, list[float]]:
    """Return the numbers of every name in `defaults`, in the order given.

    cfg: a configuration with `analysis.values`. allowed: of the names whose numbers need not just
    be positive.

    Raises InputError on other names, on an empty list and on numbers that are not finite or not
    allowed.
    """
    values, kinds = cfg.analysis.values, allowed or {}
    _check_names(values, defaults)
    return {
        name: _checked(name, values.get(name, default), kinds.get(name, POSITIVE))
        for name, default in defaults.items()
    }


def only(given: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the one number of each name that `numbers_or` gave; raise InputError on several."""
    for name, numbers in given.items():
        if len(numbers) > 1:
            raise InputError(f"analysis.values.{name}: {numbers} given; allowed: one number")
    return {name: numbers[0] for name, numbers in given.items()}


def _check_names(values: Mapping[str, Any], names: Collection[str]) -> None:
    for name in values:
        if name not in names:
            raise InputError(
                f"analysis.values: {name} given; allowed: {', '.join(names) or 'nothing'}"
            )


def _checked(name: str, numbers: Sequence[float], allowed: Allowed) -> list[float]:
    good, words = allowed
    if not len(numbers) or not all(math.isfinite(number) and good(number) for number in numbers):
        raise InputError(f"analysis.values.{name}: {list(numbers)} given; allowed: {words}")
    return list(numbers)
