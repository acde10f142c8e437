"""Points that no other point beats in several objectives at once, and measures of such a front.

Objectives are minimised; where `senses` are given, those with sense +1 are maximised and those with
-1 minimised.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lpo.errors import InputError

_BLOCK = 256  # points that are compared with a front at once: what is compared stays in the cache


def efficient(points: Any, senses: Sequence[int] | None = None) -> np.ndarray:
    """[N] bool: points [N, d] that no other point dominates; of equal points all or none.

    A point dominates another that it is at least as good as in every objective and better than in
    one (Pareto). Points are taken in lexicographic order, in which no point dominates an earlier
    one, so that each is compared with the efficient ones before it: O(N f d) for f efficient
    points. Infinite numbers are allowed.

    Raises InputError where `points` are not [N, d], d >= 1, or not numbers, and on other senses.
    """
    given = minimised(points, senses)
    if not len(given):
        return np.zeros(0, bool)
    different, of = np.unique(given, axis=0, return_inverse=True)
    return _efficient(different)[of.reshape(-1)]


def minimised(points: Any, senses: Sequence[int] | None = None, name: str = "points") -> np.ndarray:
    """Return checked points [N, d], float64, with the objectives of sense +1 negated.

    Raises InputError as `efficient` does.
    """
    given = np.asarray(points, np.float64) + 0.0  # -0.0 and 0.0 are one value
    if given.ndim != 2 or not given.shape[1] or np.isnan(given).any():
        words = "holds a NaN" if given.ndim == 2 and given.shape[1] else f"of shape {given.shape}"
        raise InputError(f"`{name}` must be numbers [N, d] with d of at least 1, got one {words}.")
    if senses is None:
        return given
    signs = np.asarray(senses)
    if signs.shape != given.shape[1:] or not np.isin(signs, (-1, 1)).all():
        raise InputError(
            f"`senses` must be +1 (maximise) or -1 (minimise) for each of {given.shape[1]} "
            f"objectives, got {senses}."
        )
    return -signs * given + 0.0


def ideal(points: Any, senses: Sequence[int] | None = None) -> np.ndarray:
    """[d]: the best value of each objective over points [N, d].

    Raises InputError as `efficient` does, and where there are no points.
    """
    return _signs(points, senses) * _some(points, senses).min(axis=0)


def nadir(points: Any, senses: Sequence[int] | None = None) -> np.ndarray:
    """[d]: the worst value of each objective over the efficient ones of points [N, d].

    Raises InputError as `efficient` does, and where there are no points.
    """
    given = _some(points, senses)
    return _signs(points, senses) * given[efficient(given)].max(axis=0)


def crowding_distance(points: Any) -> np.ndarray:
    """[N]: how far apart the neighbours of each point are, summed over objectives, each over its
    range; infinite at the ends of an objective.

    Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002. `points`
    [N, d] are taken as one front. Objectives of which all values are equal tell nobody apart and
    are left out. Raises InputError as `efficient` does.
    """
    given = minimised(points)
    total = np.zeros(len(given))
    for values in given.T:
        order = np.argsort(values, kind="stable")
        ranked = values[order]
        if len(ranked) and ranked[-1] > ranked[0]:
            apart = np.full(len(ranked), np.inf)
            apart[1:-1] = (ranked[2:] - ranked[:-2]) / (ranked[-1] - ranked[0])
            total[order] += apart
    return total


def additive_epsilon(points: Any, others: Any) -> float:
    """Return the least number by which points [N, d] must be lowered in every objective so that
    each of `others` [M, d] has one of them that is at least as good.

    The unary additive epsilon indicator (Zitzler et al., "Performance assessment of multiobjective
    optimizers", 2003), all objectives minimised. 0 of a front against itself. Raises InputError as
    `efficient` does, and where either has no points.
    """
    ours, theirs = _some(points), _some(others, name="others")
    if ours.shape[1] != theirs.shape[1]:
        raise InputError(
            f"`points` and `others` must have equally many objectives, got {ours.shape[1]} and "
            f"{theirs.shape[1]}."
        )
    return max(float((ours - other).max(axis=1).min()) for other in theirs)


def _efficient(different: np.ndarray) -> np.ndarray:
    """[N] bool of points that all differ, in lexicographic order."""
    # Only the order of values counts: ranks of two bytes are compared eight times as fast. Of the
    # first objective nothing need be compared, its values ascend.
    size = np.uint16 if len(different) < 2**16 else np.uint32
    ranks = np.array(
        [np.unique(values, return_inverse=True)[1] for values in different.T[1:]], size
    ).reshape(-1, len(different))
    kept = np.zeros(len(different), bool)
    front = ranks[:, :0]
    for begin in range(0, len(different), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        ours = ranks[:, block]
        alive = np.flatnonzero(~_beaten(ours, front))
        ours = ours[:, alive]
        # Of two points that differ the earlier dominates where it is as good in all but the first.
        among = _as_good(ours, ours)
        alive = alive[~np.triu(among, 1).any(axis=0)]
        kept[begin + alive] = True
        front = np.concatenate([front, ranks[:, begin + alive]], axis=1)
    return kept


def _beaten(ours: np.ndarray, front: np.ndarray) -> np.ndarray:
    beaten = np.zeros(ours.shape[1], bool)
    for begin in range(0, front.shape[1], 8 * _BLOCK):
        open_ = np.flatnonzero(~beaten)
        chunk = front[:, begin : begin + 8 * _BLOCK]
        beaten[open_] = _as_good(chunk, ours[:, open_]).any(axis=0)
    return beaten


def _as_good(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[A, B]: whether a [d, A] is at least as good as b [d, B] in every objective."""
    good = np.ones((a.shape[1], b.shape[1]), bool)
    for one, other in zip(a, b, strict=True):
        good &= one[:, None] <= other
    return good


def _some(points: Any, senses: Sequence[int] | None = None, name: str = "points") -> np.ndarray:
    given = minimised(points, senses, name)
    if not len(given):
        raise InputError(f"`{name}` must be at least one.")
    return given


def _signs(points: Any, senses: Sequence[int] | None) -> np.ndarray | float:
    return 1.0 if senses is None else -np.asarray(senses, np.float64)
