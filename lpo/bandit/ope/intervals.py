"""Confidence intervals of off-policy estimates. docs/off_policy_evaluation.md, "Intervals"."""

from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtri

from lpo.bandit.ope.estimators import Scores, standard_error, value

_DRAWN = 1 << 22  # rows of resamples that are held at a time


class Interval(StrEnum):
    """What `evaluate` offers."""

    NORMAL = "normal"
    BOOTSTRAP = "bootstrap"
    EMPIRICAL_BERNSTEIN = "empirical_bernstein"


class Ranges(NamedTuple):
    """What is known of a log without looking at it; the empirical Bernstein interval is an
    interval because of it.

    reward_low, reward_high: no reward lies outside. weight: no weight pi / p is greater, for a log
    with epsilon mixing K / epsilon; infinity where nothing is known, which leaves clipped weights.
    """

    reward_low: float
    reward_high: float
    weight: float = float("inf")


@jax.jit
def normal_interval(scores: Scores, level: Any = 0.95) -> tuple[Array, Array]:
    """Return estimate -+ z standard errors (central limit theorem), two arrays [...]."""
    middle = value(scores)
    half = ndtri(0.5 + 0.5 * jnp.asarray(level, middle.dtype)) * standard_error(scores)
    return middle - half, middle + half


def bootstrap_interval(
    key: Array, scores: Scores, level: Any = 0.95, draws: int = 1000
) -> tuple[Array, Array]:
    """Return percentiles of the estimates on `draws` resamples of the rows, two arrays [...].

    Efron, "Bootstrap methods: another look at the jackknife", 1979. All estimates of all policies
    are made on the same resamples. A resample on which a ratio is 0 / 0 does not count.
    """
    resampled = resampled_values(key, scores, draws)
    tail = 0.5 - 0.5 * jnp.asarray(level, resampled.dtype)
    low, high = jnp.nanquantile(resampled, jnp.stack([tail, 1.0 - tail]), 0)
    return low, high


@partial(jax.jit, static_argnames="draws")
def resampled_values(key: Array, scores: Scores, draws: int) -> Array:
    """Return the estimates [draws, ...] on resamples, each of n rows drawn with replacement."""
    n = scores.numerator.shape[-1]
    both = jnp.stack(scores)  # [2, ..., n]

    def one(draw: Array) -> Array:
        # half the words of `jax.random.randint`; a row's chance is off by n / 2^32 of itself
        bits = jax.random.bits(jax.random.fold_in(key, draw), (n,), jnp.uint32)
        rows = (bits.astype(both.dtype) * (n / 2.0**32)).astype(jnp.int32)
        times = jnp.zeros(n, both.dtype).at[jnp.minimum(rows, n - 1)].add(1.0)
        above, below = both @ times
        return above / below

    return jax.lax.map(one, jnp.arange(draws), batch_size=max(1, min(draws, _DRAWN // n)))


@jax.jit
def empirical_bernstein_interval(
    rows: Array, low: Any, high: Any, level: Any = 0.95
) -> tuple[Array, Array]:
    """Return an interval for the mean of independent `rows` [..., n] in [low, high], two arrays
    [...]; it holds for every n.

    mean -+ ( sqrt(2 V l / n) + 7 (high - low) l / (3 (n - 1)) ), l = log(4 / (1 - level)), V the
    sample variance: Maurer and Pontil, "Empirical Bernstein bounds and sample variance
    penalization", 2009, theorem 4, once to each side.
    """
    n = rows.shape[-1]
    log = jnp.log(4.0 / (1.0 - jnp.asarray(level, rows.dtype)))
    spread = jnp.sqrt(2.0 * jnp.var(rows, -1, ddof=1) * log / n)
    half = spread + 7.0 * (jnp.asarray(high) - low) * log / (3.0 * (n - 1))
    return rows.mean(-1) - half, rows.mean(-1) + half


def weighted_range(ranges: Ranges, weight: float) -> tuple[float, float]:
    """Return the range of w r for weights of 0 to `weight` and rewards within theirs."""
    low = weight * ranges.reward_low if ranges.reward_low < 0.0 else 0.0
    high = weight * ranges.reward_high if ranges.reward_high > 0.0 else 0.0
    return low, high
