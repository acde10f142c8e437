"""Answers that vote: majority against several wrong answers, and votes with random weights."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from scipy.special import gammaln

from lpo.scale.accuracy.best import latent_of_probability, parts
from lpo.scale.accuracy.beta import log_below
from lpo.scale.accuracy.normal import FAR, split_at
from lpo.scale.accuracy.ties import shares
from lpo.scale.passes.standard import density
from lpo.scale.quadrature import over_pieces

MOST = 1000
"""Passes that are counted; tables have their square, and factorials must fit float64."""
_NODES = 12
_COMMON = np.array([-FAR, -4.0, -2.0, -0.7, 0.7, 2.0, 4.0, FAR])
_OWN = np.array([-FAR, -4.0, *np.linspace(-2.5, 2.5, 11), 4.0, FAR])


def majority(k: Any, wrong_answers: int, most: int) -> tuple[jax.Array, jax.Array]:
    """Return what n right votes of k are worth and the mean of its square, [K, most + 1].

    k [K]: whole numbers up to `most`. See `shares`; with one wrong answer an even k is worth as
    much as k - 1.
    """
    k = jnp.asarray(k).astype(int)
    mean, square = (jnp.asarray(table)[k] for table in shares(wrong_answers, most))
    return mean, square


def weighted(
    k: Any, right_weight: Any, wrong_weight: Any, most: int
) -> tuple[jax.Array, jax.Array]:
    """Return the probability that n right votes of k have over half of the weight, [K, most + 1].

    Twice: a query is worth 0 or 1, so that it is its mean square too. Weights are Gamma distributed
    with these shapes and one scale, the share of the right ones therefore Beta distributed
    (Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", 1995, section 25.2).
    """
    n = jnp.arange(most + 1)
    wrong = jnp.asarray(k).astype(int)[:, None] - n
    both = (n > 0) & (wrong > 0)
    right = jnp.where(both, n * right_weight, 1.0)
    other = jnp.where(both, wrong * wrong_weight, 1.0)
    smaller = jnp.exp(log_below(jnp.maximum(right, other), jnp.minimum(right, other), 0.0))
    more = jnp.where(right > other, 1.0 - smaller, smaller)
    more = jnp.where(both, more, (n > 0) & (wrong == 0))
    return more, more


def of_votes(
    right: Any, k: Any, worth: tuple[jax.Array, jax.Array], correlation: Any = None
) -> tuple[jax.Array, jax.Array]:
    """Return the means of `worth` [K, most + 1] each over the number of right votes of k, [m, K].

    right [m]: probability of a right vote, k [K]: whole numbers. Correlated votes are right where
    their latent number is over -Phi^-1(right): binomial given the common factor, over which the
    powers of the probability are averaged once for all k.
    """
    n = jnp.arange(worth[0].shape[1])
    if correlation is None:
        p, q, weight = right[:, None], 1.0 - right[:, None], jnp.ones((1, 1))
    else:
        given, weight = _given_common(right, correlation)
        p, q = ndtr(given), ndtr(-given)
    powers = [_powers(each[:, :, None], n) for each in (p, q)]
    both = jnp.einsum("mzn,mz,mzl->mnl", powers[0], weight, powers[1])
    wrong = jnp.asarray(k).astype(int)[:, None] - n
    log_factorial = jnp.asarray(gammaln(np.arange(len(n)) + 1.0))
    left = jnp.maximum(wrong, 0)
    log_ways = log_factorial[n + left] - log_factorial[n] - log_factorial[left]
    chance = jnp.where(wrong >= 0, jnp.exp(log_ways) * both[:, n, left], 0.0)
    chance = chance / chance.sum(-1, keepdims=True)  # logarithms of factorials have lost 1e-13
    mean, square = (jnp.einsum("mkn,kn->mk", chance, table) for table in worth)
    return mean, square


def _powers(base: Any, n: Any) -> jax.Array:
    """base^n, with a derivative at base = 0 also where n = 0."""
    return jnp.where(n == 0, 1.0, jnp.power(base, jnp.maximum(n, 1).astype(base.dtype)))


def _given_common(right: Any, correlation: Any) -> tuple[jax.Array, jax.Array]:
    """Phi^-1 of the probability of a right vote given z_0, and weights, [m, Z].

    Where the common factor is nearly everything that probability jumps from 0 to 1, where it is
    nearly nothing it hardly moves: there are breaks on both scales.
    """
    own, common = parts(correlation)
    latent = latent_of_probability(right)[:, None]
    breaks = split_at(_COMMON, (own * _OWN - latent) / common)
    z, weight = over_pieces(breaks, _NODES)
    return (latent + common * z) / own, weight * density(z)
