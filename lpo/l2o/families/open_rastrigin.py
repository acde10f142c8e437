"""Random Rastrigin functions of Open-L2O, told to networks in full. docs/l2o.md, "Families".

Chen et al., Learning to optimize: a primer and a benchmark, 2022.
"""

from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lpo.errors import InputError
from lpo.l2o.family import Family, Labels, Least
from lpo.l2o.labels import in_batches

_STEPS = 300  # of Adam from each start of a label
_RATE = 0.1


class Waves(NamedTuple):
    """A: [d, d]. b, c: [d]."""

    A: jax.Array
    b: jax.Array
    c: jax.Array


@cache
def open_rastrigin(dimension: int = 2, *, starts: int = 64) -> Family:
    """|A x - b|^2 / 2 - 10 c^T cos(2 pi x) + 10 d, all entries of A, b and c normal.

    Methods start from normal points. Labels are near-optima: the best of `starts` runs of Adam,
    half of them from normal points, half from about the minimum of the quadratic, which is far from
    the others where A is nearly singular. A method may come to less; objectives may be negative.

    **Raises:** InputError on a dimension below 1, and on fewer starts than 2.
    """
    if dimension < 1:
        raise InputError(f"`dimension` must be at least 1, got {dimension}.")
    if starts < 2:
        raise InputError(f"`starts` must be at least 2, got {starts}.")
    d = dimension

    def sample(key: jax.Array) -> Waves:
        of_a, of_b, of_c = jax.random.split(key, 3)
        return Waves(
            jax.random.normal(of_a, (d, d)),
            jax.random.normal(of_b, (d,)),
            jax.random.normal(of_c, (d,)),
        )

    def objective(x: jax.Array, problem: Waves) -> jax.Array:
        residual = problem.A @ x - problem.b
        waves = 10.0 * problem.c @ jnp.cos(2.0 * jnp.pi * x)
        return 0.5 * residual @ residual - waves + 10.0 * d

    rule = optax.adam(optax.cosine_decay_schedule(_RATE, _STEPS))

    def lowered(x: jax.Array, problem: Waves) -> tuple[jax.Array, jax.Array]:
        def step(
            _: int, state: tuple[jax.Array, optax.OptState]
        ) -> tuple[jax.Array, optax.OptState]:
            x, inner = state
            move, inner = rule.update(jax.grad(objective)(x, problem), inner)
            return x + jnp.asarray(move), inner

        x, _ = jax.lax.fori_loop(0, _STEPS, step, (x, rule.init(x)))
        return x, objective(x, problem)

    def one(problem: Waves) -> Labels:
        # the quadratic alone; a little ridge where A is nearly singular
        gram = problem.A.T @ problem.A + 1e-2 * jnp.eye(d)
        middle = jnp.linalg.solve(gram, problem.A.T @ problem.b)
        apart = jax.random.normal(jax.random.key(0), (starts, d))
        from_middle = (jnp.arange(starts) % 2 == 1)[:, None]
        xs, values = jax.vmap(lowered, (0, None))(apart + from_middle * middle, problem)
        at = values.argmin()
        return Labels(xs[at], values[at])

    return Family(
        f"open_rastrigin_{d}",
        d,
        sample,
        objective,
        lambda key: jax.random.normal(key, (d,)),
        partial(in_batches, jax.jit(jax.vmap(one)), batch=256),
        lambda problem: jnp.concatenate([problem.A.ravel(), problem.b, problem.c]),
        least=Least.BEST_KNOWN,
    )
