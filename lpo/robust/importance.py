"""Estimator A: the clipped importance ratio of diffusion paths, in its Girsanov form."""

import jax
import jax.numpy as jnp
from jax import Array

from lpo.diffusion import Coefficients, EpsFn, mean_shift, trajectory_eps


def log_ratio(
    eps_fn: EpsFn, eps_old: Array, trajectory: Array, noise: Array, coefs: Coefficients
) -> tuple[Array, Array]:
    r"""log p_new(path) / p_old(path) and half its squared mean shift, both [B].

    `trajectory` [K + 1, B, d] and `noise` [K, B, d] as `sample_fine` leaves them; `eps_old` [K, B,
    d] what the model that drew them predicted along the way; `coefs` of the whole grid.

    With $\delta_k = (\mu_{new} - \mu_{old})/\sigma_k$ and $z_k$ the noise of step k,
    $\log r = \sum_k \langle\delta_k, z_k\rangle - |\delta_k|^2/2$: equal to the quadratic form of
    3D-Learning's algorithm 2, without the difference of two large squares. Under the old model
    E r = 1 and $E[-\log r] = \frac12\sum_k E|\delta_k|^2$ = KL(old path law || new path law).
    """
    eps = trajectory_eps(eps_fn, trajectory, coefs)
    steps = noise.shape[0]
    fine = Coefficients(*(jnp.asarray(c, eps.dtype)[:steps] for c in coefs))
    delta = mean_shift(eps, eps_old, fine)
    half_square = 0.5 * jnp.sum(delta**2, axis=(0, 2))
    return jnp.sum(delta * noise, axis=(0, 2)) - half_square, half_square


def advantage(loss: Array) -> Array:
    """Losses [B] centred and scaled: without a baseline, each path's probability would rise."""
    return jax.lax.stop_gradient((loss - jnp.mean(loss)) / (jnp.std(loss) + 1e-8))


def clipped_surrogate(log_r: Array, weight: Array, clip: float) -> Array:
    """mean min(r a, clip(r, 1 - clip, 1 + clip) a) for log r and weights a, both [B].

    PPO's surrogate (3D-Learning, arXiv 2602.02943, algorithm 2). log r is held in [-20, 20] before
    `exp`; `clip = inf` gives the plain importance-weighted mean.
    """
    ratio = jnp.exp(jnp.clip(log_r, -20.0, 20.0))
    return jnp.mean(jnp.minimum(ratio * weight, jnp.clip(ratio, 1 - clip, 1 + clip) * weight))
