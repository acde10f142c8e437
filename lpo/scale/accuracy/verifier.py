r"""The score of the pass that a noisy verifier likes best.

A verifier sees a + tau eta, eta standard normal, of each pass and takes the largest. With G the
distribution function of what it sees, h(s) = \int a phi_tau(s - a) dF(a) and F that of scores,
E[A] = k \int G^(k-1) h ds. Without clips that is mean + sd rho m_k, rho = sd / sqrt(sd^2 + tau^2),
with m_k the mean of the largest of k standard normal numbers (concomitants of order statistics;
David and Nagaraja, 2003, section 6.8).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr

from lpo.scale.accuracy.best import parts
from lpo.scale.accuracy.normal import FAR, of_best, split_at
from lpo.scale.accuracy.score import Scores, scores_of, standard, wide
from lpo.scale.laws import AccuracyLaw
from lpo.scale.passes.standard import density
from lpo.scale.quadrature import over_pieces
from lpo.scale.root import root

_BODY = np.array([-FAR, -4.0, -2.0, -0.8, 0.0, 0.8, 1.6, 2.4, 3.2, 4.0, 5.5, FAR])
_SPIKE = np.array([-FAR, -4.0, -2.0, -0.8, 0.8, 2.0, 4.0, FAR])
_COMMON = np.array([-FAR, -4.5, -2.2, 0.0, 2.2, 4.5, FAR])
_CLIP = np.array([-5.0, -2.0, 0.0, 2.0, 5.0])
_CELLS = np.linspace(0.0, 1.0, 257)


class _Nodes(NamedTuple):
    """On each piece: of what the verifier sees, and of the score given that."""

    seen: int
    score: int


class _Table(NamedTuple):
    """Ascending latent numbers and B there, [m, cells]."""

    latent: Any
    score: Any


def verified(
    law: AccuracyLaw, mean: Any, sd: Any, noise: Any, k: Any, correlation: Any = None
) -> tuple[jax.Array, jax.Array]:
    """Return mean and standard deviation of the score that a verifier takes of k, [m, K].

    mean, sd [m]: of the record. noise []: tau, positive. k [K]: real, at least 1. correlation: in
    [0, 1), or None. Correlated passes are independent given the common factor, over which is
    averaged last: that costs a hundred times as much.
    """
    scores = scores_of(law, mean, sd)
    if correlation is None:
        own, shift, weight = 1.0, jnp.zeros((1, len(scores.mean))), jnp.ones((1, 1))
        nodes = _Nodes(12, 96)
    else:
        own, common = parts(correlation)
        ends = (scores.low, scores.high) if law == AccuracyLaw.CLIPPED_NORMAL else ()
        clips = [(end[:, None] + own * _CLIP) / common for end in ends]
        z, weight = over_pieces(split_at(_COMMON, *clips), 8)
        z = jnp.broadcast_to(z, (len(scores.mean), z.shape[-1]))
        shift, weight = common * z.T, (weight * density(z)).T
        nodes = _Nodes(8, 48)

    # Where pieces end is looked up; it need not be exact.
    cells = scores.low[:, None] + (scores.high - scores.low)[:, None] * _CELLS
    table = _Table(cells, standard(law, wide(scores, 1), cells))

    @jax.checkpoint  # what a step needs again for a derivative would not fit for all steps
    def step(total: jax.Array, given: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        log_cdf, values = _seen(law, scores, table, noise, given[0], own, nodes)
        return total + given[1][:, None, None] * of_best(log_cdf, values, k), None

    start = jnp.zeros((len(scores.mean), len(k), 2), scores.mean.dtype)
    total, _ = jax.lax.scan(step, start, (shift, weight))
    first, second = total[..., 0], total[..., 1]
    best = scores.mean[:, None] + scores.sd[:, None] * (scores.top[:, None] - first)
    return best, scores.sd[:, None] * root(second - first * first)


def _seen(
    law: AccuracyLaw,
    scores: Scores,
    table: _Table,
    noise: Any,
    shift: jax.Array,
    own: Any,
    nodes: _Nodes,
) -> tuple[jax.Array, jax.Array]:
    """log G [m, S], and weight times density times the distance of the score from the highest, and
    its square, [m, S, 2], at nodes s of what is seen of passes with latent numbers shift + own y.
    """
    mean, sd = scores.mean[:, None], scores.sd[:, None]
    look_up = jax.vmap(jnp.interp)
    low, high = (jnp.clip((end - shift) / own, -FAR, FAR) for end in (scores.low, scores.high))
    places = jnp.stack([low, high, jnp.zeros_like(low), jnp.ones_like(low), -jnp.ones_like(low)], 1)
    marks = mean + sd * look_up(shift[:, None] + own * places, table.latent, table.score)
    least, most, centre = marks[:, :1], marks[:, 1:2], marks[:, 2:3]
    width = jnp.hypot(0.5 * (marks[:, 3:4] - marks[:, 4:]), noise)
    breaks = [centre + width * _BODY, least + noise * _SPIKE, most + noise * _SPIKE]
    reach = FAR * noise
    breaks = jnp.clip(jnp.concatenate(breaks, -1), least - reach, most + reach)
    s, weight = over_pieces(jnp.sort(breaks, -1), nodes.seen)

    low, high = low[:, None], high[:, None]
    ends = jnp.concatenate([s - reach, s + reach], -1)
    ends = look_up((ends - mean) / jnp.maximum(sd, 1e-9), table.score, table.latent)
    ends = jnp.clip((ends - shift[:, None]) / own, low, high)
    ends = jnp.stack(jnp.split(ends, 2, -1), -1)
    y, inside = over_pieces(ends, nodes.score)
    inside = inside * density(y)
    b = standard(law, wide(scores, 2), jnp.clip(shift[:, None, None] + own * y, -FAR, FAR))
    gap = scores.top[:, None, None] - b
    off = (s[..., None] - mean[..., None] - sd[..., None] * b) / noise
    density_off, seen = inside * density(off), inside * ndtr(off)

    # atoms at the ends; nothing there where scores are not clipped
    farthest = scores.top[:, None] - (least - mean) / jnp.maximum(sd, 1e-9)
    outside = ndtr(jnp.stack([low, -high]))
    edges = jnp.stack([(s - least) / noise, (s - most) / noise])
    at_least = outside[0] * density(edges[0])
    first = (density_off * gap).sum(-1) + at_least * farthest
    second = (density_off * gap * gap).sum(-1) + at_least * farthest**2
    certain = ndtr(jnp.concatenate([edges, ends[None, ..., 0]]))
    cdf = outside[0] * (certain[0] - 1.0) + outside[1] * certain[1] + certain[2] + seen.sum(-1)
    values = (weight / noise)[..., None] * jnp.stack([first, second], -1)
    return jnp.log(jnp.maximum(cdf, jnp.finfo(cdf.dtype).tiny)), values
