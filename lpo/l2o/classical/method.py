"""What an iterative method is: a state with the iterate and the gradients it has taken."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lpo.l2o.family import Family, Problem


class Method(NamedTuple):
    """init: (problem, x [d]) -> state. step: (problem, state) -> state. States have `x` [d], the
    iterate that counts, and `calls`, the gradients taken so far, int32 []."""

    name: str
    init: Callable[[Problem, jax.Array], Any]
    step: Callable[[Problem, Any], Any]


class Path(NamedTuple):
    """Of one problem. value: objective at the start and after each step, [steps + 1]. calls:
    gradients taken by then, int32 [steps + 1]. x: the best iterate, [d]. last: the last, [d]."""

    value: jax.Array
    calls: jax.Array
    x: jax.Array
    last: jax.Array


def path(family: Family, method: Method, problem: Problem, x: jax.Array, steps: int) -> Path:
    """Return what a method does from x [d]; objectives on record are not counted."""
    first = family.objective(x, problem)

    def step(carry: tuple[Any, jax.Array, jax.Array], _: None) -> tuple[Any, Any]:
        state, best, least = carry
        state = method.step(problem, state)
        value = family.objective(state.x, problem)
        better = value < least
        carry = state, jnp.where(better, state.x, best), jnp.where(better, value, least)
        return carry, (value, state.calls)

    state = method.init(problem, x)
    (state, best, _), (values, calls) = jax.lax.scan(step, (state, x, first), None, length=steps)
    begun = jnp.zeros((1,), jnp.int32)
    return Path(
        jnp.concatenate([first[None], values]), jnp.concatenate([begun, calls]), best, state.x
    )
