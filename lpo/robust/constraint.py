"""The adversary's budget: how much worse than the nominal model it may explain real windows."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from lpo.diffusion import Draws, Objective, ScoreModel


def growth_of(
    model: ScoreModel, objective: Objective, nominal: Any, draws: Draws
) -> Callable[[Any], Array]:
    """theta -> terms [n] whose mean is G(theta) = J(theta) - J(theta0), one a draw.

    Only the growth depends on theta, and on common random numbers most of the noise of the two
    terms cancels; G(theta0) = 0 exactly. With `objective` = `eps_mse` it is per dimension, as the
    budget .03 of 3D-Learning; with `likelihood` it bounds, in nats per window, the growth of the
    right-hand side of KL(P0 || P_theta) <= J + const (Song et al. 2021, Theorem 1; docs/robust.md).
    """

    def errors(theta: Any) -> Array:
        return objective.loss(lambda x, t: model.apply(theta, x, t), draws)

    base = errors(nominal)
    return lambda theta: errors(theta) - base


def dual_step(alpha: Array, growth: Array, epsilon: float, rate: float, ceiling: float) -> Array:
    """Projected dual ascent on the multiplier, with the violation in units of the budget.

    `alpha <- clip(alpha + rate (growth / epsilon - 1), 0, ceiling)`.
    """
    return jnp.clip(alpha + rate * (growth / epsilon - 1.0), 0.0, ceiling)


def step_back(
    nominal: Any, theta: Any, growth: Callable[[Any], Array], limit: float, halvings: int = 7
) -> tuple[Any, Array]:
    """Return `theta` where its growth is at most `limit`, else a feasible point towards `nominal`.

    Bisection for c in [0, 1] with `growth(nominal + c (theta - nominal)) <= limit`; c = 0 is always
    feasible, because the growth of the nominal model is zero. Returns the parameters and c.
    """

    def towards(c: Array) -> Any:
        return jax.tree.map(lambda old, new: old + c * (new - old), nominal, theta)

    def halve(_: int, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = 0.5 * (low + high)
        feasible = growth(towards(middle)) <= limit
        return jnp.where(feasible, middle, low), jnp.where(feasible, high, middle)

    low, _ = jax.lax.fori_loop(0, halvings, halve, (jnp.zeros(()), jnp.ones(())))
    c = jnp.where(growth(theta) <= limit, 1.0, low)
    return towards(c), c
