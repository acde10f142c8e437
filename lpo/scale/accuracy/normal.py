"""The standard normal numbers behind scores and answers: where to put nodes, and powers of Phi.

The score of a pass is a monotone function of a latent standard normal number y; passes of one query
have y_i = sqrt(correlation) z_0 + sqrt(1 - correlation) z_i with a common z_0.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr

FAR = 8.3
"""Latent numbers beyond it have a probability of 5e-17 on each side."""
SPLITS = np.array([-FAR, -5.5, -3.5, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.5, FAR])
"""Between them Phi^k is smooth enough for sixteen nodes, for every k (measured to 1e5)."""
STEPS = np.array([-FAR, -4.5, -2.5, -1.0, 0.0, 1.0, 2.5, 4.5, FAR])
"""About a step that a normal number smoothes, in standard deviations of it."""


def split_at(fixed: Any, *steps: Any) -> jax.Array:
    """Return ascending breaks in [-FAR, FAR] from arrays [..., n] of points, [..., sum of n]."""
    shape = jnp.broadcast_shapes(*(np.shape(each)[:-1] for each in (fixed, *steps)))
    parts = [jnp.broadcast_to(each, (*shape, np.shape(each)[-1])) for each in (fixed, *steps)]
    return jnp.sort(jnp.clip(jnp.concatenate(parts, -1), -FAR, FAR), -1)


def of_best(log_cdf: jax.Array, values: jax.Array, k: jax.Array) -> jax.Array:
    """Return k sum F^(k-1) values, [m, K, ...], for log F [m, U] and values [m, U, ...].

    With weights of quadrature times the density in `values` that is the mean over the largest of k
    independent numbers with distribution function F; k may be real, at least 1.
    """
    power = jnp.exp((k - 1.0)[:, None] * log_cdf[:, None, :])
    return k[:, None] * jnp.einsum("mku,mup->mkp", power, values)


def log_phi(z: Any) -> jax.Array:
    """Return log Phi(z) for z over -37, to 1e-16 of Phi.

    Not `log_ndtr`, which keeps digits of 1 - Phi that nothing here needs: XLA fuses what that ends
    with into the loop over k of `of_best`, at fifty times its time.
    """
    return jnp.log(ndtr(z))
