r"""The probability of a strip under a line, for two independent standard normal numbers.

$$ P(l < Z \le h, \; a Z + b W \le s) = \int_l^h \phi(z) \Phi\Big(\frac{s - a z}{b}\Big) dz . $$

The integrand is smooth for a <= b. Otherwise the integral is taken over W, after integration by
parts: the same form with a and b changed over, and a difference at the ends.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lpo.scale.passes.standard import FAR, density, normal_cdf

_AT, _WEIGHT = np.polynomial.legendre.leggauss(40)  # 1e-15 on 18 standard deviations


@jax.custom_jvp
def under_line(low: Any, high: Any, a: Any, b: Any, level: Any) -> jax.Array:
    """Return P(low < Z <= high, a Z + b W <= level), of equal shapes; a and b are positive."""
    at_low, at_high = (level - a * low) / b, (level - a * high) / b
    smooth = a <= b
    parts = normal_cdf(high) * normal_cdf(at_high) - normal_cdf(low) * normal_cdf(at_low)
    parts = jnp.where(smooth, 0.0, parts)
    first = jnp.clip(jnp.where(smooth, low, at_high), -FAR, FAR)[..., None]
    last = jnp.clip(jnp.where(smooth, high, at_low), -FAR, FAR)[..., None]
    half = 0.5 * (last - first)
    z = 0.5 * (first + last) + half * _AT
    flat, steep = jnp.minimum(a, b)[..., None], jnp.maximum(a, b)[..., None]
    inner = normal_cdf((level[..., None] - flat * z) / steep)
    return half[..., 0] * ((density(z) * inner) @ _WEIGHT) + parts


@under_line.defjvp
def _slopes(given: tuple[Any, ...], moved: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    """On the line, a step away from the point next to 0 is again a standard normal number U."""
    low, high, a, b, level = given
    far = jnp.hypot(a, b)
    away = level / far
    first, last = (low * far - a * away) / b, (high * far - a * away) / b
    at = normal_cdf(jnp.stack([first, last, (level - a * low) / b, (level - a * high) / b]))
    line, inside = density(away) / far, at[1] - at[0]
    step = (density(first) - density(last)) / far  # E[U] on the strip
    slopes = (
        -density(low) * at[2],
        density(high) * at[3],
        -line * (a / far * away * inside + b * step),
        -line * (b / far * away * inside - a * step),
        line * inside,
    )
    change = jnp.stack([slope * by for slope, by in zip(slopes, moved, strict=True)]).sum(0)
    return under_line(*given), change
