"""The best of a set of points by five criteria. docs/scale.md."""

from typing import Any, NamedTuple

import numpy as np

from lpo.scale.curves import Limits
from lpo.scale.select.cube import cube
from lpo.scale.select.front import along, losses, settled
from lpo.scale.select.knees import chord_distance, curvature, length
from lpo.scale.select.options import Options
from lpo.scale.select.points import Points, namespace


class Selected(NamedTuple):
    """Of [...] sets of points: at int32, the index of the point, -1 where there is none; score, by
    which it was chosen, NaN where there is none."""

    at: Any
    score: Any


class Selections(NamedTuple):
    """The choice of each criterion (arXiv 2510.18905, where nothing else is said).

    accuracy_max: feasible, most accurate; the first of equals. max_cube: feasible, the greatest
    (1 - C / C_max) (1 - T / T_max) times the third factor of `Cube`. utopia: on the front, the
    closest to the best of everything, in units of `Scale`. knee_curvature: on the front, where it
    bends most. knee_chord: on the front, the farthest from the line through its ends. Knees lie
    between the ends, so that they need three points on the front. Scores: accuracy, volume,
    distance, curvature, distance.
    """

    accuracy_max: Selected
    max_cube: Selected
    utopia: Selected
    knee_curvature: Selected
    knee_chord: Selected


def best_by_each(
    options: Options, points: Points, feasible: Any, limits: Limits, k: Any, front: Any
) -> tuple[Any, Any]:
    """Return the index of the best point of N by each criterion, and its score, [5] each.

    Arrays [N] of NumPy or JAX. feasible, front: bool. limits: numbers. k: with which the front is
    differentiated, None for its length. See `Selected`.
    """
    xp = namespace(*points)
    order, last = along(front)
    x = losses(options, Points(*xp.stack(points)[:, order]), limits)
    inner = (order < last) & (xp.arange(front.size) > 0)
    found = xp.broadcast_to(last >= 0, front.shape)
    scores = xp.stack(
        [
            settled(points.accuracy),
            cube(options, points, limits),
            -length(x),
            curvature(x, None if k is None else k[order]),
            chord_distance(x),
        ]
    )
    eligible = xp.stack([feasible, feasible, found, inner, inner])
    least = np.finfo(scores.dtype).min
    at = xp.where(eligible, scores.clip(least), -xp.inf).argmax(1).astype(np.int32)
    score = xp.take_along_axis(xp.where(eligible, scores, xp.nan), at[:, None], 1)[:, 0]
    there = xp.concatenate([at[:2], order[at[2:]]])
    signs = xp.array([1.0, 1.0, -1.0, 1.0, 1.0], score.dtype)
    return xp.where(xp.isnan(score), -1, there), score * signs


def named(at: Any, score: Any) -> Selections:
    """Return selections of indices and scores [..., 5]."""
    return Selections(*(Selected(at[..., i], score[..., i]) for i in range(at.shape[-1])))
