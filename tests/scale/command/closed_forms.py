"""The default question answered without the package: closed forms, sums on a grid, volumes."""

from typing import NamedTuple

import numpy as np
from scipy import stats


class Means(NamedTuple):
    """Of k passes, [m, K]: means and standard deviations."""

    cost_usd: np.ndarray
    time_s: np.ndarray
    accuracy: np.ndarray
    cost_sd: np.ndarray
    time_sd: np.ndarray
    accuracy_sd: np.ndarray


def in_waves(models, k, slots, order_statistic) -> Means:
    """Means of waves of passes and of their best scores; order_statistic: mean and standard
    deviation of the greatest of n standard normal numbers.

    Lengths of the nine models are cut off sixteen standard deviations from their means, so that
    they are normal numbers.
    """
    prompt, output = models.prompt[:, None], models.output[:, None]
    spreads = models.prompt_sd[:, None], models.output_sd[:, None]
    prices = models.input_price[:, None], models.output_price[:, None]
    speeds = models.input_s[:, None], models.output_s[:, None]
    cost, time = (one * prompt + other * output for one, other in (prices, speeds))
    cost_sd, time_sd = (np.hypot(*map(np.multiply, each, spreads)) for each in (prices, speeds))
    greatest = np.array([(0.0, 0.0)] + [order_statistic(n) for n in range(1, slots + 1)])
    full, rest = k // slots, k % slots
    waves = full + (rest > 0)
    late = full * greatest[slots, 0] + greatest[rest, 0]
    accuracy, accuracy_sd = best_scores(models, k)
    return Means(
        k * cost,
        waves * time + late * time_sd,
        accuracy,
        np.sqrt(k) * cost_sd,
        np.sqrt(full * greatest[slots, 1] ** 2 + greatest[rest, 1] ** 2) * time_sd,
        accuracy_sd,
    )


def best_scores(models, k) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the best of k = 1, 2, ... clipped normal scores, by Simpson's
    rule on [0, 1]."""
    x = np.linspace(0.0, 1.0, 10_001)
    weight = np.where(np.arange(len(x)) % 2, 4.0, 2.0)
    weight[[0, -1]] = 1.0
    weight /= weight.sum()
    means, spreads = [], []
    for mean, sd in zip(models.accuracy, models.accuracy_sd, strict=True):
        worse = np.cumprod(np.tile(stats.norm.cdf(x, mean, sd), (len(k), 1)), 0)
        short = worse @ weight  # E[1 - A], which keeps its digits near A = 1
        square = (2.0 * (1.0 - x) * worse) @ weight
        means.append(1.0 - short)
        spreads.append(np.sqrt(square - short**2))
    return np.array(means), np.array(spreads)


def volume_of(points, limits) -> float:
    """What points (cost, time, accuracy) leave free of the box of limits, over cost and time
    limits: slices of equal accuracy, each the union of rectangles."""
    shares = [(c / limits[0], t / limits[1], a) for c, t, a in points]
    levels = sorted({a for *_, a in shares if a > limits[2]})
    total = 0.0
    for below, level in zip([limits[2], *levels], levels, strict=False):
        area, fastest = 0.0, 1.0
        for c, t, a in sorted(shares):
            if a >= level and c < 1.0 and t < fastest:
                area, fastest = area + (1.0 - c) * (fastest - t), t
        total += (level - below) * area
    return total
