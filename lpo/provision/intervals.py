"""Intervals of means over seeds by Student's t, of what consecutive windows have by a bootstrap."""

from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
BLOCK_WINDOWS = 12  # of windows that do not overlap; twice the overlap where they do


class Interval(NamedTuple):
    """A 95 % interval; both ends are NaN where there is nothing to estimate it from."""

    low: float
    high: float


def seed_interval(values: np.ndarray) -> Interval:
    """Student's t-interval for the mean of one value a seed, [seeds]; NaN for one seed."""
    count = len(values)
    if count < 2:
        return Interval(np.nan, np.nan)
    half = stats.t.ppf(0.5 + LEVEL / 2, count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return Interval(float(np.mean(values) - half), float(np.mean(values) + half))


def ratio_of_sums(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """sum(numerator) / sum(denominator) over the last axis; NaN where the denominator sums to 0.

    `denominator` is broadcast to the shape of `numerator`.
    """
    below = np.broadcast_to(denominator, numerator.shape).sum(axis=-1)
    return np.divide(
        numerator.sum(axis=-1), below, out=np.full_like(below, np.nan), where=below != 0
    )


def block_length(window: int, stride: int) -> int:
    """Windows in a block: 12, or twice as many as overlap if that is more. Lengths in bins."""
    overlap = -(-window // stride)
    return BLOCK_WINDOWS if overlap == 1 else max(BLOCK_WINDOWS, 2 * overlap)


def block_interval(
    numerator: np.ndarray, denominator: np.ndarray, *, block: int, seed: int = 0, draws: int = 1000
) -> Interval:
    """Moving-block bootstrap interval of `ratio_of_sums` over consecutive windows.

    `numerator`, `denominator`: [windows]. Blocks of `block` consecutive windows are drawn with
    replacement, which keeps the dependence inside a block (Kunsch, 1989). The same `seed` draws the
    same blocks, so the interval of a difference of two methods' numerators is a paired one. NaN
    when there are fewer than two blocks.
    """
    count = len(numerator)
    if count < 2 * block:
        return Interval(np.nan, np.nan)
    starts = _starts(count, block, draws, seed)

    def resampled(values: np.ndarray) -> np.ndarray:
        total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        return (total[starts + block] - total[starts]).sum(axis=1)

    above, below = resampled(numerator), resampled(denominator)
    # a draw of blocks without demand has no ratio (its denominator is rounding)
    some = np.abs(below) > 1e-9 * np.abs(denominator).sum()
    if not some.any():
        return Interval(np.nan, np.nan)
    low, high = np.quantile(above[some] / below[some], [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(float(low), float(high))


def block_median_interval(
    values: np.ndarray, *, block: int, seed: int = 0, draws: int = 1000
) -> Interval:
    """Moving-block bootstrap interval of the median of consecutive `values` [windows], as
    `block_interval` draws them; as many as there are, the last block cut off."""
    count = len(values)
    if count < 2 * block:
        return Interval(np.nan, np.nan)
    places = _starts(count, block, draws, seed)[..., None] + np.arange(block)
    medians = np.median(values[places.reshape(draws, -1)[:, :count]], axis=1)
    low, high = np.quantile(medians, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(float(low), float(high))


def _starts(count: int, block: int, draws: int, seed: int) -> np.ndarray:
    """Where drawn blocks begin, [draws, blocks]."""
    return np.random.default_rng(seed).integers(0, count - block + 1, (draws, -(-count // block)))
