"""Noise levels of a diffusion over solutions, and the scaling of its denoiser.

Solutions are in normalised coordinates z = (x - mean) / std, and z_sigma = z + sigma eps (variance
exploding). Karras et al., Elucidating the design space of diffusion-based generative models, 2022,
equations 5 and 7; docs/l2o.md, "Diffusion".
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError


class Noise(NamedTuple):
    """least, most: noise levels of training, in standard deviations of solutions. rho: how much
    denser a sampler's levels lie at the lower end."""

    least: float = 0.02
    most: float = 2.0
    rho: float = 5.0


class Normaliser(NamedTuple):
    """mean, std: of training solutions by coordinate, [d]."""

    mean: jax.Array
    std: jax.Array


def normaliser_of(solutions: jax.Array, least: float = 1e-3) -> Normaliser:
    """Return the statistics of solutions [B, d]; no standard deviation is below `least` of the
    greatest, so that coordinates that never move stay finite."""
    std = solutions.std(0)
    return Normaliser(solutions.mean(0), jnp.maximum(std, least * jnp.maximum(std.max(), 1e-12)))


def to_normal(normaliser: Normaliser, x: jax.Array) -> jax.Array:
    """x [..., d] -> z [..., d]."""
    return (x - normaliser.mean) / normaliser.std


def from_normal(normaliser: Normaliser, z: jax.Array) -> jax.Array:
    """z [..., d] -> x [..., d]."""
    return normaliser.mean + normaliser.std * z


def check_noise(noise: Noise) -> None:
    """Raise InputError unless 0 < least < most, and rho is at least 1."""
    if not 0.0 < noise.least < noise.most < np.inf:
        raise InputError(
            f"`noise` must have 0 < least < most, got least {noise.least}, most {noise.most}."
        )
    if not 1.0 <= noise.rho < np.inf:
        raise InputError(f"`rho` must be at least 1 and finite, got {noise.rho}.")


def levels(noise: Noise, steps: int) -> np.ndarray:
    """Return the noise levels of a sampler, falling, and 0 at last: [steps + 1] float32.

    The first is `most`; one step has that alone, more end at `least` before 0.
    """
    if steps < 1 or steps != int(steps):
        raise InputError(f"`steps` must be a whole number of at least 1, got {steps}.")
    share = np.linspace(0.0, 1.0, steps)
    high, low = noise.most ** (1.0 / noise.rho), noise.least ** (1.0 / noise.rho)
    return np.append((high + share * (low - high)) ** noise.rho, 0.0).astype(np.float32)


def drawn_level(noise: Noise, key: jax.Array) -> jax.Array:
    """Return a noise level of training, [], log-uniform."""
    low, high = np.log(noise.least), np.log(noise.most)
    return jnp.exp(jax.random.uniform(key, minval=low, maxval=high))


def skip(sigma: jax.Array) -> jax.Array:
    """c_s = 1 / (sigma^2 + 1): the best linear guess of z from z_sigma, solutions having unit
    variance."""
    return 1.0 / (sigma**2 + 1.0)


def out(sigma: jax.Array) -> jax.Array:
    """c_o = sigma / sqrt(sigma^2 + 1): the standard deviation that the guess leaves."""
    return sigma / jnp.sqrt(sigma**2 + 1.0)


def embedding(sigma: jax.Array) -> jax.Array:
    """Return log sigma and its sines and cosines at four octaves, [..., 9]."""
    log = jnp.log(sigma)[..., None]
    angle = log * jnp.asarray([0.5, 1.0, 2.0, 4.0], log.dtype)
    return jnp.concatenate([log, jnp.sin(angle), jnp.cos(angle)], -1)
