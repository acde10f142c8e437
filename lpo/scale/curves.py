"""Accuracy, cost and time of k passes, for every model, parallelism and k."""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit


class Estimate(NamedTuple):
    """A number of one query, arrays [m, p, K].

    mean, sd: over queries. sem: standard error of the mean, 0 where it is exact, sd / sqrt(trials)
    where it is simulated. low, high: percentiles 2.5 and 97.5 of single queries, a spread and no
    interval of the mean; None where they were not asked for.
    """

    mean: Any
    sd: Any
    sem: Any
    low: Any = None
    high: Any = None


class Curves(NamedTuple):
    """k int [K] passes on parallel int [p] slots.

    cost: dollars. time: seconds. accuracy: in [0, 1]. trials: simulated queries, None where
    everything is exact. met: int [s, m, p, K], how many trials kept all limits of each of s
    scenarios, None where nobody asked.
    """

    k: Any
    parallel: Any
    cost: Estimate
    time: Estimate
    accuracy: Estimate
    trials: int | None = None
    met: Any = None


class Limits(NamedTuple):
    """At most cost dollars and time seconds, at least accuracy; numbers, or [s] scenarios."""

    cost: Any
    time: Any
    accuracy: Any


def confidence(estimate: Estimate, trials: int, level: float = 0.95) -> tuple[Any, Any]:
    """Return the interval of the mean at a level: normal, Student's t below 50 trials."""
    tail = 0.5 + 0.5 * level
    wide = ndtri(tail) if trials >= 50 else stdtrit(trials - 1, tail)
    half = wide * np.asarray(estimate.sem)
    return estimate.mean - half, estimate.mean + half
