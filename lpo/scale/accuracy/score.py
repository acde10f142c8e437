"""The score of one pass as a monotone function of a latent standard normal number.

High latent numbers are good. docs/scale_laws.md describes the laws.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri

from lpo.scale.accuracy.beta import LEAST, Knots, between, knots_of, log_below, shapes
from lpo.scale.accuracy.normal import FAR
from lpo.scale.laws import AccuracyLaw

_LEAST = 1e-9  # scores that do not vary at all are no special case


class Scores(NamedTuple):
    """Scores mean + sd B(y) of latent numbers y, where B is `standard`; leaves [...].

    low, high: latent numbers below and above which the score is the same, within [-FAR, FAR].
    bottom, top: B there. row: which distribution of `knots` (of the law beta, else None).
    """

    mean: Any
    sd: Any
    low: Any
    high: Any
    bottom: Any
    top: Any
    row: Any
    knots: Knots | None


def scores_of(law: AccuracyLaw, mean: Any, sd: Any) -> Scores:
    """Return the scores of a mean and standard deviation [...] in the sense of the law."""
    mean, sd = jnp.broadcast_arrays(jnp.asarray(mean), jnp.asarray(sd))
    knots = None
    if law == AccuracyLaw.BETA:
        knots = knots_of(mean.reshape(-1), sd.reshape(-1))
    low, high = jnp.full_like(mean, -FAR), jnp.full_like(mean, FAR)
    if law == AccuracyLaw.CLIPPED_NORMAL:
        low, high = (jnp.clip(end, -FAR, FAR) for end in _ends(mean, sd))
    row = jnp.arange(mean.size).reshape(mean.shape)
    scores = Scores(mean, sd, low, high, low, high, row, knots)
    ends = standard(law, wide(scores, 1), jnp.stack([low, high], -1))
    return scores._replace(bottom=ends[..., 0], top=ends[..., 1])


def wide(scores: Scores, axes: int) -> Scores:
    """Return the scores with more axes at the end, to go with latent numbers that have them."""
    more = (None,) * axes
    return Scores(*(leaf[(..., *more)] for leaf in scores[:-1]), knots=scores.knots)


def standard(law: AccuracyLaw, scores: Scores, y: Any) -> jax.Array:
    """Return B(y) so that the score is mean + sd B(y), broadcast.

    Differences of scores in units of their spread, so that no spread is too small.
    """
    if law == AccuracyLaw.CLIPPED_NORMAL:
        return jnp.clip(y, scores.low, scores.high)
    if law == AccuracyLaw.TRUNCATED_NORMAL:
        least, most = _ends(scores.mean, scores.sd)
        below, above = ndtr(least), ndtr(-most)
        inside = ndtr(most) - below
        lower = y < 0.0  # the smaller tail keeps its digits
        tail = jnp.where(lower, below, above) + inside * ndtr(-jnp.abs(y))
        return ndtri(tail) / jnp.where(lower, 1.0, -1.0)
    assert scores.knots is not None
    score = jax.nn.sigmoid(between(scores.knots, scores.row, y))
    return (score - scores.mean) / jnp.maximum(scores.sd, LEAST)


def quantile_of(law: AccuracyLaw, y: Any, mean: Any, sd: Any) -> jax.Array:
    """Return the score of latent standard normal numbers y, in [0, 1]; all broadcast.

    mean, sd: of the record. The law beta builds a table for each of them, so that many y cost
    little; it needs 0 < mean < 1 and sd^2 < mean (1 - mean).
    """
    scores = scores_of(law, mean, sd)
    return jnp.clip(scores.mean + scores.sd * standard(law, scores, y), 0.0, 1.0)


def latent_of(law: AccuracyLaw, x: Any, mean: Any, sd: Any) -> jax.Array:
    """Return the latent number of a score x in (0, 1), broadcast, within [-FAR, FAR].

    The inverse of `quantile_of`; Phi(latent) is the distribution function of the unclipped score.
    """
    sd = jnp.maximum(sd, _LEAST)
    if law == AccuracyLaw.CLIPPED_NORMAL:
        return jnp.clip((x - mean) / sd, -FAR, FAR)
    if law == AccuracyLaw.TRUNCATED_NORMAL:
        least, most = _ends(mean, sd)
        z = (x - mean) / sd
        inside = ndtr(most) - ndtr(least)
        below, above = (ndtr(z) - ndtr(least)) / inside, (ndtr(-z) - ndtr(-most)) / inside
        y = ndtri(jnp.minimum(below, above)) / jnp.where(below < above, 1.0, -1.0)
        return jnp.clip(y, -FAR, FAR)
    a, b = shapes(mean, sd)
    v = jnp.log(x) - jnp.log1p(-x)
    lower = v < jnp.log(a) - jnp.log(b)
    tail = log_below(jnp.where(lower, a, b), jnp.where(lower, b, a), jnp.where(lower, v, -v))
    return jnp.clip(ndtri(jnp.exp(tail)) / jnp.where(lower, 1.0, -1.0), -FAR, FAR)


def _ends(mean: Any, sd: Any) -> tuple[Any, Any]:
    """Return the scores 0 and 1 in standard deviations from the mean."""
    sd = jnp.maximum(sd, _LEAST)
    return -mean / sd, (1.0 - mean) / sd
