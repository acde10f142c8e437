"""Methods on the same test problems, by the gradients that they take. docs/l2o.md, "Measures"."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lpo.l2o.classical.method import Method, path
from lpo.l2o.classical.multi_start import multi_start
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.family import Family, Problem
from lpo.l2o.noise import Noise, Normaliser
from lpo.l2o.sampling import Model, Sample, Sampler, best, samples


class Trace(NamedTuple):
    """What a method has reached on B problems. value: the least objective so far, [B, P]. calls:
    gradients taken by then, [B, P]. depth: of them, those that had to wait for one another, [B, P];
    samples drawn side by side count once. x: where the last value was found, [B, d]."""

    value: jax.Array
    calls: jax.Array
    depth: jax.Array
    x: jax.Array


@partial(jax.jit, static_argnums=(0, 1, 4))
def follow_best(
    family: Family, method: Method, problems: Problem, starts: jax.Array, steps: int
) -> Trace:
    """Return what the best of K starts reaches, starts [B, K, d], all of them side by side."""
    one = partial(multi_start, family, method)
    found = jax.vmap(lambda problem, x: one(problem, x, steps))(problems, starts)
    depth = found.calls // starts.shape[1]
    return Trace(jax.lax.cummin(found.value, axis=1), found.calls, depth, found.x)


class Drawn(NamedTuple):
    """Samples of B problems. each: leaves [B, K, ...]. best: of each problem, leaves [B, ...]; its
    calls are those of all K."""

    each: Sample
    best: Sample


@partial(jax.jit, static_argnums=(0, 1, 4))
def follow(
    family: Family, method: Method, problems: Problem, starts: jax.Array, steps: int
) -> Trace:
    """Return what a method reaches from starts [B, d] within `steps` steps."""
    found = jax.vmap(lambda problem, x: path(family, method, problem, x, steps))(problems, starts)
    return Trace(jax.lax.cummin(found.value, axis=1), found.calls, found.calls, found.x)


@partial(jax.jit, static_argnums=(0, 1, 5, 6, 7, 8))
def _drawn(
    family: Family,
    denoiser: Denoiser,
    learned: tuple[Any, Normaliser],
    problems: Problem,
    key: jax.Array,
    noise: Noise,
    count: int,
    steps: int,
    sampler: Sampler,
) -> Drawn:
    model = Model(denoiser, *learned, noise)
    rows = jax.tree.leaves(problems)[0].shape[0]
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(rows))

    def one(problem: Problem, key: jax.Array) -> Sample:
        return samples(family, model, problem, key, count, steps=steps, sampler=sampler)

    each = jax.vmap(one)(problems, keys)
    return Drawn(each, jax.vmap(best)(each))


def draw(
    family: Family,
    model: Model,
    problems: Problem,
    key: jax.Array,
    count: int = 1,
    *,
    steps: int,
    sampler: Sampler = Sampler.ANCESTRAL,
) -> Drawn:
    """Draw `count` samples of each of B problems, and the best of them."""
    learned = model.params, model.normaliser
    return _drawn(
        family, model.denoiser, learned, problems, key, model.noise, count, steps, sampler
    )


def first_of(drawn: Drawn, count: int) -> Drawn:
    """Return the first `count` samples of each problem, as if no more had been drawn."""
    each = jax.tree.map(lambda leaf: leaf[:, :count], drawn.each)
    return Drawn(each, jax.vmap(best)(each))


def trace_of(drawn: Drawn) -> Trace:
    """Return what samples have reached when all are drawn, P = 1."""
    calls = drawn.each.calls
    value = drawn.best.value[:, None]
    return Trace(value, calls.sum(1, keepdims=True), calls.max(1, keepdims=True), drawn.best.x)


def polish(family: Family, method: Method, problems: Problem, drawn: Drawn, steps: int) -> Trace:
    """Return what the best samples reach when a method goes on from them; the gradients of all
    samples count."""
    return onward(family, method, problems, trace_of(drawn), steps)


def onward(family: Family, method: Method, problems: Problem, before: Trace, steps: int) -> Trace:
    """Return what is reached when a method goes on from where `before` ended, whose gradients all
    count."""
    after = follow(family, method, problems, before.x, steps)
    value = jnp.minimum(after.value, before.value[:, -1:])
    calls, depth = before.calls[:, -1:], before.depth[:, -1:]
    return Trace(value, after.calls + calls, after.depth + depth, after.x)
