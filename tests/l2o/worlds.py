"""A quadratic, families whose gradients are counted as they are taken, training in one program."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lpo.l2o.family import Composite, Family, Labels
from lpo.optim.training import Training
from tests.quick import jit


class Counted(NamedTuple):
    family: Family
    taken: list[int]


def quadratic(eigenvalues: tuple[float, ...] = (1.0, 4.0)) -> Family:
    """x^T diag(eigenvalues) x / 2 less p^T x, problems p; as a composite nothing is beside it."""
    H = jnp.asarray(eigenvalues)
    d = len(eigenvalues)

    def objective(x: jax.Array, p: jax.Array) -> jax.Array:
        return 0.5 * x @ (H * x) - p @ x

    def solve(p: jax.Array) -> Labels:
        return Labels(p / H, -0.5 * (p**2 / H).sum(-1))

    return Family(
        "quadratic",
        d,
        lambda key: jax.random.normal(key, (d,)),
        objective,
        lambda key: jax.random.normal(key, (d,)),
        solve,
        lambda p: p,
        Composite(objective, lambda x, step, p: x, lambda p: H.max()),
    )


def counted(family: Family) -> Counted:
    """The same family; each gradient of an objective adds one to `taken`, its value nothing."""
    taken = [0]

    def add(_: jax.Array) -> None:
        taken[0] += 1

    def counting(function: Callable[[jax.Array, Any], jax.Array]) -> Any:
        counted = jax.custom_jvp(function)

        @counted.defjvp
        def _(primals: Any, tangents: Any) -> Any:
            jax.debug.callback(add, primals[0][0])  # with x, so that each of a batch counts
            return jax.jvp(function, primals, tangents)

        return counted

    composite = family.composite
    if composite is not None:
        composite = composite._replace(smooth=counting(composite.smooth))
    return Counted(
        family._replace(objective=counting(family.objective), composite=composite), taken
    )


def gradients_taken(world: Counted, run: Callable[[], Any]) -> int:
    """How many gradients `run()` took."""
    world.taken[0] = 0
    jax.block_until_ready(run())
    jax.effects_barrier()
    return world.taken[0]


def program_of(training: Training) -> Callable[[jax.Array, Any, int], Any]:
    """Training from a key and data for so many steps, compiled quickly."""

    @jit
    def run(key: jax.Array, data: Any, steps: int) -> Any:
        def update(i: Any, state: Any) -> Any:
            return training.update(jax.random.fold_in(key, i), state, data)[0]

        return jax.lax.fori_loop(0, steps, update, training.init(key))

    return run
