"""The choice among the points of many curves at once. docs/scale.md."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from lpo.errors import InputError
from lpo.scale.curves import Limits
from lpo.scale.select.criteria import Selections, best_by_each, named
from lpo.scale.select.front import efficient_among
from lpo.scale.select.options import Options
from lpo.scale.select.points import Points, leading

_PAIRS = 2**24  # bytes


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
    if k is None and np.ndim(feasible):
        k = np.arange(np.shape(feasible)[-1])
    given = (points, feasible, limits, k, front)
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(given)):
        return named(*_choose(options, *given))
    limits = Limits(*map(np.asarray, limits))  # lists would be taken for trees of numbers
    _check(points, feasible, limits, np.asarray(k), front)
    given = (points, np.asarray(feasible), limits, np.asarray(k), front)
    with jax.enable_x64(True):
        at, score = _choose_compiled(options, *jax.tree.map(_real, given))
        return named(np.asarray(at), np.asarray(score))


def fronts(points: Points, feasible: Any) -> np.ndarray:
    """Return `efficient_among` of sets [..., N] as a NumPy array, computed in float64."""
    with jax.enable_x64(True):
        return np.asarray(_fronts(jax.tree.map(_real, points), jnp.asarray(feasible)))


def _choose(
    options: Options,
    points: Points,
    feasible: Array,
    limits: Limits,
    k: Any,
    front: Any,
) -> tuple[Array, Array]:
    """Indices and scores of the five criteria, [..., 5]."""
    shape = feasible.shape[:-1]

    def flat(leaf: Array) -> Array:
        return jnp.broadcast_to(leaf, feasible.shape).reshape(-1, feasible.shape[-1])

    sets = Points(*map(flat, points)), flat(feasible)
    wide = leading(limits, feasible.ndim - 1)
    bounds = Limits(*(jnp.broadcast_to(limit, shape).reshape(-1) for limit in wide))
    on_front = _each_front(*sets) if front is None else flat(front)
    each = jax.vmap(partial(best_by_each, options))
    at, score = each(*sets, bounds, flat(k), on_front)
    return at.reshape(*shape, 5), score.reshape(*shape, 5)


def _each_front(points: Points, feasible: Array) -> Array:
    """Fronts of sets [B, N]: at once, or one after another where the pairs of all need memory."""
    if feasible.size * feasible.shape[1] <= _PAIRS:
        return jax.vmap(efficient_among)(points, feasible)
    return jax.lax.map(lambda one: efficient_among(*one), (points, feasible))


def _fronts_of(points: Points, feasible: Array) -> Array:
    flat = [jnp.broadcast_to(leaf, feasible.shape) for leaf in (*points, feasible)]
    *axes, mask = (leaf.reshape(-1, feasible.shape[-1]) for leaf in flat)
    return _each_front(Points(*axes), mask).reshape(feasible.shape)


_QUICK: Any = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
"""Of XLA: a choice takes milliseconds either way, compiling for it half as long like this."""
_choose_compiled = partial(jax.jit, static_argnums=0, compiler_options=_QUICK)(_choose)
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
