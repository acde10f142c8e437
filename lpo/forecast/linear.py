"""The linear map of the normalised window: the smallest forecaster blind to level and spread."""

from statistics import NormalDist

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from lpo.forecast.normalise import wrap
from lpo.forecast.types import Forecaster, Head
from lpo.workload.windows import Scaler


class Affine(nn.Module):
    """One affine map, zero at the start: the training problem is convex, any start would do."""

    outputs: int

    @nn.compact
    def __call__(self, x: jax.Array, *, deterministic: bool) -> jax.Array:
        """Map x [..., features] to [..., outputs]."""
        del deterministic  # no dropout in a linear map
        return nn.Dense(self.outputs, kernel_init=nn.initializers.zeros)(x)


def linear_normalised(scaler: Scaler, context: int, head: Head) -> Forecaster:
    """Return relu(mean + sd L((x - mean) / sd)), mean and sd of the window, L affine.

    Point: L is one number, 0 at the start. Quantiles: the lowest level is the first output of
    L and each other output adds its softplus, so that levels ascend; at the start they are the
    quantiles of a normal law. Scale- and shift-equivariant until the relu binds. A window without
    variation (sd = 0) forecasts its mean, with finite gradients.

    scaler: taken so that every builder is called alike; the window is its own scale here.
    """
    del scaler

    def scale(history: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        mean = history.mean(axis=-1, keepdims=True)
        variance = jnp.square(history - mean).mean(axis=-1, keepdims=True)
        # sqrt has no derivative at 0: take it of 1 there and discard the result.
        varies = variance > 0
        divisor = jnp.sqrt(jnp.where(varies, variance, 1.0))
        return (history - mean) / divisor, (mean, jnp.where(varies, divisor, 0.0))

    def tokens(raw: jax.Array, moments: tuple[jax.Array, jax.Array]) -> jax.Array:
        mean, sd = moments
        return jax.nn.relu(mean + sd * _ascending(head, raw))

    return wrap(Affine(head.size), context, head, scale, tokens)


def _ascending(head: Head, raw: jax.Array) -> jax.Array:
    """Return raw for a point head; for quantiles, the first output and positive increments."""
    if head.name == "point":
        return raw
    start = np.array([NormalDist().inv_cdf(level) for level in head.levels], np.float32)
    offsets = np.log(np.expm1(np.diff(start)))
    first = raw[..., :1] + start[0]
    return jnp.cumsum(
        jnp.concatenate([first, jax.nn.softplus(raw[..., 1:] + offsets)], axis=-1), axis=-1
    )
