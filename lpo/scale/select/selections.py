"""One choice out of many by five criteria. docs/scale.md."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from lpo.errors import InputError
from lpo.scale.curves import Limits
from lpo.scale.select.cube import cube
from lpo.scale.select.front import along, efficient_among, losses, settled
from lpo.scale.select.knees import chord_distance, curvature, length
from lpo.scale.select.options import Options
from lpo.scale.select.points import Points, leading


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


def select(
    options: Options,
    points: Points,
    feasible: Any,
    limits: Limits,
    *,
    k: Any = None,
    front: Any = None,
) -> Selections:
    """Choose among points in increasing k.

    **Arguments:**

    - `points`: [..., N], or what broadcasts against `feasible`.
    - `feasible`: bool [..., N], one set of points for each leading index.
    - `limits`: numbers, or arrays of the first of the leading axes ([s] for [s, m, p, N]).
    - `k`: increasing [N], with which the front is differentiated; by default even steps.
    - `front`: bool [..., N]; by default `efficient_among`, which compares all pairs.

    Returns NumPy arrays [...] computed in float64, or traced ones in the precision that is given.

    **Raises:** InputError on shapes that do not go together.
    """
    steps = np.arange(np.shape(feasible)[-1]) if k is None and np.ndim(feasible) else k
    return _select(options, points, feasible, limits, steps, front)


def select_on_surface(
    options: Options, points: Points, feasible: Any, limits: Limits, *, front: Any
) -> Selections:
    """Choose as `select` among points in an order that no k gives, such as that of cost.

    Curvature is taken with the length of the line along the front.
    """
    return _select(options, points, feasible, limits, None, front)


def _select(
    options: Options, points: Points, feasible: Any, limits: Limits, k: Any, front: Any
) -> Selections:
    given = (points, feasible, limits, k, front)
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(given)):
        return _named(*_choose(options, *given))
    _check(points, feasible, limits, k, front)
    with jax.enable_x64(True):
        at, score = _choose_compiled(options, *jax.tree.map(_real, given))
        return _named(np.asarray(at), np.asarray(score))


def fronts(points: Points, feasible: Any) -> np.ndarray:
    """Return `efficient_among` of sets [..., N] as a NumPy array, computed in float64."""
    with jax.enable_x64(True):
        return np.asarray(_fronts(jax.tree.map(_real, points), jnp.asarray(feasible)))


def _choose(
    options: Options,
    points: Points,
    feasible: Array,
    limits: Limits,
    k: Array | None,
    front: Array | None,
) -> tuple[Array, Array]:
    """Indices and scores of the five criteria, [..., 5]."""
    shape = feasible.shape[:-1]

    def flat(leaf: Array) -> Array:
        return jnp.broadcast_to(leaf, feasible.shape).reshape(-1, feasible.shape[-1])

    sets = Points(*map(flat, points)), flat(feasible)
    wide = leading(limits, feasible.ndim - 1)
    bounds = Limits(*(jnp.broadcast_to(limit, shape).reshape(-1) for limit in wide))
    on_front = _front_by_front(*sets) if front is None else flat(front)
    by = (0, 0, 0, None if k is None else 0, 0)
    one = jax.vmap(partial(_choose_one, options), in_axes=by)
    at, score = one(*sets, bounds, None if k is None else flat(k), on_front)
    return at.reshape(*shape, 5), score.reshape(*shape, 5)


def _choose_one(
    options: Options,
    points: Points,
    feasible: Array,
    limits: Limits,
    k: Array | None,
    front: Array,
) -> tuple[Array, Array]:
    """Indices and scores [5] for points [N]."""
    order, last = along(front)
    x = losses(options, Points(*jnp.stack(points)[:, order]), limits)
    inner = (order < last) & (jnp.arange(front.size) > 0)
    found = jnp.broadcast_to(last >= 0, front.shape)
    scores = jnp.stack(
        [
            settled(points.accuracy),
            cube(options, points, limits),
            -length(x),
            curvature(x, None if k is None else k[order]),
            chord_distance(x),
        ]
    )
    eligible = jnp.stack([feasible, feasible, found, inner, inner])
    least = jnp.finfo(scores.dtype).min
    at = jnp.where(eligible, scores.clip(least), -jnp.inf).argmax(1).astype(jnp.int32)
    score = jnp.take_along_axis(jnp.where(eligible, scores, jnp.nan), at[:, None], 1)[:, 0]
    there = jnp.concatenate([at[:2], order[at[2:]]])
    signs = jnp.array([1.0, 1.0, -1.0, 1.0, 1.0], score.dtype)
    return jnp.where(jnp.isnan(score), -1, there), score * signs


def _front_by_front(points: Points, feasible: Array) -> Array:
    """Fronts of sets [B, N], one after another: pairs of all at once would not fit into memory."""
    return jax.lax.map(lambda one: efficient_among(*one), (points, feasible))


def _fronts_of(points: Points, feasible: Array) -> Array:
    flat = [jnp.broadcast_to(leaf, feasible.shape) for leaf in (*points, feasible)]
    *axes, mask = (leaf.reshape(-1, feasible.shape[-1]) for leaf in flat)
    return _front_by_front(Points(*axes), mask).reshape(feasible.shape)


def _named(at: Any, score: Any) -> Selections:
    return Selections(*(Selected(at[..., i], score[..., i]) for i in range(at.shape[-1])))


_choose_compiled = partial(jax.jit, static_argnums=0)(_choose)
_fronts = jax.jit(_fronts_of)


def _real(leaf: Any) -> Array:
    leaf = jnp.asarray(leaf)
    return leaf if leaf.dtype == bool else leaf.astype(jnp.float64)


def _check(points: Points, feasible: Any, limits: Limits, k: Any, front: Any) -> None:
    shape = np.shape(feasible)
    if not shape or not shape[-1]:
        raise InputError(f"`feasible` must be [..., N] with N of at least 1, got shape {shape}.")
    fixed = {"points": points, "k": k, "front": front}
    wrong = [
        (name, np.shape(leaf))
        for name, given in fixed.items()
        for leaf in jax.tree.leaves(given)
        if not _fits(np.shape(leaf), shape)
    ]
    wrong += [
        (f"limits.{name}", np.shape(limit))
        for name, limit in limits._asdict().items()
        if np.ndim(limit) >= len(shape)
        or not _fits(np.shape(limit) + (1,) * (len(shape) - np.ndim(limit)), shape)
    ]
    for name, got in wrong:
        raise InputError(f"`{name}` must fit `feasible` of shape {shape}, got shape {got}.")


def _fits(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, into) == into
    except ValueError:
        return False
