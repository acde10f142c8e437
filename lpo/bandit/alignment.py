"""What a log is worth under its certificate. docs/bandit.md, "Alignment"."""

from typing import Any

import jax
import jax.numpy as jnp

from lpo.bandit.blocks import inverse_and_growth
from lpo.bandit.certificate import Certificate
from lpo.bandit.offline import Offline


def alignment(certificate: Certificate, offline: Offline, regularisation: float) -> jax.Array:
    """kappa, []: the greatest of |Q^(1/2) G (lambda I + G)^(-1/2)| over blocks, in operator norm;
    norms of a block's parts add up.

    The penalty of bias is at most kappa |x|_(W_t^-1) (docs/bandit.md): small where the log covers
    only directions in which it may not be wrong.
    """
    inverse, _ = inverse_and_growth(offline.gram, jnp.asarray(regularisation))
    half = jnp.linalg.cholesky(inverse)
    inside = offline.gram @ half  # G (lambda I + G)^(-1/2), up to a rotation
    squared = inside.mT @ certificate.budgets @ inside
    norms = jnp.sqrt(jnp.clip(jnp.linalg.eigvalsh(squared)[..., -1], 0.0))
    return norms.sum(0).max()


def effective_dimension(
    growth: Any, rounds: Any, dimension: int, regularisation: float, length: float = 1.0
) -> jax.Array:
    """d_eff, at most d: log det W_T / det W_0 (`growth`, [...]) in units of what one dimension of T
    `rounds` of features of norm up to `length` would bring, log(1 + T L^2 / (d lambda)).

    `dimension`: d, of all blocks together.
    """
    unit = jnp.log1p(jnp.asarray(rounds) * length**2 / (dimension * regularisation))
    return jnp.asarray(growth) / unit


def remaining_dimension(gram: jax.Array, offline: Offline, regularisation: float) -> jax.Array:
    """tr Sigma_T (Sigma_T + W_0)^-1, []: directions that the rounds taught more than log and prior
    knew, for online sums Sigma_T = `gram` [g, c, c]."""
    eye = jnp.eye(gram.shape[-1], dtype=gram.dtype)
    before = offline.gram + regularisation * eye
    return jnp.trace(jnp.linalg.solve(gram + before, gram), axis1=-2, axis2=-1).sum()
