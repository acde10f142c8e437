"""How good methods are at equal work."""

import jax
import jax.numpy as jnp


def or_worst(values: jax.Array) -> jax.Array:
    """Return values [...] with infinity for those that are no numbers."""
    return jnp.where(jnp.isnan(values), jnp.inf, values)


def gaps(values: jax.Array, least: jax.Array, scale: jax.Array | float) -> jax.Array:
    """Return (f - f*) / max(|f*|, scale), values [B, ...], least f* [B]."""
    below = least.reshape(-1, *(1,) * (values.ndim - 1))
    return (values - below) / jnp.maximum(jnp.abs(below), scale)


def evaluations_to(gap: jax.Array, calls: jax.Array, target: float = 1e-3) -> jax.Array:
    """Return how many gradients each problem took to a gap of at most `target`, [B] float.

    gap, calls: [B, steps + 1] after each step. Infinite where it was never reached.
    """
    there = gap <= target
    first = jnp.take_along_axis(calls, there.argmax(1)[:, None], axis=1)[:, 0]
    return jnp.where(there.any(1), first, jnp.inf)


def gap_at(gap: jax.Array, calls: jax.Array, work: int) -> jax.Array:
    """Return the gap of the last iterate after at most `work` gradients, [B]; NaN if the first one
    took more."""
    done = (calls <= work).sum(1)
    found = jnp.take_along_axis(gap, jnp.maximum(done - 1, 0)[:, None], axis=1)[:, 0]
    return jnp.where(done > 0, found, jnp.nan)
