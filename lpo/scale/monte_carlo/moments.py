"""Means and sums of squares of simulated queries that may be put together."""

from collections.abc import Iterable
from functools import reduce
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.scale.curves import Estimate


class Moments(NamedTuple):
    """Of `count` queries: their mean, and the sum of squared distances to it; float64 [...]."""

    count: int
    mean: np.ndarray
    squares: np.ndarray


def mean_and_squares(values: Array, counted: Array, count: Array) -> tuple[Array, Array]:
    """Return the mean of values [..., N] over those of `counted` bool [N], `count` of them, and the
    sum of squared distances to it; float64 [...]."""
    # in two passes: a sum of squares less the square of a sum has no digits left at small spreads
    mean = jnp.where(counted, values, 0.0).astype(jnp.float64).sum(-1) / count
    rest = jnp.where(counted, values - mean[..., None], 0.0)
    return mean, (rest * rest).sum(-1)


def merged(parts: Iterable[Moments]) -> Moments:
    """Return the moments of all parts (Chan, Golub and LeVeque, "Updating formulae and a pairwise
    algorithm for computing sample variances", 1979)."""

    def add(one: Moments, other: Moments) -> Moments:
        count = one.count + other.count
        step = other.mean - one.mean
        mean = one.mean + step * (other.count / count)
        squares = one.squares + other.squares + step**2 * (one.count * other.count / count)
        return Moments(count, mean, squares)

    return reduce(add, parts)


def estimate_of(given: Moments, tails: Any = None) -> Estimate:
    """Return mean, standard deviation (ddof 1), standard error of the mean, and percentiles that
    are given [2, ...], or None."""
    sd = np.sqrt(given.squares / (given.count - 1))
    low, high = (None, None) if tails is None else tails
    return Estimate(given.mean, sd, sd / np.sqrt(given.count), low, high)
