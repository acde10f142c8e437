"""Normal token lengths in standard units, and what clips do to a standard normal number.

A prompt has L = prompt + prompt_sd Z tokens, clipped to [1, 16 prompt]; an output has
output + output_sd W tokens, clipped to [1, 16 L] (the published code of arXiv 2510.18905). Z and W
are independent standard normal numbers.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import erfc

from lpo.scale.models import Models

LONGEST = 16.0
"""Times its mean that a prompt may be long, and times its prompt that an output may be."""
FAR = 9.0
"""Standard deviations beyond which a normal number has a probability below 1e-18."""
_LEAST = 1e-15  # of a mean: lengths that do not vary at all are no special case


class Units(NamedTuple):
    """prompt_sd, output_sd: tokens, positive. low, high: Z at the clips of the prompt."""

    prompt_sd: Any
    output_sd: Any
    low: Any
    high: Any


def units_of(models: Models) -> Units:
    """Return standard units, [...] as the leaves of `models`."""
    prompt_sd = jnp.maximum(models.prompt_sd, _LEAST * models.prompt)
    output_sd = jnp.maximum(models.output_sd, _LEAST * models.output)
    low = (1.0 - models.prompt) / prompt_sd
    high = (LONGEST - 1.0) * models.prompt / prompt_sd
    return Units(prompt_sd, output_sd, low, high)


def density(z: Any) -> jax.Array:
    """Return the standard normal density."""
    return jnp.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def normal_cdf(z: Any) -> jax.Array:
    """Return the standard normal distribution function, several times as fast as JAX's `ndtr`."""
    return 0.5 * erfc(-math.sqrt(0.5) * z)


class Clipped(NamedTuple):
    """mean, variance: of the clipped number. below, above: probabilities of the clips."""

    mean: Any
    variance: Any
    below: Any
    above: Any


@jax.custom_jvp
def clipped_moments(low: Any, high: Any) -> Clipped:
    """Return the moments of a standard normal number clipped to [low, high], of equal shapes.

    Its mass outside piles on the clips. Moments are taken about the clipped 0, so that a number
    that hardly ever leaves a clip keeps its small variance.
    """
    about = jnp.clip(0.0, low, high)
    at_low, at_high = density(low), density(high)
    below, above = normal_cdf(low), normal_cdf(-high)
    inside = normal_cdf(high) - below
    to_low, to_high = low - about, high - about
    first = at_low - at_high - about * inside + to_low * below + to_high * above
    second = (1.0 + about**2) * inside + low * at_low - high * at_high
    second += -2.0 * about * (at_low - at_high) + to_low**2 * below + to_high**2 * above
    return Clipped(about + first, second - first**2, below, above)


@clipped_moments.defjvp
def _slopes(given: tuple[Any, Any], moved: tuple[Any, Any]) -> tuple[Clipped, Clipped]:
    low, high = given
    clipped = clipped_moments(low, high)
    to_low, to_high = clipped.below * moved[0], clipped.above * moved[1]
    about = (low - clipped.mean) * to_low + (high - clipped.mean) * to_high
    masses = density(low) * moved[0], -density(high) * moved[1]
    return clipped, Clipped(to_low + to_high, 2.0 * about, *masses)
