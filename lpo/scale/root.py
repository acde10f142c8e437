"""The square root of a variance that may be nothing."""

from typing import Any

import jax
import jax.numpy as jnp


def root(variance: Any) -> jax.Array:
    """Return the square root [...]; 0 with a derivative of 0 at 0, and below it, where rounding
    has left less than nothing."""
    some = variance > 0.0
    return jnp.where(some, jnp.sqrt(jnp.where(some, variance, 1.0)), 0.0)
