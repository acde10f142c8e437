"""The inertial system with Hessian-driven damping, x'' + alpha x' + beta H x' + gamma grad f = 0.

alpha, beta and gamma are functions of time, H is the Hessian of f at x. Attouch, Peypouquet and
Redont, Fast convex optimization via inertial dynamics with Hessian driven damping, 2016; Xie, Yin
and Wen, ODE-based learning to optimize, 2024. docs/l2o.md, "Baselines".
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.classical.method import Method
from lpo.l2o.family import Family, Problem, gradient

_START = 3.0
"""Steps of time at which a method starts, alpha = 3 / t having no value at 0: with steps h of Euler
the velocity of step k is then kept at k / (k + 3), as Nesterov's method does."""


class Coefficients(NamedTuple):
    """Functions of time [] -> []. alpha: of friction. beta: of damping by the Hessian; None is 0,
    and spares its evaluation. gamma: of the gradient."""

    alpha: Callable[[jax.Array], jax.Array]
    beta: Callable[[jax.Array], jax.Array] | None
    gamma: Callable[[jax.Array], jax.Array]


def vanishing(beta: float = 0.0, friction: float = 3.0, gamma: float = 1.0) -> Coefficients:
    """alpha = friction / t with constant beta and gamma; the defaults are Nesterov's equation (Su,
    Boyd and Candes, 2016, equation 3). Raises InputError on a negative number."""
    return _checked(lambda t: friction / t, beta, friction, gamma)


def constant(alpha: float, beta: float = 0.0, gamma: float = 1.0) -> Coefficients:
    """Coefficients that do not change; beta = 0 is Polyak's heavy ball. Raises InputError on a
    negative number."""
    return _checked(lambda t: jnp.full_like(t, alpha), beta, alpha, gamma)


def _checked(
    alpha: Callable[[jax.Array], jax.Array], beta: float, friction: float, gamma: float
) -> Coefficients:
    if not min(beta, friction, gamma) >= 0.0:
        raise InputError(
            f"`beta`, friction and `gamma` must not be negative, got {beta}, {friction}, {gamma}."
        )
    damping = None if beta == 0.0 else lambda t: jnp.full_like(t, beta)
    return Coefficients(alpha, damping, lambda t: jnp.full_like(t, gamma))


class Inertial(NamedTuple):
    """x: [d]. v: velocity, [d]. before: the gradient of the step before, [d]. t: time, []. calls:
    int32 []."""

    x: jax.Array
    v: jax.Array
    before: jax.Array
    t: jax.Array
    calls: jax.Array


def ishd_euler(
    family: Family, rate: jax.Array | float, coefficients: Coefficients | None = None
) -> Method:
    """The system by an explicit Euler step for the velocity, and one for x with the new velocity.

    v <- v - h alpha v - beta (g - g of the step before) - h gamma g, x <- x + h v, h being `rate`:
    the difference of gradients stands for h H x', so that a step takes one gradient. Without beta
    this is the heavy ball with rate h^2 gamma and decay 1 - h alpha.

    rate: in units of time; about 1 / sqrt(L) for gradients of Lipschitz constant L. coefficients:
    alpha = 3 / t, beta = h / 2 and gamma = 1 unless given: the beta at which steps of 1 / sqrt(L)
    are stable from the first on.
    """
    given = coefficients or Coefficients(
        lambda t: 3.0 / t, lambda t: jnp.full_like(t, 0.5 * rate), jnp.ones_like
    )

    def init(problem: Problem, x: jax.Array) -> Inertial:
        del problem
        zero = jnp.zeros_like(x)
        return Inertial(x, zero, zero, jnp.asarray(_START * rate, x.dtype), jnp.int32(0))

    def step(problem: Problem, state: Inertial) -> Inertial:
        x, v, before, t, calls = state
        slope = gradient(family, x, problem)
        force = rate * (given.alpha(t) * v + given.gamma(t) * slope)
        if given.beta is not None:
            # at rest, as at the start, the Hessian damps nothing
            force += given.beta(t) * jnp.where(calls > 0, slope - before, 0.0)
        v = v - force
        return Inertial(x + rate * v, v, slope, t + rate, calls + 1)

    return Method("ishd_euler", init, step)


class Flow(NamedTuple):
    """x: [d]. v: velocity, [d]. t: time, []. solver: what it keeps from step to step. calls:
    gradients and products with the Hessian together, int32 []. products: the latter, int32 []."""

    x: jax.Array
    v: jax.Array
    t: jax.Array
    solver: Any
    calls: jax.Array
    products: jax.Array


def ishd_diffrax(
    family: Family,
    rate: jax.Array | float,
    coefficients: Coefficients | None = None,
    *,
    solver: diffrax.AbstractERK | diffrax.Euler | None = None,
) -> Method:
    """The system in (x, v) by steps of an explicit solver of Diffrax, Dopri5 unless given.

    H v is the derivative of the gradient along v (`jax.jvp`), counted as one gradient more; without
    beta it is not taken. A step of Dopri5 takes six looks at the system. rate, coefficients: as of
    `ishd_euler`.
    """
    given = coefficients or Coefficients(
        lambda t: 3.0 / t, lambda t: jnp.full_like(t, 0.5 * rate), jnp.ones_like
    )
    solver = solver or diffrax.Dopri5()
    first, later = _looks(solver)

    def field(t: Any, state: tuple[jax.Array, jax.Array], problem: Problem) -> Any:
        x, v = state
        if given.beta is None:
            return v, -given.alpha(t) * v - given.gamma(t) * gradient(family, x, problem)
        slope, along = jax.jvp(lambda at: gradient(family, at, problem), (x,), (v,))
        return v, -given.alpha(t) * v - given.beta(t) * along - given.gamma(t) * slope

    system = diffrax.ODETerm(field)
    cost = 1 if given.beta is None else 2

    def init(problem: Problem, x: jax.Array) -> Flow:
        t, zero = jnp.asarray(_START * rate, x.dtype), jnp.zeros_like(x)
        kept = solver.init(system, t, t + rate, (x, zero), problem)
        return Flow(x, zero, t, kept, jnp.int32(0), jnp.int32(0))

    def step(problem: Problem, state: Flow) -> Flow:
        end = state.t + rate
        (x, v), _, _, kept, _ = solver.step(
            system, state.t, end, (state.x, state.v), problem, state.solver, made_jump=False
        )
        looks = jnp.where(state.calls > 0, later, first)
        calls, products = state.calls + looks * cost, state.products + looks * (cost - 1)
        return Flow(x, v, end, kept, calls, products)

    return Method("ishd_diffrax", init, step)


def _looks(solver: diffrax.AbstractERK | diffrax.Euler) -> tuple[int, int]:
    """How often a solver looks at the system in the first step, and in each later one."""
    if isinstance(solver, diffrax.Euler):
        return 1, 1
    # where the last look of a step is the first one of the next, it is kept
    assert isinstance(solver.tableau, diffrax.ButcherTableau)
    stages = solver.tableau.num_stages
    return stages, stages - 1 if solver.tableau.fsal else stages
