r"""The Beta distribution: shapes from mean and spread, both tails, quantiles; all differentiable.

With x = 1 / (1 + e^-v) the density of v is x^a (1 - x)^b / B(a, b), log-concave for any shapes. The
tail below v is, by parts twice (DLMF 8.17.20),

    I_x(a, b) = x^a (1 - x)^b / (a B(a, b)) (1 + x (a + b) / (a + 1) (1 + x (a + b + 1) R)),
    R = \int_0^\infty \exp(l(v - t) - l(v)) dt,   l the logarithm of x^(a+2) (1 - x)^b,

in which every term is positive: small tails keep their digits, and there is a derivative with
respect to the shapes, which `jax.scipy.special.betainc` does not have.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from scipy.special import log_ndtr

from lpo.scale.accuracy.normal import FAR

_AT, _WEIGHT = np.polynomial.legendre.leggauss(32)
_AT, _WEIGHT = 0.5 + 0.5 * _AT, 0.5 * _WEIGHT
_DROP = 40.0  # e^-40 is nothing next to 1
_KNOTS = 257
_STEPS = 10  # for shapes (140, 8) five are enough, for (1000, 0.5) ten
LEAST = 1e-6
"""A spread that is none, and of which the shapes are still numbers."""


class Knots(NamedTuple):
    """logit, slope: log(x / (1 - x)) and its derivative at evenly spaced latent numbers,
    [..., knots]."""

    logit: Any
    slope: Any


def shapes(mean: Any, sd: Any) -> tuple[Any, Any]:
    """Return a and b of the Beta distribution of a mean and standard deviation (moments matched).

    There is one where 0 < mean < 1 and sd^2 < mean (1 - mean); not a number or negative elsewhere.
    """
    both = mean * (1.0 - mean) / jnp.maximum(sd, LEAST) ** 2 - 1.0
    return mean * both, (1.0 - mean) * both


def log_density(a: Any, b: Any, v: Any) -> Any:
    """Return the logarithm of the density of v = log(x / (1 - x))."""
    return a * v - (a + b) * jax.nn.softplus(v) - _log_beta(a, b)


def log_below(a: Any, b: Any, v: Any) -> Any:
    """Return log P(log(x / (1 - x)) < v), broadcast; for v up to about the median.

    To 1e-12 of itself, less what the logarithm of B(a, b) loses (1e-9 for shapes of 1e6). Above the
    median ask for `log_below(b, a, -v)`.
    """
    a, b, v = jnp.broadcast_arrays(a, b, v)
    x, total = jax.nn.sigmoid(v), a + b + 2.0
    length = jax.lax.stop_gradient(_length(a + 2.0, total, x))[..., None]
    t = length * _AT.astype(v.dtype)
    drop = (a + 2.0)[..., None] * t + total[..., None] * jnp.log1p(x[..., None] * jnp.expm1(-t))
    rest = length[..., 0] * (jnp.exp(-drop) @ _WEIGHT.astype(v.dtype))
    series = 1.0 + x * (a + b) / (a + 1.0) * (1.0 + x * (a + b + 1.0) * rest)
    return log_density(a, b, v) - jnp.log(a) + jnp.log(series)


def knots_of(mean: Any, sd: Any) -> Knots:
    """Return log(x / (1 - x)) where P(X < x) = Phi(y), for latent numbers y in [-FAR, FAR].

    By Newton's method on the logarithm of the smaller tail, which is concave. Derivatives are those
    of the last step, at which the rest has converged.
    """
    a, b = (shape[..., None] for shape in shapes(mean, sd))
    y = np.linspace(-FAR, FAR, _KNOTS)
    target = log_ndtr(-np.abs(y)).astype(a.dtype)
    y = y.astype(a.dtype)
    z = -np.abs(y)
    lower, upper = jnp.where(y < 0.0, a, b), jnp.where(y < 0.0, b, a)
    square = 1.0 / lower + 1.0 / upper
    skew = (1.0 / upper**2 - 1.0 / lower**2) / square
    start = jnp.log(lower / upper) + z * jnp.sqrt(square) + (z * z - 1.0) * skew / 6.0

    def step(v: jax.Array, _: None) -> tuple[jax.Array, None]:
        v = jax.lax.stop_gradient(v)
        below = log_below(lower, upper, v)
        slope = jax.lax.stop_gradient(jnp.exp(log_density(lower, upper, v) - below))
        return v - (below - target) / slope, None

    v, _ = jax.lax.scan(step, start, length=_STEPS)
    log_normal = -0.5 * y * y - 0.5 * np.log(2.0 * np.pi)
    slope = jnp.exp(log_normal - log_density(lower, upper, v))
    return Knots(jnp.where(y < 0.0, v, -v), slope)


def between(knots: Knots, row: Any, y: Any) -> Any:
    """Return log(x / (1 - x)) at latent numbers y of the distributions in rows `row`, broadcast.

    Cubic Hermite interpolation: x to 1e-10 where both shapes are over 1, to 1e-8 where one is 0.3.
    """
    gap = 2.0 * FAR / (_KNOTS - 1)
    place = jnp.clip((y + FAR) / gap, 0.0, _KNOTS - 1.0)
    cell = jnp.minimum(jnp.floor(place).astype(int), _KNOTS - 2)
    t, at = place - cell, row * _KNOTS + cell
    logit, slope = knots.logit.reshape(-1), gap * knots.slope.reshape(-1)
    left, right, rise, fall = logit[at], logit[at + 1], slope[at], slope[at + 1]
    step = right - left
    return left + t * (rise + t * (3.0 * step - 2.0 * rise - fall + t * (rise + fall - 2.0 * step)))


def _log_beta(a: Any, b: Any) -> Any:
    return gammaln(a) + gammaln(b) - gammaln(a + b)


def _length(a: Any, total: Any, x: Any) -> Any:
    """Return where l has fallen by about `_DROP`, or more: l is concave, so that one step of
    Newton's method from the parabola at t = 0 does not stop short."""
    gap, bend = a - total * x, total * x * (1.0 - x)
    most = (_DROP - total * jnp.log1p(-x)) / a
    t = jnp.minimum(2.0 * _DROP / (gap + jnp.sqrt(gap * gap + 2.0 * _DROP * bend)), most)
    less = x * jnp.exp(-t)
    left = 1.0 - x + less
    slope = total * less / left - a
    newton = t - (_DROP - a * t - total * jnp.log(left)) / slope
    return jnp.where(slope < 0.0, jnp.minimum(newton, most), most)
