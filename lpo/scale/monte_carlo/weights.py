"""Weights of votes: Gamma distributed, and in logarithms, so that the smallest are no zeros."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtr


def log_weights(key: Array, shape: Array, normal: Array) -> Array:
    """Return logarithms of Gamma distributed numbers of shapes `shape`, as `normal` [...].

    By rejection (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000) for
    the shape plus 1, until the last one is accepted, and with U^(1 / shape), U = Phi(normal), for
    the shape itself. Float32.
    """
    d = shape + 2.0 / 3.0
    c = jnp.sqrt(1.0 / (9.0 * d))

    def another(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        accepted, logs, turn = state
        # the key itself has made other numbers: turns count from 1
        x, u = jax.random.normal(jax.random.fold_in(key, turn), (2, *normal.shape), jnp.float32)
        root = 1.0 + c * x
        cube = root**3
        log_cube = 3.0 * jnp.log(jnp.maximum(root, 1e-30))
        good = (root > 0.0) & (jnp.log(ndtr(u)) < 0.5 * x * x + d * (1.0 - cube + log_cube))
        logs = jnp.where(accepted, logs, jnp.log(d) + log_cube)
        return accepted | good, logs, turn + 1

    begin = jnp.zeros(normal.shape, bool), jnp.zeros_like(normal), jnp.int32(1)
    _, logs, _ = jax.lax.while_loop(lambda state: ~state[0].all(), another, begin)
    return logs + jnp.log(ndtr(normal)) / shape
