"""What distances and volumes are measured in."""

from enum import StrEnum
from typing import NamedTuple

from lpo.errors import InputError


class Scale(StrEnum):
    """What a length of 1 is on each axis, where distances and bends are measured.

    range: from the best to the worst value on the front. budget: the limits of cost and time, and
    an accuracy of 1 (arXiv 2510.18905).
    """

    RANGE = "range"
    BUDGET = "budget"


class Cube(StrEnum):
    """The third factor of a cube: accuracy A (arXiv 2510.18905), or for feasible what is left of
    the box of limits, (A - A_min) / (1 - A_min)."""

    ACCURACY = "accuracy"
    FEASIBLE = "feasible"


class Options(NamedTuple):
    """Of selections; hashable, what they are compiled for."""

    scale: Scale = Scale.RANGE
    cube: Cube = Cube.ACCURACY


def make_options(*, scale: str = Scale.RANGE, cube: str = Cube.ACCURACY) -> Options:
    """Return checked options; raises InputError, one line, on an unknown name."""
    for name, given, kinds in (("scale", scale, Scale), ("cube", cube, Cube)):
        if given not in tuple(kinds):
            raise InputError(f"`{name}` must be one of {', '.join(kinds)}, got {given!r}.")
    return Options(Scale(scale), Cube(cube))
