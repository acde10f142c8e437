r"""The probability that a pass of normal token lengths is complete after a while.

With t = input_s L_in + output_s L_out and the clips of `standard`, a pass with a prompt of x tokens
is surely complete at time s if it were even with 16 x tokens of output, surely not if one token
were too many, and in between with the probability of a normal output. So

$$ F(s) = P(x \le x_1) + \int_{x_1 < x \le x_2} \Phi\Big(\frac{y(x) - m}{d}\Big) dP(x), \quad
   x_1 = \frac{s}{c_i + 16 c_o}, \; x_2 = \frac{s - c_o}{c_i}, \; y(x) = \frac{s - c_i x}{c_o}, $$

where x has atoms at its clips, 1 and 16 times its mean.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.scale.models import Models
from lpo.scale.passes.standard import LONGEST, normal_cdf, units_of
from lpo.scale.passes.strip import under_line

_LEAST, _NOTHING = 1e-15, 1e-60  # of the mean time, and seconds where tokens take no time
_CERTAIN = 1e-14  # below: rounding errors, which would count over a long way
_OFFSETS = np.array([-8.0, -3.0, 0.0, 1.5, 3.0, 5.0, 8.0])  # pieces also for the longest of many


class NormalPass(NamedTuple):
    """The time of a pass, in parts; [...] each.

    mean: s, with mean lengths and no clip; other times are counted from it. prompt, output:
    standard deviations of both parts, s, positive. one, full: when a pass with a mean prompt is
    complete that has one token of output, or 16 prompts of it; full_sd: standard deviation of the
    latter. low, high: clips of the prompt in standard units.
    """

    mean: Any
    prompt: Any
    output: Any
    one: Any
    full: Any
    full_sd: Any
    low: Any
    high: Any


def normal_pass(models: Models) -> NormalPass:
    """Return what the distribution of a pass is made of, [...] as the leaves of `models`."""
    units = units_of(models)
    mean = models.input_s * models.prompt + models.output_s * models.output
    least = _LEAST * mean + _NOTHING
    prompt = jnp.maximum(models.input_s * units.prompt_sd, least)
    output = jnp.maximum(models.output_s * units.output_sd, least)
    return NormalPass(
        mean=mean,
        prompt=prompt,
        output=output,
        one=models.output_s * (1.0 - models.output),
        full=models.output_s * (LONGEST * models.prompt - models.output),
        full_sd=prompt + LONGEST * models.output_s * units.prompt_sd,
        low=units.low,
        high=units.high,
    )


def completed(given: NormalPass, after: Any) -> jax.Array:
    """Return F at `after` [..., J] seconds from the mean; leaves of `given` [..., 1]."""
    given, after = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, after.shape), (given, after))
    surely = (after - given.full) / given.full_sd
    barely = (after - given.one) / given.prompt
    begin = jnp.maximum(given.low, surely)
    end = jnp.maximum(begin, jnp.minimum(given.high, barely))
    strip = under_line(begin, end, given.prompt, given.output, after)

    def output_by(z: Any) -> jax.Array:
        return normal_cdf((after - given.prompt * z) / given.output)

    # where an atom counts, the strip begins or ends there
    shortest, longest = surely < given.low, surely >= given.high
    below = normal_cdf(begin)
    sure = jnp.where(shortest, 0.0, jnp.where(longest, 1.0, below))
    at_low = jnp.where(shortest & (given.low <= barely), below * output_by(begin), 0.0)
    at_high = jnp.where(~longest & (given.high <= barely), normal_cdf(-end) * output_by(end), 0.0)
    total = sure + strip + at_low + at_high
    return jnp.where(total < _CERTAIN, 0.0, jnp.where(total > 1.0 - _CERTAIN, 1.0, total))


def near_mean(given: NormalPass) -> jax.Array:
    """Return a time next to the mean, where integrals are cut, seconds from the mean.

    Not the mean itself: with round numbers other cuts fall on it, and derivatives with respect to
    two cuts in one place are not unique.
    """
    return 0.1234 * jnp.hypot(given.prompt, given.output)


def changes(models: Models, given: NormalPass) -> jax.Array:
    """Return where the distribution bends, [..., b] seconds from the mean, ascending.

    The first and the last are the least and the greatest time. Each clip brings a part with a
    centre and a width of its own, and corners where two of them meet. One of them is `near_mean`.
    """
    shortest, longest = 1.0 - models.prompt, (LONGEST - 1.0) * models.prompt

    def corner(prompt: Any, output: Any) -> Any:
        return (models.input_s * prompt + models.output_s * (output - models.output))[..., None]

    ends = corner(shortest, 1.0), corner(longest, LONGEST**2 * models.prompt)
    corners = [corner(shortest, LONGEST), corner(longest, 1.0)]
    inner = jnp.concatenate([_bends(models, given), *corners], -1)
    return jnp.sort(jnp.concatenate([ends[0], jnp.clip(inner, *ends), ends[1]], -1), -1)


def _bends(models: Models, given: NormalPass) -> jax.Array:
    crossing = models.output / LONGEST - models.prompt  # 16 prompts are a mean output
    output_sd = units_of(models).output_sd
    centres = [
        near_mean(given),
        given.one,
        given.full,
        models.input_s * crossing,
        models.input_s * (1.0 - models.prompt),
        models.input_s * (LONGEST - 1.0) * models.prompt,
    ]
    widths = [
        jnp.hypot(given.prompt, given.output),
        given.prompt,
        given.full_sd,
        given.output + models.input_s * output_sd / LONGEST,
        given.output,
        given.output,
    ]
    centre, width = jnp.stack(centres, -1)[..., None], jnp.stack(widths, -1)[..., None]
    # derivatives: cuts follow the steps of F, and elsewhere an integral is the same however cut
    bends = centre + jax.lax.stop_gradient(width) * _OFFSETS
    return bends.reshape(*bends.shape[:-2], -1)
