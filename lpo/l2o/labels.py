"""Solutions of many problems at once, for training and as the truth of gaps."""

from collections.abc import Callable
from functools import partial
from operator import itemgetter

import jax
import jax.numpy as jnp

from lpo.l2o.family import Composite, Labels, Problem

_BATCH = 2048  # problems side by side: more do not fit the caches


def composite_labels(
    objective: Callable[[jax.Array, Problem], jax.Array],
    composite: Composite,
    dimension: int,
    iterations: int = 1500,
) -> Callable[[Problem], Labels]:
    """Return `solve` of a family with a composite objective: FISTA from zero, whose momentum starts
    anew where it points uphill (O'Donoghue and Candes, Adaptive restart, 2015, section 3.2)."""

    @jax.jit
    def one_batch(problems: Problem) -> Labels:
        return jax.vmap(one)(problems)

    def one(problem: Problem) -> Labels:
        step = 1.0 / composite.lipschitz(problem)
        slope = jax.grad(composite.smooth)

        def iterate(_: int, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
            x, y, t = state
            new = composite.prox(y - step * slope(y, problem), step, problem)
            uphill = (y - new) @ (new - x) > 0.0
            t = jnp.where(uphill, 1.0, t)
            following = 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * t**2))
            return new, new + jnp.where(uphill, 0.0, (t - 1.0) / following) * (new - x), following

        zero = jnp.zeros(dimension)
        x, _, _ = jax.lax.fori_loop(0, iterations, iterate, (zero, zero, jnp.float32(1.0)))
        return Labels(x, objective(x, problem))

    return partial(in_batches, one_batch)


def in_batches(
    solve: Callable[[Problem], Labels], problems: Problem, batch: int = _BATCH
) -> Labels:
    """Apply `solve` to problems [B, ...], `batch` at a time."""
    count = jax.tree.leaves(problems)[0].shape[0]
    rows = [slice(start, start + batch) for start in range(0, count, batch)]
    parts = [solve(jax.tree.map(itemgetter(own), problems)) for own in rows]
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
