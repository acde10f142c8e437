"""Sampling by differential-equation solvers: the reverse SDE and the probability-flow ODE.

Both run in tau = 1 - t, upwards from noise (tau = 0) to data (tau = 1 - t0), since diffrax wants a
positive time step for stochastic terms. Formulas: docs/diffusion.md, section 4.
"""

import diffrax
import jax
import jax.numpy as jnp
import jax.random as jr
import lineax
import numpy as np
from jax import Array

from lpo.diffusion.network import EpsFn
from lpo.diffusion.sde import VPSDE, root_spaced_times


def probability_flow(eps_fn: EpsFn, sde: VPSDE, t: Array, x: Array) -> Array:
    """dx/dt of one state x [d] at forward time t []: beta/2 (-x + eps / sqrt(s2))."""
    eps = eps_fn(x[None], t[None])[0]
    return 0.5 * sde.beta(t) * (eps / jnp.sqrt(sde.variance(t)) - x)


def reverse_sde_sample(
    key: Array,
    eps_fn: EpsFn,
    n: int,
    dim: int,
    sde: VPSDE,
    *,
    times: np.ndarray | None = None,
    solver: diffrax.AbstractSolver | None = None,
) -> Array:
    """Draw x_0 [n, dim] by the reverse-time SDE.

    times: ascending forward times from t0 to 1, the steps of the solver; None means 200 steps
    equally spaced in sqrt(B). solver: None means Euler-Maruyama; the noise is additive, so any
    diffrax SDE solver applies.
    Reference: Anderson, Reverse-time diffusion equation models, 1982.
    """
    times = root_spaced_times(sde, sde.t0, 1.0, 200) if times is None else times
    taus = (1.0 - times)[::-1]
    start_key, path_key = jr.split(key)
    start = jr.normal(start_key, (n, dim))

    def drift(tau, x: Array, _):
        t = 1.0 - tau
        eps = eps_fn(x, jnp.full(x.shape[:1], t, x.dtype))
        return sde.beta(t) * (0.5 * x - eps / jnp.sqrt(sde.variance(t)))

    def diffusion(tau, x: Array, _):
        return lineax.DiagonalLinearOperator(jnp.full_like(x, jnp.sqrt(sde.beta(1.0 - tau))))

    path = diffrax.VirtualBrownianTree(
        taus[0],
        taus[-1],
        tol=0.5 * float(np.min(np.diff(taus))),  # finer than the finest step, as it must be
        shape=jax.ShapeDtypeStruct(start.shape, start.dtype),
        key=path_key,
    )
    solution = diffrax.diffeqsolve(
        diffrax.MultiTerm(diffrax.ODETerm(drift), diffrax.ControlTerm(diffusion, path)),
        diffrax.Euler() if solver is None else solver,
        taus[0],
        taus[-1],
        dt0=None,
        y0=start,
        stepsize_controller=diffrax.StepTo(jnp.asarray(taus, start.dtype)),
        max_steps=len(taus),
    )
    assert solution.ys is not None  # diffrax returns None only when asked to save nothing
    return solution.ys[0]


def flow_sample(
    key: Array,
    eps_fn: EpsFn,
    n: int,
    dim: int,
    sde: VPSDE,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-5,
) -> Array:
    """Draw x_0 [n, dim] by the probability-flow ODE from x at t = 1 ~ N(0, I), Tsit5, adaptive.

    Each sample has its own step sizes, so it does not depend on how many are drawn with it.
    """
    start = jr.normal(key, (n, dim))

    def field(tau, x: Array, _):
        return -probability_flow(eps_fn, sde, jnp.asarray(1.0 - tau, x.dtype), x)

    def solve(x: Array) -> Array:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Tsit5(),
            0.0,
            1.0 - sde.t0,
            dt0=None,
            y0=x,
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
        )
        assert solution.ys is not None
        return solution.ys[0]

    return jax.vmap(solve)(start)
