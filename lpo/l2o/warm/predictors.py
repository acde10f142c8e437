"""Predictors of primal-dual starts of linear programs: fitted on solved problems, then problem ->
start. docs/l2o_warm_starts.md, "Predictors".
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.family import Labels, Problem
from lpo.l2o.linear import LinearFamily, family_of, kkt_error, projected
from lpo.l2o.warm.guard import Guarded, Range, guarded, training_range
from lpo.l2o.warm.kinds import Kind, Settings, fitted_point, kind_named


class Start(NamedTuple):
    """z: [n + m], inside bounds. error: its KKT error, []. calls: gradients taken, int32 []; the
    error of each of K samples is one more product each, and is counted by those who compare."""

    z: jax.Array
    error: jax.Array
    calls: jax.Array


class Predictor(NamedTuple):
    """start: (problem, key) -> `Start`, compiled. starts: (problems [B, ...], key) -> the same for
    all; the first is that of `start` with `fold_in(key, 0)`. known: where training problems lay."""

    kind: Kind
    start: Callable[[Problem, jax.Array], Start]
    starts: Callable[[Problem, jax.Array], Start]
    known: Range


def fit(
    kind: Kind | str,
    linear: LinearFamily,
    problems: Problem,
    labels: Labels,
    key: jax.Array,
    settings: Settings = Settings(),  # noqa: B008 - an immutable record
) -> Predictor:
    """Fit a predictor of primal-dual starts on solved problems.

    **Arguments:**

    - `kind`: regression is the best of those that learn, by what was measured
      (docs/l2o_warm_starts.md); the cold start of `none` is x = lower, y = 0.
    - `problems`: leaves [M, ...]; `labels`: their solutions, `x` [M, n + m], as `linear.labels`.
    - `key`: of training, which is reproducible on one device.
    - `settings`: of networks and samplers.

    **Raises:** InputError on an unknown kind, labels of another width, and no more problems than
    features.
    """
    kind, width = kind_named(kind), linear.variables + linear.rows
    if labels.x.ndim != 2 or labels.x.shape[1] != width:
        raise InputError(f"`labels` must be [M, {width}], got {labels.x.shape}.")
    inside = partial(projected, linear)
    point = fitted_point(kind, family_of(linear), problems, labels, key, settings, inside)

    def one(problem: Problem, key: jax.Array) -> Start:
        z, calls = point(problem, key)
        return Start(z, kkt_error(linear, z, problem), jnp.int32(calls))

    def every(problems: Problem, key: jax.Array) -> Start:
        at = jnp.arange(jax.tree.leaves(problems)[0].shape[0])
        return jax.vmap(lambda problem, i: one(problem, jax.random.fold_in(key, i)))(problems, at)

    known = training_range(jax.vmap(linear.features)(problems))
    return Predictor(kind, jax.jit(one), jax.jit(every), known)


def guarded_starts(
    linear: LinearFamily, predictor: Predictor, problems: Problem, key: jax.Array
) -> Guarded:
    """Return the starts of problems [B, ...] past the guard, leaves [B, ...]; the mean of
    `fell_back` is the rate to report."""
    found = predictor.starts(problems, key)
    return jax.vmap(lambda problem, z: guarded(linear, predictor.known, problem, z))(
        problems, found.z
    )
