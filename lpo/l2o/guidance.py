"""What a denoiser is told of a problem besides the noisy solution. docs/l2o.md, "Guidance"."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lpo.l2o.denoisers.denoiser import Probe
from lpo.l2o.family import Family, Problem, value_and_gradient
from lpo.l2o.noise import Normaliser, embedding, from_normal

_FLOOR = 1e-4  # under the logarithm of objectives, which are 0 at the best


class Guidance(NamedTuple):
    """Which parts a denoiser is told of. gradient: at the point. loss: there. previous: an earlier
    point, and both there. features: of the problem. scale: of gradients, at which compression
    begins. octaves: of sines and cosines of gradients and of the way between the points, without
    which a network cannot tell a small part of a large number."""

    gradient: bool = True
    loss: bool = True
    previous: bool = True
    features: bool = True
    scale: float = 1.0
    octaves: int = 5


def probe(
    family: Family, normaliser: Normaliser, z: jax.Array, sigma: jax.Array, problem: Problem
) -> Probe:
    """Look at a problem at z [d]; one gradient."""
    value, slope = value_and_gradient(family, from_normal(normaliser, z), problem)
    return Probe(z, value, slope * normaliser.std, sigma)


def of_coordinates(parts: Guidance, z: jax.Array, here: Probe, before: Probe) -> jax.Array:
    """Return what is known of each coordinate, [d, G]: always z; parts that are off are zero.

    Gradients come compressed, arcsinh(g / scale), raw, g / scale within [-3, 3], and as waves.
    """
    way = (z - before.z) * parts.previous
    earlier = parts.gradient and parts.previous
    columns = [
        z,
        way,
        *_slopes(parts, here, parts.gradient),
        *_slopes(parts, before, earlier),
        *_waves(parts, way, parts.previous),
        *_waves(parts, here.slope / parts.scale, parts.gradient),
        *_waves(parts, before.slope / parts.scale, earlier),
    ]
    return jnp.stack(columns, -1)


def of_all(
    parts: Guidance, sigma: jax.Array, here: Probe, before: Probe, features: jax.Array
) -> jax.Array:
    """Return what is known of the whole, [H]: noise levels, objectives, features."""
    losses = [
        _loss(here.value) * parts.loss,
        (_loss(before.value) - _loss(here.value)) * (parts.loss and parts.previous),
    ]
    earlier = jnp.log(before.sigma / sigma)[None] * parts.previous
    return jnp.concatenate(
        [embedding(sigma), earlier, jnp.stack(losses), features * parts.features]
    )


def _slopes(parts: Guidance, at: Probe, told: bool) -> list[jax.Array]:
    scaled = at.slope / parts.scale
    return [jnp.arcsinh(scaled) * told, jnp.clip(scaled, -3.0, 3.0) * told]


def _waves(parts: Guidance, number: jax.Array, told: bool) -> list[jax.Array]:
    angles = [2.0**octave * number for octave in range(parts.octaves)]
    return [wave(angle) * told for angle in angles for wave in (jnp.sin, jnp.cos)]


def _loss(value: jax.Array) -> jax.Array:
    return jnp.log(jnp.maximum(value, 0.0) + _FLOOR)
