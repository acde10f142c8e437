r"""The best score of k passes, and whether any answer is right.

Passes of one query share a factor z_0 where they are correlated: the best latent number is then
sqrt(rho) z_0 + sqrt(1 - rho) M, with M the largest of k independent standard normal numbers. Given
M nothing depends on k any more, so that the mean over z_0 is taken once for all k, and

    E[g] = \int g(u) k Phi(u)^(k - 1) phi(u) du,   g(u) = E[score | M = u]

costs no more than for independent passes (*ours*). For these it is E[A] = \int_0^1 1 - F(x)^k dx by
parts, the rule of arXiv 2510.18905.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri

from lpo.scale.accuracy.normal import FAR, SPLITS, STEPS, log_phi, of_best, split_at
from lpo.scale.accuracy.score import Scores, scores_of, standard, wide
from lpo.scale.laws import AccuracyLaw
from lpo.scale.passes.standard import density
from lpo.scale.quadrature import over_pieces
from lpo.scale.root import root

_NODES = 16
_LEAST = 1e-14  # a correlation that is none
_EVEN, _EVEN_WEIGHT = np.polynomial.hermite_e.hermegauss(40)  # over z_0, of scores without steps
_EVEN_WEIGHT = _EVEN_WEIGHT / _EVEN_WEIGHT.sum()


def best_of_k(
    law: AccuracyLaw, mean: Any, sd: Any, k: Any, correlation: Any = None
) -> tuple[jax.Array, jax.Array]:
    """Return mean and standard deviation of the best score of k passes, [m, K].

    mean, sd [m]: of the record. k [K]: real, at least 1. correlation: in [0, 1), or None for
    independent passes. Scores without spread are no special case: the best is the mean, with the
    right derivative with respect to sd (at sd = 0 that of the standard deviation is not 0 either).
    """
    scores = scores_of(law, mean, sd)
    # Moments of the distance from the highest score: where nearly every best score is that, they
    # are small and keep their digits.
    if correlation is None:
        u, weight = over_pieces(jnp.clip(SPLITS, scores.low[:, None], scores.high[:, None]), _NODES)
        gap = scores.top[:, None] - standard(law, wide(scores, 1), u)
        first, second = _averages(u, weight, (gap, gap * gap), k)
        never = jnp.exp(k * log_phi(scores.low)[:, None])
        most = (scores.top - scores.bottom)[:, None]
        first, second = first + never * most, second + never * most**2
    elif law == AccuracyLaw.CLIPPED_NORMAL:
        breaks = split_at(SPLITS, *(_step(end, correlation) for end in (scores.low, scores.high)))
        u, weight = over_pieces(breaks, _NODES)
        first, second = _averages(u, weight, _clipped(wide(scores, 1), u, correlation), k)
    else:
        u, weight = over_pieces(SPLITS, _NODES)
        own, common = parts(correlation)
        y = jnp.broadcast_to(own * u[:, None] + common * _EVEN, (len(scores.mean), len(u), 40))
        gap = scores.top[:, None, None] - standard(law, wide(scores, 2), y)
        given = (gap @ _EVEN_WEIGHT, (gap * gap) @ _EVEN_WEIGHT)
        first, second = _averages(u, weight, given, k)
    best = scores.mean[:, None] + scores.sd[:, None] * (scores.top[:, None] - first)
    return best, scores.sd[:, None] * root(second - first * first)


def any_right(right: Any, k: Any, correlation: Any = None) -> jax.Array:
    """Return the probability that any of k answers is right, [m, K].

    right [m]: probability of one; k [K]: real, at least 1 (0 too without correlation), so that
    independent answers give 1 - (1 - right)^k. Correlated ones are right where their latent number
    is over -Phi^-1(right).
    """
    if correlation is None:
        return 1.0 - jnp.power(1.0 - right[:, None], k)
    least = -latent_of_probability(right)
    own, common = parts(correlation)
    u, weight = over_pieces(split_at(SPLITS, _step(least, correlation)), _NODES)
    none = ndtr((least[:, None] - own * u) / common)
    return 1.0 - _averages(u, weight, (none,), k)[0]


def latent_of_probability(p: Any) -> jax.Array:
    """Return Phi^-1(p), within [-FAR, FAR]; its derivative is 0 at p = 0 and 1."""
    tiny = ndtr(-FAR)
    return ndtri(jnp.clip(p, tiny, 1.0 - tiny))


def _averages(u: Any, weight: Any, given: tuple[Any, ...], k: Any) -> list[jax.Array]:
    """Means [m, K] of g(M) for M the largest of k, for each g [m, U] at nodes u [(m,) U]."""
    values = (weight * density(u))[..., None] * jnp.stack(given, -1)
    means = of_best(jnp.broadcast_to(log_phi(u), values.shape[:2]), values, k)
    return [means[..., i] for i in range(len(given))]


def parts(correlation: Any) -> tuple[Any, Any]:
    """Return what its own and the common factor count for in the latent number of a pass."""
    correlation = jnp.maximum(correlation, _LEAST)
    return jnp.sqrt(1.0 - correlation), jnp.sqrt(correlation)


def _step(at: Any, correlation: Any) -> jax.Array:
    """Breaks about the u at which the best latent number passes `at` [m], smoothed by z_0."""
    own, common = parts(correlation)
    return (at[:, None] + common * STEPS) / own


def _clipped(scores: Scores, u: Any, correlation: Any) -> tuple[jax.Array, jax.Array]:
    """E[top - B] and its square given u, where B is normal, clipped: integrals of Phi by parts."""
    own, common = parts(correlation)
    low, high = ((end - own * u) / common for end in (scores.low, scores.high))

    def once(z: Any) -> Any:
        return z * ndtr(z) + density(z)

    def twice(z: Any) -> Any:
        return 0.5 * ((z * z - 1.0) * ndtr(z) + z * density(z))

    # \int (high - z) Phi(z) dz between the clips, whose first factor is at most high - low
    rise = once(high) - once(low)
    return common * rise, 2.0 * common**2 * (high * rise - (twice(high) - twice(low)))
