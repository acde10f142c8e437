"""Exact log-likelihood of the probability-flow ODE (docs/diffusion.md, section 5)."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from lpo.diffusion.network import EpsFn
from lpo.diffusion.samplers import probability_flow
from lpo.diffusion.sde import VPSDE
from lpo.errors import InputError


def log_likelihood(
    eps_fn: EpsFn, x0: Array | np.ndarray, sde: VPSDE, *, rtol: float = 1e-5, atol: float = 1e-5
) -> Array:
    """log p(x0) in nats, for windows x0 [B, d] in the units of the model -> [B].

    log p(x0) = log N(x(1); 0, I) + int_{t0}^1 div f(x(t), t) dt along dx/dt = f, x(t0) = x0, with f
    the probability-flow field. The divergence is exact: d forward-mode products that share one
    primal evaluation. It is the density of the ODE's model; the reverse SDE has the same one only
    if eps_fn is the exact score of its own marginals.

    Raises InputError where x0 is not [B, d] or not finite (skipped under a trace, where values are
    unknown), and a diffrax error where the solve fails.
    Reference: Song et al., Score-based generative modeling through SDEs, 2021, section 4.3.
    """
    if x0.ndim != 2:
        raise InputError(f"`x0` must be windows of shape [B, d], got shape {x0.shape}")
    if not isinstance(x0, Tracer) and not np.all(np.isfinite(x0)):
        row = int(np.argmin(np.isfinite(np.asarray(x0)).all(axis=1)))
        raise InputError(f"`x0` must be finite, row {row} is not")

    def field(t, state: tuple[Array, Array], _):
        x, _log_density = state

        def flow(position: Array) -> Array:
            return probability_flow(eps_fn, sde, jnp.asarray(t, position.dtype), position)

        def along(direction: Array) -> tuple[Array, Array]:
            velocity, change = jax.jvp(flow, (x,), (direction,))
            return velocity, jnp.vdot(direction, change)

        basis = jnp.eye(x.shape[0], dtype=x.dtype)
        velocity, diagonal = jax.vmap(along, out_axes=(None, 0))(basis)
        return velocity, jnp.sum(diagonal)

    def solve(x: Array) -> Array:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Tsit5(),
            sde.t0,
            1.0,
            dt0=None,
            y0=(x, jnp.zeros((), x.dtype)),
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
        )
        assert solution.ys is not None
        end, divergence = solution.ys[0][0], solution.ys[1][0]
        return divergence - 0.5 * jnp.sum(end**2 + jnp.log(2.0 * jnp.pi))

    return jax.vmap(solve)(jnp.asarray(x0))
