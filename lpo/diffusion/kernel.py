"""The closed reverse kernel on a time grid: DDPM ancestral sampling written for the VP-SDE.

Index k is the step from times[k + 1] down to times[k]: it uses coefficients k and noise k, reads
trajectory[k + 1] and writes trajectory[k]. Formulas: docs/diffusion.md, section 3.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import Array

from lpo.diffusion.matching import matching_loss
from lpo.diffusion.network import EpsFn
from lpo.diffusion.sde import VPSDE, root_spaced_times
from lpo.errors import InputError
from lpo.optim import Shard, unsharded


class Grid(NamedTuple):
    """times: float64 [M + 1], ascending from t0 to 1. fine: K, the number of last steps: the part
    of the chain below times[K] that is kept, differentiated, fine-tuned. Static under `jit`."""

    times: np.ndarray
    fine: int


class Coefficients(NamedTuple):
    """The reverse kernel N(mean, sigma^2 I), one entry a step; [M] each, or [] inside a scan.

    t: time at which eps is evaluated, times[k + 1]. mean_ratio: m_ts = m(t) / m(s).
    eps_coef: v_ts / (m_ts sqrt(s2_t)), weight of eps in the mean. sigma: standard deviation.
    """

    t: np.ndarray | Array
    mean_ratio: np.ndarray | Array
    eps_coef: np.ndarray | Array
    sigma: np.ndarray | Array


def make_grid(sde: VPSDE, steps: int = 60, fine: int = 10, t_fine: float = 0.2232) -> Grid:
    """`fine` steps on [t0, t_fine] and `steps` - `fine` on [t_fine, 1], equally spaced in sqrt(B).

    t_fine = 0.2232 under the default SDE is where B = 0.518, the noise of the last ten steps of a
    500-step DDPM with betas from 0.05 to 0.1. Raises InputError unless 1 <= fine < steps and
    t0 < t_fine < 1.
    """
    if not 1 <= fine < steps:
        raise InputError(f"`fine` must be in [1, steps - 1] = [1, {steps - 1}], got {fine}")
    if not sde.t0 < t_fine < 1.0:
        raise InputError(f"`t_fine` must be in (t0, 1) = ({sde.t0}, 1), got {t_fine}")
    low = root_spaced_times(sde, sde.t0, t_fine, fine)
    high = root_spaced_times(sde, t_fine, 1.0, steps - fine)
    return Grid(np.concatenate([low, high[1:]]), fine)


def make_coefficients(sde: VPSDE, times: np.ndarray) -> Coefficients:
    """Coefficients of the steps between ascending `times` [M + 1]; float64 numpy arrays [M].

    On the host in float64, since a float32 B would lose digits in B(t) - B(s); they take the dtype
    of the computation when they enter it. v_ts = s2_t - m_ts^2 s2_s is 1 - m_ts^2 for this SDE.
    """
    b = sde.integral_beta(np.asarray(times, dtype=np.float64))
    step = np.diff(b)
    mean_ratio, step_variance = np.exp(-0.5 * step), -np.expm1(-step)
    lower, upper = -np.expm1(-b[:-1]), -np.expm1(-b[1:])
    return Coefficients(
        t=np.asarray(times[1:], dtype=np.float64),
        mean_ratio=mean_ratio,
        eps_coef=step_variance / (mean_ratio * np.sqrt(upper)),
        sigma=np.sqrt(step_variance * lower / upper),
    )


def calibrate(
    key: Array, eps_fn: EpsFn, data: Array, coefs: Coefficients, sde: VPSDE, n: int = 1024
) -> Coefficients:
    """Coefficients with the variance that is best for the mean of `eps_fn`; same means.

    sigma^2 + eps_coef^2 E |e - eps_fn|^2 / d is the mean square of x_s - mu(x_t) per dimension, so
    it minimises KL(x_s | x_t || kernel) over isotropic variances, and removes the leading bias of
    `make_coefficients` (docs/diffusion.md, section 3). Estimated on `n` draws from data [rows, d];
    keep the result fixed when several models are compared on one path.
    Reference: Bao et al., Estimating the optimal covariance with imperfect mean in diffusion
    probabilistic models, 2022.
    """
    row_key, noise_key = jr.split(key)
    x0 = data[jr.randint(row_key, (n,), 0, data.shape[0])]
    noise = jr.normal(noise_key, x0.shape)

    def error(t: Array) -> Array:
        return jnp.mean(matching_loss(eps_fn, x0, jnp.full((n,), t), noise, sde))

    errors = jax.lax.map(error, jnp.asarray(coefs.t, x0.dtype))
    return coefs._replace(sigma=jnp.sqrt(coefs.sigma**2 + coefs.eps_coef**2 * errors))


def reverse_mean(eps: Array, x: Array, coef: Coefficients) -> Array:
    """mu(x_t) = x_t / m_ts - v_ts / (m_ts sqrt(s2_t)) eps, for eps and x of one shape."""
    return x / coef.mean_ratio - coef.eps_coef * eps


def mean_shift(eps: Array, eps_old: Array, coef: Coefficients) -> Array:
    """(mu - mu_old) / sigma for two noise predictions at the same x_t, without subtracting means.

    eps, eps_old: [n, d] with one step's coefficients or [K, n, d] with K of them (leading axis).
    """
    weight = jnp.asarray(coef.eps_coef) / jnp.asarray(coef.sigma)
    return -weight.reshape(weight.shape + (1,) * (eps.ndim - weight.ndim)) * (eps - eps_old)


def reverse_step(eps_fn: EpsFn, x: Array, z: Array, coef: Coefficients) -> Array:
    """x_s = mu(x_t) + sigma z, for x, z [n, d] and one step's coefficients."""
    eps = eps_fn(x, jnp.full(x.shape[:1], coef.t, x.dtype))
    return reverse_mean(eps, x, coef) + coef.sigma * z


