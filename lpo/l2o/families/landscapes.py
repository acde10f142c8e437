"""Functions with many local minima whose minimum is hidden: Rastrigin, Ackley. docs/l2o.md."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.family import Family, Labels, Least


class Shifted(NamedTuple):
    """shift: where the minimum is, [d]; no method is told of it."""

    shift: jax.Array


@cache
def rastrigin(dimension: int = 2, reach: float = 2.0) -> Family:
    """sum u^2 - 10 cos(2 pi u) + 10, u = x - shift, each shift uniform on [-reach, reach].

    Methods start from where shifts are drawn. Raises InputError on a dimension below 1 and a reach
    that is not positive, as `ackley`.
    """

    def value(u: jax.Array) -> jax.Array:
        return (u**2 - 10.0 * jnp.cos(2.0 * jnp.pi * u) + 10.0).sum()

    return _hidden("rastrigin", value, dimension, reach)


@cache
def ackley(dimension: int = 2, reach: float = 2.0) -> Family:
    """20 + e - 20 exp(-.2 rms(u)) - exp(mean cos(2 pi u)), u = x - shift as of `rastrigin`."""

    def value(u: jax.Array) -> jax.Array:
        square = (u**2).mean()
        # the root has no derivative at the minimum: 0 is a subgradient there
        root = jnp.where(square > 0.0, jnp.sqrt(jnp.where(square > 0.0, square, 1.0)), 0.0)
        waves = jnp.exp(jnp.cos(2.0 * jnp.pi * u).mean())
        return 20.0 * (1.0 - jnp.exp(-0.2 * root)) + jnp.e - waves

    return _hidden("ackley", value, dimension, reach)


def _hidden(
    name: str, value: Callable[[jax.Array], jax.Array], dimension: int, reach: float
) -> Family:
    if dimension < 1:
        raise InputError(f"`dimension` must be at least 1, got {dimension}.")
    if not 0.0 < reach < jnp.inf:
        raise InputError(f"`reach` must be positive and finite, got {reach}.")

    def prior(key: jax.Array) -> jax.Array:
        return jax.random.uniform(key, (dimension,), minval=-reach, maxval=reach)

    def solve(problems: Shifted) -> Labels:
        return Labels(problems.shift, jnp.zeros(problems.shift.shape[:-1]))

    return Family(
        f"{name}_{dimension}",
        dimension,
        lambda key: Shifted(prior(key)),
        lambda x, problem: value(x - problem.shift),
        prior,
        solve,
        lambda problem: jnp.zeros(0),
        least=Least.ZERO,
    )
