"""Arithmetic of the blocks in which features lie: one for all arms, or one an arm."""

from typing import Any

import jax
import jax.numpy as jnp


def times(matrices: jax.Array, features: jax.Array) -> jax.Array:
    """[K, c]: each arm's features [K, c] times the matrix of its block, `matrices` [g, c, c]."""
    if len(matrices) == 1:
        return features @ matrices[0]
    return jnp.einsum("kc,kcd->kd", features, matrices)


def inner(vectors: jax.Array, features: jax.Array) -> jax.Array:
    """[K]: inner products of each arm's features [K, c] with the vector of its block, [g, c]."""
    if len(vectors) == 1:
        return features @ vectors[0]
    return (vectors * features).sum(-1)


def of_arm(values: jax.Array, arms: int) -> jax.Array:
    """[K]: for each arm the value [g] of its block."""
    return jnp.broadcast_to(values, (arms,)) if len(values) == 1 else values


def active(blocks: int, arm: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """[g]: one at the block of `arm`, zero elsewhere."""
    return jax.nn.one_hot(arm if blocks > 1 else 0, blocks, dtype=dtype)


def inverse_and_growth(gram: jax.Array, regularisation: Any) -> tuple[jax.Array, jax.Array]:
    """Inverses of lambda I + gram, [g, c, c], and log det (I + gram / lambda), [g].

    By Cholesky factors of I + gram / lambda; exact for a gram of zero.
    """
    eye = jnp.eye(gram.shape[-1], dtype=gram.dtype)
    factor = jnp.linalg.cholesky(eye + gram / regularisation)
    inverse = jax.scipy.linalg.cho_solve((factor, True), jnp.broadcast_to(eye, gram.shape))
    growth = 2.0 * jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    return inverse / regularisation, growth
