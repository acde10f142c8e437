"""Where a front bends: by curvature, and by the distance from the chord of its ends.

A front is its points in order, coordinates [3, N] of NumPy or JAX; the last one may be repeated.
"""

from typing import Any

from lpo.scale.select.points import namespace


def curvature(x: Any, k: Any = None) -> Any:
    """[N]: |p' x p''| / |p'|^3 at the points of a front; 0 at its ends, and where it stays.

    arXiv 2510.18905, in three dimensions (its code takes two, in which it is 0). Derivatives are
    those of the parabola through a point and its two neighbours, which need not be evenly spaced:
    by `k` [N], or by default by the length of the way from one to the other, since a curvature does
    not depend on the parameter.
    """
    xp = namespace(x)
    if x.shape[1] < 3:
        return xp.zeros(x.shape[1], x.dtype)
    steps = x[:, 1:] - x[:, :-1]
    h = length(steps) if k is None else k[1:] - k[:-1]
    moves = h > 0.0
    h = xp.where(moves, h, 1.0)
    slopes = steps / h
    # With a and b the slopes before and after a point, p' = (h+ a + h- b) / (h- + h+) and
    # p'' = 2 (b - a) / (h- + h+), so that p' x p'' = 2 (a x b) / (h- + h+).
    a, b, before, after = slopes[:, :-1], slopes[:, 1:], h[:-1], h[1:]
    speed = length(after * a + before * b) / (before + after)
    moves = moves[:-1] & moves[1:] & (speed > 0.0)
    bent = 2.0 * length(_cross(a, b)) / (before + after)
    return xp.pad(xp.where(moves, bent / xp.where(moves, speed, 1.0) ** 3, 0.0), 1)


def chord_distance(x: Any) -> Any:
    """[N]: the distance of points from the line through the first and the last one.

    Where these are one point: the distance from it.
    """
    xp = namespace(x)
    way, chord = x - x[:, :1], x[:, -1:] - x[:, :1]
    whole = length(chord)
    unit = chord / xp.where(whole > 0.0, whole, 1.0)
    along = way[0] * unit[0] + way[1] * unit[1] + way[2] * unit[2]
    return length(way - along * unit)


def length(x: Any) -> Any:
    """Return the Euclidean lengths of [3, N]."""
    # written out: compiled, a sum over an axis is a program of its own
    return namespace(x).sqrt(x[0] ** 2 + x[1] ** 2 + x[2] ** 2)


def _cross(a: Any, b: Any) -> Any:
    return namespace(a).stack([a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)])
