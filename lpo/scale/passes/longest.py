"""The longest of n passes: what a wave of n passes side by side takes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lpo.scale.models import Models
from lpo.scale.passes.completion import changes, completed, near_mean, normal_pass
from lpo.scale.passes.pairs import Pairs
from lpo.scale.quadrature import over_pieces

_NODES = 16
_ROUNDING = 1e-13, 1e-15  # of the mean square from the centre, and of that of the centre


class Distribution(NamedTuple):
    """F of the time of a pass, so that for the longest of n, in seconds from `centre`,

    E[max] = start + sum gap (above - F^n) and E[max^2] = start^2 + sum bend (above - F^n).

    centre, start: [...]. gap, bend, above, cdf: [..., J]; above: 1 where the rest counts, 0 where F
    itself does.
    """

    centre: Any
    start: Any
    gap: Any
    bend: Any
    above: Any
    cdf: Any


def longest(models: Models, pairs: Pairs | None, most: int) -> tuple[jax.Array, jax.Array]:
    """Return E[max] and E[max^2] of the times of n passes, [..., most + 1] for n = 0 to most.

    s and s^2; 0 for n = 0. See `longest_spread`, which keeps small variances.
    """
    mean, variance = longest_spread(models, pairs, most)
    return mean, variance + mean**2


def longest_spread(models: Models, pairs: Pairs | None, most: int) -> tuple[jax.Array, jax.Array]:
    """Return mean and variance of the longest of n passes, s and s^2, [..., most + 1].

    E[max] = upper - int F^n (David and Nagaraja, "Order Statistics", 2003, section 3.1), with F
    exact for clipped normal lengths (`completion`) and a step function for pairs. Differentiable;
    where the standard deviation is below about 1e-7 of the time the variance is rounded to 0.
    """
    given = _of_normal(models) if pairs is None else _of_pairs(models, pairs)
    weight = jnp.stack([given.gap, given.bend], -1)

    def step(power: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        power = power * given.cdf
        return power, ((given.above - power)[..., None, :] @ weight)[..., 0, :]

    _, found = jax.lax.scan(step, jnp.ones_like(given.cdf), length=most)
    start = jnp.stack([given.start, given.start**2], -1)
    mean, square = jnp.moveaxis(found + start, (0, -1), (-1, 0))
    none = jnp.zeros((*mean.shape[:-1], 1), mean.dtype)
    variance = square - mean**2
    centre = given.centre[..., None]
    least = jnp.maximum(_ROUNDING[0] * square, _ROUNDING[1] * centre**2)
    variance = jnp.where(variance > least, variance, 0.0)
    mean = mean + centre
    return jnp.concatenate([none, mean], -1), jnp.concatenate([none, variance], -1)


def _of_normal(models: Models) -> Distribution:
    models = Models(*jnp.broadcast_arrays(*models))
    given = normal_pass(models)
    bends = changes(models, given)
    about = jnp.minimum(bends[..., -1], near_mean(given))
    at, weight = over_pieces(bends, _NODES)
    wide = jax.tree.map(lambda leaf: leaf[..., None], given)
    return Distribution(
        centre=given.mean,
        start=about,
        gap=weight,
        bend=2.0 * weight * at,
        above=jnp.where(at > about[..., None], 1.0, 0.0),
        cdf=completed(wide, at),
    )


def _of_pairs(models: Models, pairs: Pairs) -> Distribution:
    models = Models(*jnp.broadcast_arrays(*models))
    prompt, output = models.input_s[..., None], models.output_s[..., None]
    time = prompt * pairs.prompt + output * pairs.output
    centre = (time * pairs.weight).sum(-1)
    weight = jnp.broadcast_to(pairs.weight, time.shape)
    time, weight = jax.lax.sort((time - centre[..., None], weight), num_keys=1)
    cdf = jnp.cumsum(weight, -1)
    return Distribution(
        centre=centre,
        start=time[..., 0],
        gap=jnp.diff(time, axis=-1),
        bend=jnp.diff(time**2, axis=-1),
        above=jnp.ones_like(cdf[..., :-1]),
        cdf=cdf[..., :-1] / cdf[..., -1:],
    )
