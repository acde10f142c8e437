"""Mean and standard deviation of what one pass costs and takes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.scale.models import Models
from lpo.scale.passes.pairs import Pairs
from lpo.scale.passes.pieces import over_pieces
from lpo.scale.passes.standard import FAR, LONGEST, Units, clipped_moments, density, units_of

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

    def of(prompt: Any, output: Any) -> tuple[jax.Array, jax.Array]:
        each = jnp.stack([prompt, output], -1)
        variance = jnp.einsum("...i,...ij,...j->...", each, lengths.covariance, each)
        return (each * lengths.mean).sum(-1), root(variance)

    return PassMoments(
        *of(models.input_price, models.output_price), *of(models.input_s, models.output_s)
    )


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
    least = jnp.broadcast_to((1.0 - wide.output) / units.output_sd, z.shape)
    most = LONGEST * (wide.prompt + units.prompt_sd * z) - wide.output
    given = clipped_moments(least, most / units.output_sd)

    lengths = _moments(jnp.stack([z, given.mean], -1), mass)
    within = jnp.einsum("...z,...z->...", mass, given.variance)
    covariance = lengths.covariance.at[..., 1, 1].add(within)
    scale = jnp.concatenate([units.prompt_sd, units.output_sd], -1)
    mean = jnp.stack([models.prompt, models.output], -1) + scale * lengths.mean
    return Lengths(mean, covariance * scale[..., :, None] * scale[..., None, :])


def pair_lengths(pairs: Pairs) -> Lengths:
    """Return the moments of observed lengths, [2] and [2, 2]."""
    return _moments(jnp.stack([pairs.prompt, pairs.output], -1), jnp.asarray(pairs.weight))


def _moments(values: jax.Array, mass: jax.Array) -> Lengths:
    """Mean and covariance of values [..., Z, 2] with probabilities [..., Z]."""
    mean = jnp.einsum("...z,...zi->...i", mass, values)
    away = values - mean[..., None, :]
    return Lengths(mean, jnp.einsum("...zi,...zj->...ij", mass[..., None] * away, away))


def _breaks(models: Models, units: Units) -> jax.Array:
    """Z at which the prompt reaches a clip, or 16 prompts the range of outputs; [..., 7]."""
    w = np.array([-FAR, 0.0, FAR])
    crossing = (models.output + w * units.output_sd) / LONGEST
    crossing = jnp.clip((crossing - models.prompt) / units.prompt_sd, units.low, units.high)
    far = jnp.full_like(units.low, FAR)
    return jnp.clip(jnp.concatenate([-far, units.low, crossing, units.high, far], -1), -FAR, FAR)


def root(variance: Any) -> jax.Array:
    """Return the square root, with the derivative 0 at 0 (and 0 below: rounding errors)."""
    positive = variance > 0.0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1.0)), 0.0)
