"""Mean and standard deviation of what one pass costs and takes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.scale.models import Models
from lpo.scale.passes.pairs import Pairs
from lpo.scale.passes.standard import FAR, LONGEST, Units, clipped_moments, density, units_of
from lpo.scale.quadrature import over_pieces
from lpo.scale.root import root

_NODES = 40  # 1e-15 for a normal density on 18 standard deviations


class PassMoments(NamedTuple):
    """Of one pass, [m] each. cost, cost_sd: dollars. time, time_sd: seconds."""

    cost: Any
    cost_sd: Any
    time: Any
    time_sd: Any


class Lengths(NamedTuple):
    """Of prompt and output of a pass. mean: tokens, [..., 2]. covariance: [..., 2, 2]."""

    mean: Any
    covariance: Any


def pass_moments(models: Models, pairs: Pairs | None = None) -> PassMoments:
    """Return the moments of a pass, [...] as the leaves of `models`; in the precision of JAX.

    Cost and time are linear in the tokens of prompt and output (arXiv 2510.18905), and both lengths
    count with their covariance: a clip of outputs at 16 prompts makes one even between normal
    lengths. pairs: a law of lengths in place of the normal one. Differentiable; the derivative of a
    standard deviation is 0 where nothing varies.
    """
    models = Models(*jnp.broadcast_arrays(*models))
    lengths = normal_lengths(models) if pairs is None else pair_lengths(pairs)

    prices = jnp.stack([models.input_price, models.output_price], -1)
    each = jnp.stack([prices, jnp.stack([models.input_s, models.output_s], -1)], -2)
    mean = (each @ lengths.mean[..., None])[..., 0]
    sd = root((each @ lengths.covariance * each).sum(-1))
    return PassMoments(mean[..., 0], sd[..., 0], mean[..., 1], sd[..., 1])


def normal_lengths(models: Models) -> Lengths:
    """Return the moments of clipped normal lengths, for leaves [...] of equal shapes.

    Those of the output given the prompt in closed form; then by Gauss-Legendre quadrature over the
    prompt before its clip, split where a clip begins to bind.
    """
    wide = jax.tree.map(lambda leaf: leaf[..., None], models)
    units = units_of(wide)
    z, weight = over_pieces(jax.lax.stop_gradient(_breaks(wide, units)), _NODES)
    mass = weight * density(z)
    z = jnp.clip(z, units.low, units.high)
    least = (1.0 - wide.output) / units.output_sd
    most = (LONGEST * (wide.prompt + units.prompt_sd * z) - wide.output) / units.output_sd
    given = clipped_moments(jnp.minimum(least, most), most)

    # Moments about an output next to the mean keep small variances. All in one product: each
    # array of its own would be a kernel to compile.
    near = (LONGEST * wide.prompt - wide.output) / units.output_sd
    near = jnp.clip(0.0, least, near)
    away = given.mean - near
    values = [z, away, z * z, z * away, away * away + given.variance]
    mean = (mass[..., None, :] @ jnp.stack(values, -1))[..., 0, :]
    first, square = mean[..., :2], mean[..., 2:]
    second = jnp.stack([square[..., :2], square[..., 1:]], -2)
    covariance = second - first[..., :, None] * first[..., None, :]
    first = first + jnp.concatenate([jnp.zeros_like(near), near], -1)
    scale = jnp.concatenate([units.prompt_sd, units.output_sd], -1)
    return Lengths(
        mean=jnp.stack([models.prompt, models.output], -1) + scale * first,
        covariance=covariance * scale[..., :, None] * scale[..., None, :],
    )


def pair_lengths(pairs: Pairs) -> Lengths:
    """Return the moments of observed lengths, [2] and [2, 2]."""
    values, weight = jnp.stack([pairs.prompt, pairs.output]), jnp.asarray(pairs.weight)
    mean = values @ weight
    away = values - mean[:, None]
    return Lengths(mean, (weight * away) @ away.T)


def _breaks(models: Models, units: Units) -> jax.Array:
    """Z at which the prompt reaches a clip, or 16 prompts the range of outputs; [..., 7]."""
    w = np.array([-FAR, 0.0, FAR])
    crossing = (models.output + w * units.output_sd) / LONGEST
    crossing = jnp.clip((crossing - models.prompt) / units.prompt_sd, units.low, units.high)
    far = jnp.full_like(units.low, FAR)
    return jnp.clip(jnp.concatenate([-far, units.low, crossing, units.high, far], -1), -FAR, FAR)
