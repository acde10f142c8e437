"""What a family of optimisation problems is to a learned optimiser. docs/l2o.md, "Families"."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Problem = Any
"""The parameters of one problem, a pytree of arrays."""


class Composite(NamedTuple):
    """A smooth part and one whose proximal step is known, objective = smooth + rest.

    smooth: (x [d], problem) -> []. prox: (x [d], step [], problem) -> [d], the minimiser over y of
    rest(y) + |y - x|^2 / (2 step). lipschitz: problem -> [], of the gradient of the smooth part.
    """

    smooth: Callable[[jax.Array, Problem], jax.Array]
    prox: Callable[[jax.Array, jax.Array, Problem], jax.Array]
    lipschitz: Callable[[Problem], jax.Array]


class Labels(NamedTuple):
    """Solutions of problems. x: [..., d]. value: objectives there, [...]."""

    x: jax.Array
    value: jax.Array


class Family(NamedTuple):
    """Problems of one kind in d variables, as pure functions of one problem.

    sample: key -> problem. objective: (x [d], problem) -> []. prior: key -> x [d], where every
    method that is not told otherwise starts. solve: problems with a leading axis B -> `Labels`.
    features: problem -> [f], what a network is told of it; f = 0 where that is nothing. composite:
    None where the objective is smooth, or is treated so. lipschitz of a smooth objective is not
    known.
    """

    name: str
    dimension: int
    sample: Callable[[jax.Array], Problem]
    objective: Callable[[jax.Array, Problem], jax.Array]
    prior: Callable[[jax.Array], jax.Array]
    solve: Callable[[Problem], Labels]
    features: Callable[[Problem], jax.Array]
    composite: Composite | None = None


def gradient(family: Family, x: jax.Array, problem: Problem) -> jax.Array:
    """Return a (sub)gradient of the objective at x [d]; one evaluation."""
    return jax.grad(family.objective)(x, problem)


def value_and_gradient(
    family: Family, x: jax.Array, problem: Problem
) -> tuple[jax.Array, jax.Array]:
    """Return objective [] and (sub)gradient [d] at x [d]; one evaluation."""
    return jax.value_and_grad(family.objective)(x, problem)


def sample_problems(family: Family, key: jax.Array, count: int) -> Problem:
    """Return `count` problems, leaves [count, ...]; the i-th does not depend on how many."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))
    return jax.vmap(family.sample)(keys)
