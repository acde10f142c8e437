"""Derivatives of the mean best score in closed form."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from lpo.scale.accuracy.normal import SPLITS, log_phi
from lpo.scale.accuracy.score import scores_of
from lpo.scale.laws import AccuracyLaw
from lpo.scale.models import Models
from lpo.scale.passes.standard import density
from lpo.scale.quadrature import over_pieces

_NODES = 16


class Slopes(NamedTuple):
    """Of E[A(k)], [m, K]. k, k_twice: first and second derivative with respect to the number of
    passes, per pass (and pass). mean, sd: with respect to the mean and the standard deviation of a
    score."""

    k: Any
    k_twice: Any
    mean: Any
    sd: Any


def best_of_k_slopes(models: Models, k: Any) -> Slopes:
    r"""Return derivatives of the mean best score of k independent passes, clipped normal scores.

    k [K]: real, at least 1. By differentiating E[A] = \int_0^1 1 - F^k (arXiv 2510.18905's rule):
    dE/dk = - \int F^k ln F, d2E/dk2 = - \int F^k (ln F)^2 < 0, dE/dmean = F(1)^k - F(0)^k, which is
    the probability that the best is not clipped, and dE/dsd = \int k F^(k-1) phi(z) z dz. NumPy
    float64 unless it is being traced.
    """
    given = (models.accuracy, models.accuracy_sd, k)
    if any(isinstance(leaf, Tracer) for leaf in given):
        return _slopes(*given)
    with jax.enable_x64(True):
        slopes = _slopes(*(jnp.asarray(leaf, jnp.float64) for leaf in given))
        return Slopes(*(np.asarray(leaf) for leaf in slopes))


@jax.jit
def _slopes(mean: jax.Array, sd: jax.Array, k: jax.Array) -> Slopes:
    scores = scores_of(AccuracyLaw.CLIPPED_NORMAL, mean, sd)
    z, weight = over_pieces(jnp.clip(SPLITS, scores.low[:, None], scores.high[:, None]), _NODES)
    log_cdf = log_phi(z)
    power = jnp.exp(k[:, None] * log_cdf[:, None, :])
    values = jnp.stack([log_cdf, log_cdf**2, density(z) * z * jnp.exp(-log_cdf)], -1)
    once, twice, spread = jnp.moveaxis(
        jnp.einsum("mku,mup->mkp", power, weight[..., None] * values), -1, 0
    )
    low, high = (jnp.exp(k * log_phi(end)[:, None]) for end in (scores.low, scores.high))
    return Slopes(-sd[:, None] * once, -sd[:, None] * twice, high - low, k * spread)
