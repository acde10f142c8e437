"""Methods that follow the gradient of the whole objective: descent, momentum, Adam."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lpo.l2o.classical.method import Method
from lpo.l2o.family import Family, Problem, gradient


class Descent(NamedTuple):
    """x: [d]. inner: state of the rule. calls: int32 []."""

    x: jax.Array
    inner: Any
    calls: jax.Array


def by_rule(family: Family, name: str, rule: optax.GradientTransformation) -> Method:
    """Return the method that takes the steps of an Optax rule; a gradient a step."""

    def init(problem: Problem, x: jax.Array) -> Descent:
        del problem
        return Descent(x, rule.init(x), jnp.int32(0))

    def step(problem: Problem, state: Descent) -> Descent:
        slope = gradient(family, state.x, problem)
        move, inner = rule.update(slope, state.inner, state.x)
        return Descent(state.x + jnp.asarray(move), inner, state.calls + 1)

    return Method(name, init, step)


def gradient_descent(family: Family, rate: float) -> Method:
    """x <- x - rate grad f(x)."""
    return by_rule(family, "gd", optax.sgd(rate))


def momentum(family: Family, rate: float, decay: float = 0.9) -> Method:
    """Polyak's heavy ball: v <- decay v + grad f(x), x <- x - rate v."""
    return by_rule(family, "momentum", optax.sgd(rate, momentum=decay))


def adam(family: Family, rate: float) -> Method:
    """Adam (Kingma and Ba, 2015) with its usual decays."""
    return by_rule(family, "adam", optax.adam(rate))
