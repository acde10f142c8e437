"""What a family of optimisation problems is to a learned optimiser. docs/l2o.md, "Families"."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Problem = Any
"""The parameters of one problem, a pytree of arrays."""


class Composite(NamedTuple):
    """A smooth part and one whose proximal step is known, objective = smooth + rest.

    smooth: (x [d], problem) -> []. prox: (x [d], step [], problem) -> [d], the minimiser over y of
    rest(y) + |y - x|^2 / (2 step). lipschitz: problem -> [], of the gradient of the smooth part.
    matrix: () -> A [m, d] where smooth is |A x - b|^2 / 2 with one A for all problems, b being
    `problem.b` [m]; None elsewhere.
    """

    smooth: Callable[[jax.Array, Problem], jax.Array]
    prox: Callable[[jax.Array, jax.Array, Problem], jax.Array]
    lipschitz: Callable[[Problem], jax.Array]
    matrix: Callable[[], jax.Array] | None = None


class Labels(NamedTuple):
    """Solutions of problems. x: [..., d]. value: objectives there, [...]."""

    x: jax.Array
    value: jax.Array


class Least(StrEnum):
    """What is known of least objectives. labels: they are those of labels. best_known: labels are
    near them, and a method may come below; the least that anything is known to reach stands for
    them. zero: they are 0, or come as near to it as one likes."""

    LABELS = "labels"
    BEST_KNOWN = "best_known"
    ZERO = "zero"


class Reported(NamedTuple):
    """What is said of a point in place of its objective. of: objectives [...] -> [...], increasing,
    0 at 0."""

    name: str
    of: Callable[[jax.Array], jax.Array]


class Score(NamedTuple):
    """What a point is worth beyond its problem, such as on held-out data. of: x [d] -> []."""

    name: str
    of: Callable[[jax.Array], jax.Array]


class Family(NamedTuple):
    """Problems of one kind in d variables, as pure functions of one problem.

    sample: key -> problem. objective: (x [d], problem) -> []. prior: key -> x [d], where every
    method that is not told otherwise starts. solve: problems with a leading axis B -> `Labels`.
    features: problem -> [f], what a network is told of it; f = 0 where that is nothing. composite:
    None where the objective is smooth, or is treated so. lipschitz of a smooth objective is not
    known. least: what gaps are measured from. reported: None, the objective itself. score: None
    where a point has no worth beyond its problem.
    """

    name: str
    dimension: int
    sample: Callable[[jax.Array], Problem]
    objective: Callable[[jax.Array, Problem], jax.Array]
    prior: Callable[[jax.Array], jax.Array]
    solve: Callable[[Problem], Labels]
    features: Callable[[Problem], jax.Array]
    composite: Composite | None = None
    least: Least = Least.LABELS
    reported: Reported | None = None
    score: Score | None = None


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