def first_steps(coefs: Coefficients, count: int) -> Coefficients:
    """Coefficients of the `count` steps nearest to the data: [M] -> [count]."""
    return Coefficients(*(c[:count] for c in coefs))


def _scanned(coefs: Coefficients, dtype: jnp.dtype) -> Coefficients:
    return Coefficients(*(jnp.asarray(c, dtype) for c in coefs))


def sample_coarse(
    key: Array,
    eps_fn: EpsFn,
    n: int,
    dim: int,
    grid: Grid,
    coefs: Coefficients,
    *,
    shard: Shard = unsharded,
) -> Array:
    """From x at t = 1 ~ N(0, I) down to times[K] -> x_K [n, dim], split over devices by `shard`."""
    start_key, noise_key = jr.split(key)
    start = shard(jr.normal(start_key, (n, dim)))
    coarse = Coefficients(*(c[grid.fine :] for c in coefs))
    keys = jr.split(noise_key, len(grid.times) - 1 - grid.fine)

    def step(x: Array, inputs: tuple[Array, Coefficients]) -> tuple[Array, None]:
        step_key, coef = inputs
        return reverse_step(eps_fn, x, shard(jr.normal(step_key, x.shape)), coef), None

    return jax.lax.scan(step, start, (keys, _scanned(coarse, start.dtype)), reverse=True)[0]


def sample_fine(eps_fn: EpsFn, x_k: Array, z: Array, coefs: Coefficients) -> tuple[Array, Array]:
    """The last K steps as a deterministic map of start and noise.

    x_k [n, d] at times[K]; z [K, n, d], z[k] the noise of step k; coefs of the whole grid or of its
    first K steps. Returns x_0 [n, d] (the state at t0: no further map, so that nothing outside the
    K kernels depends on the model) and the trajectory [K + 1, n, d], trajectory[k] at times[k].
    Reverse-mode differentiation recomputes each step (`jax.checkpoint`), so its memory is K states,
    not K sets of activations.
    """
    fine = _scanned(first_steps(coefs, z.shape[0]), x_k.dtype)

    @partial(jax.checkpoint, prevent_cse=False)  # a scan body needs no barrier against CSE
    def step(x: Array, inputs: tuple[Array, Coefficients]) -> tuple[Array, Array]:
        noise, coef = inputs
        below = reverse_step(eps_fn, x, noise, coef)
        return below, below

    x0, path = jax.lax.scan(step, x_k, (z, fine), reverse=True)
    return x0, jnp.concatenate([path, x_k[None]])


def trajectory_eps(eps_fn: EpsFn, trajectory: Array, coefs: Coefficients) -> Array:
    """eps_fn at the starts of the steps of a trajectory [K + 1, n, d] -> [K, n, d], one call."""
    count, n, dim = trajectory.shape[0] - 1, *trajectory.shape[1:]
    times = jnp.tile(jnp.asarray(first_steps(coefs, count).t, trajectory.dtype), n)
    # rows of one sample stay together, so that samples split over devices stay where they are
    states = trajectory[1:].swapaxes(0, 1).reshape(n * count, dim)
    return eps_fn(states, times).reshape(n, count, dim).swapaxes(0, 1)


def sample(
    key: Array,
    eps_fn: EpsFn,
    n: int,
    dim: int,
    grid: Grid,
    coefs: Coefficients,
    *,
    shard: Shard = unsharded,
) -> Array:
    """Draw x_0 [n, dim]: `sample_coarse`, then `sample_fine` with fresh noise.

    `shard` splits the samples over devices.
    """
    coarse_key, fine_key = jr.split(key)
    x_k = sample_coarse(coarse_key, eps_fn, n, dim, grid, coefs, shard=shard)
    z = shard(jr.normal(fine_key, (grid.fine, n, dim)), axis=1)
    return sample_fine(eps_fn, x_k, z, coefs)[0]
