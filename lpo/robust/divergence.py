"""The worst mean of a sample of losses over laws near its own: KL and chi-square balls, the tail.

A law near the sample has a density ratio r >= 0, E r = 1, where E is the mean over the n losses;
each set bounds r in its own way. The worst case max_r E[r l] is attained by an r that is a function
of the loss alone, so the few numbers that fix this function, the dual, are solved on one sample and
weigh losses of any other.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import xlogy

from lpo.errors import InputError

HALVINGS = 60
"""Bisections of a width's logarithm, from a bracket of some 50 to the precision of float64."""


class Divergence(NamedTuple):
    """A set of laws near an empirical one, by its worst case.

    `dual(losses [n]) -> dual`: a pytree of scalars. `weights(losses [m], dual) -> r [m]`: the
    worst-case density ratio at each loss, which has mean one over the sample of the dual; a loss
    above the largest of that sample has the largest's. Losses are floats in any unit. Neither
    function is for differentiation: the worst case needs no gradient of r.
    """

    dual: Callable[[Array], Any]
    weights: Callable[[Array, Any], Array]

    def value(self, losses: Array) -> Array:
        """max_r E[r l] over losses [n]; its gradient is E[r grad l] at the worst r (Danskin)."""
        fixed = jax.lax.stop_gradient(losses)
        return jnp.mean(self.weights(fixed, self.dual(fixed)) * losses)


class BallDual(NamedTuple):
    """The worst case of a ball. A loss l has the height u = (l - top) / spread, at most 0.

    `top`: largest loss of the sample; `spread`: largest less smallest, infinite where all are
    equal, so that every loss has the height 0 and r = 1; `width`: in heights, the temperature a of
    a KL ball, or top - eta of a chi-square ball; `normaliser`: mean weight before division by it.
    """

    top: Array
    spread: Array
    width: Array
    normaliser: Array


class TailDual(NamedTuple):
    """`quantile`: the loss at which the tail begins; `share`: r of a loss equal to it."""

    quantile: Array
    share: Array


def kl(epsilon: float) -> Divergence:
    """The laws p with KL(p || sample) <= `epsilon` nats.

    max_p E_p l = min_{a > 0} a log E exp(l / a) + a epsilon (Hu and Hong, Kullback-Leibler
    divergence constrained distributionally robust optimization, 2013), attained by
    r = exp(l / a) / E exp(l / a) at the temperature a where this law has divergence epsilon. From
    epsilon = log(n / ties of the largest loss) on, a = 0 and the worst case is the largest loss.
    Raises InputError unless `epsilon` is positive and finite.
    """
    _check_radius(epsilon)
    return _ball(
        epsilon,
        tilt=lambda height, width: jnp.exp(height / width),
        divergence=lambda r: jnp.mean(xlogy(r, r)),
        # the heights have variance at most 1/4 under every tilt, so KL <= 1 / (8 width^2)
        widest=lambda height: jnp.full_like(height[0], (8.0 * epsilon) ** -0.5),
    )


def chi_square(epsilon: float) -> Divergence:
    """The laws with E(r - 1)^2 / 2 <= `epsilon`.

    max_r E[r l] = min_eta eta + sqrt(1 + 2 epsilon) sqrt(E (l - eta)_+^2) (Duchi and Namkoong,
    Learning models with uniform performance via distributionally robust optimization, 2021, with
    k = 2), attained by r = (l - eta)_+ / E (l - eta)_+. While every weight is positive this is
    E l + sqrt(2 epsilon Var l), afterwards less. From 1 + 2 epsilon = n / ties of the largest loss
    on, the worst case is the largest loss.
    Raises InputError unless `epsilon` is positive and finite.
    """
    _check_radius(epsilon)
    return _ball(
        epsilon,
        tilt=lambda height, width: jnp.maximum(height + width, 0.0),
        divergence=lambda r: 0.5 * jnp.mean((r - 1.0) ** 2),
        # exact while every weight is positive; where some are zero it is inside the ball
        widest=lambda height: jnp.std(height) * (2.0 * epsilon) ** -0.5 - jnp.mean(height),
    )


def cvar(tail: float) -> Divergence:
    """The laws with r <= 1 / `tail`; the worst case is the mean of the worst share `tail`.

    max_r E[r l] = min_b b + E(l - b)_+ / tail (Rockafellar and Uryasev, Optimization of conditional
    value-at-risk, 2000), attained by r = 1 / tail above the quantile b, 0 below it, and what is
    missing to E r = 1 at the losses equal to b. Its level in `lpo.provision` is 1 - tail.
    Raises InputError unless `tail` is in (0, 1).
    """
    if not 0.0 < tail < 1.0:
        raise InputError(f"`tail` must be in (0, 1), got {tail}.")

    def dual(losses: Array) -> TailDual:
        # the smallest loss with less than `tail` of the sample above it
        quantile = jnp.sort(losses)[-math.ceil(tail * losses.shape[0])]
        above = jnp.mean(losses > quantile, dtype=losses.dtype)
        equal = jnp.mean(losses == quantile, dtype=losses.dtype)
        # a small difference over a small share: rounding could take it out of its range
        return TailDual(quantile, jnp.clip((1.0 - above / tail) / equal, 0.0, 1.0 / tail))

    def weights(losses: Array, dual: TailDual) -> Array:
        at_quantile = jnp.where(losses == dual.quantile, dual.share, 0.0)
        return jnp.where(losses > dual.quantile, 1.0 / tail, at_quantile)

    return Divergence(dual, weights)


def _check_radius(epsilon: float) -> None:
    if not 0.0 < epsilon < math.inf:
        raise InputError(f"`epsilon` must be positive and finite, got {epsilon}.")


def _ball(
    epsilon: float,
    *,
    tilt: Callable[[Array, Array], Array],
    divergence: Callable[[Array], Array],
    widest: Callable[[Array], Array],
) -> Divergence:
    """A ball of radius `epsilon` whose worst case has r proportional to `tilt(height, width)`.

    `divergence(r)` of this r falls as the width grows; `widest(height)` is a width inside the ball.
    """

    def dual(losses: Array) -> BallDual:
        top, spread = jnp.max(losses), jnp.max(losses) - jnp.min(losses)
        spread = jnp.where(spread == 0.0, jnp.inf, spread)
        height = (losses - top) / spread

        def halve(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = bracket
            middle = jnp.sqrt(low * high)
            tilted = tilt(height, middle)
            inside = divergence(tilted / jnp.mean(tilted)) <= epsilon
            return jnp.where(inside, low, middle), jnp.where(inside, middle, high)

        # The limit, all mass on the top: far narrower than the gap to the next loss, which rounding
        # keeps above a quarter of the machine precision where no loss is negative.
        least = jnp.full_like(top, 1e-3 * float(jnp.finfo(losses.dtype).eps))
        bracket = (least, jnp.maximum(widest(height), least))
        _, width = jax.lax.fori_loop(0, HALVINGS, halve, bracket)
        return BallDual(top, spread, width, jnp.mean(tilt(height, width)))

    def weights(losses: Array, dual: BallDual) -> Array:
        height = (losses - dual.top) / dual.spread
        # Held at the largest loss of the sample: one that the sample happened to miss would
        # outweigh all others, and one far above would overflow.
        return tilt(jnp.minimum(height, 0.0), dual.width) / dual.normaliser

    return Divergence(dual, weights)
