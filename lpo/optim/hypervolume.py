"""How much of the space before a reference point is dominated by a set of points, exactly."""

from bisect import bisect_left
from typing import Any

import numpy as np

from lpo.errors import InputError
from lpo.optim.pareto import efficient, minimised


def hypervolume(points: Any, reference: Any) -> float:
    """Return the volume of what points [N, d] dominate and what dominates `reference` [d].

    All objectives are minimised (Zitzler and Thiele, "Multiobjective optimization using
    evolutionary algorithms", 1998). Points that are not better than the reference in every
    objective add nothing. Two objectives by one sweep, three by a sweep along the last one that
    keeps the staircase of the first two (Fonseca, Paquete and López-Ibáñez, "An improved
    dimension-sweep algorithm for the hypervolume indicator", 2006), both O(N log N); more by
    recursion over what each point adds to those before it (While, Bradstreet and Barone, "A fast
    way of calculating exact hypervolumes", 2012), exponential in d.

    Raises InputError where `points` are not [N, d], or numbers, and `reference` not [d] finite
    numbers; -inf in a point that counts makes the volume infinite.
    """
    given, corner = minimised(points), np.asarray(reference, np.float64)
    if corner.shape != given.shape[1:] or not np.isfinite(corner).all():
        raise InputError(
            f"`reference` must be {given.shape[1]} finite numbers, one for each objective, "
            f"got {reference}."
        )
    inside = given[(given < corner).all(axis=1)]
    if np.isinf(inside).any():
        return float(np.inf)
    return _volume(corner - inside)


def _volume(sides: np.ndarray) -> float:
    """The volume of the union of boxes [0, sides], [N, d], d >= 1, sides at least 0."""
    if len(sides) < 2:
        return float(sides.prod(axis=1).sum())
    dimensions = sides.shape[1]
    if dimensions == 1:
        return float(sides.max())
    if dimensions == 2:
        return _area(sides)
    if dimensions == 3:
        return _sweep(sides)
    sides = sides[np.argsort(-sides[:, -1], kind="stable")]
    total = 0.0
    for i, (*base, height) in enumerate(sides.tolist()):
        # Boxes before are at least as high: what one adds is as high as itself, above what its base
        # does not share with theirs.
        shared = np.minimum(sides[:i, :-1], base)
        shared = shared[efficient(-shared)]
        total += height * (float(np.prod(base)) - _volume(shared))
    return total


def _area(sides: np.ndarray) -> float:
    order = np.lexsort((-sides[:, 1], -sides[:, 0]))
    width, height = sides[order].T
    top = np.maximum.accumulate(height)
    return float(width @ np.diff(top, prepend=0.0))


def _sweep(sides: np.ndarray) -> float:
    """By boxes from the highest to the lowest: what they cover so far is a staircase."""
    order = np.argsort(-sides[:, 2], kind="stable")
    # Its steps: ascending widths of descending depths, between two that no box reaches.
    widths, depths = [0.0, np.inf], [np.inf, 0.0]
    area, volume, level = 0.0, 0.0, 0.0
    for width, depth, height in sides[order].tolist():
        first = bisect_left(widths, width)
        if depths[first] >= depth:
            continue
        volume += area * (level - height)
        level = height
        last = first + (widths[first] == width)
        right, below = width, depths[first]
        while True:  # over the steps that the new one covers, from the right
            left = widths[first - 1]
            area += (right - left) * (depth - below)
            if depths[first - 1] > depth:
                break
            first, right, below = first - 1, left, depths[first - 1]
        widths[first:last], depths[first:last] = [width], [depth]
    return volume + area * level
