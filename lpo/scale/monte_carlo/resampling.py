"""Bootstrap: what the curves would have been with other queries of the same kind."""

from typing import NamedTuple

import jax
import numpy as np
from jax import Array

from lpo.errors import InputError
from lpo.scale.monte_carlo.paths import Paths


class Resampled(NamedTuple):
    """Means over resampled queries, float64 [draws, m, p, K]: dollars, seconds, accuracy."""

    cost: np.ndarray
    time: np.ndarray
    accuracy: np.ndarray


def trial_weights(key: Array, trials: int, draws: int) -> np.ndarray:
    """Return how often each query is drawn, int [draws, trials]: `trials` times with replacement
    (multinomial; Efron, "Bootstrap methods: another look at the jackknife", 1979).

    Raises InputError where either number is below 1.
    """
    for name, number in (("trials", trials), ("draws", draws)):
        if number != int(number) or number < 1:
            raise InputError(f"`{name}` must be a whole number of at least 1, got {number}.")
    at = np.asarray(jax.random.randint(key, (draws, trials), 0, trials, np.int32), np.int64)
    apart = at + trials * np.arange(draws)[:, None]
    return np.bincount(apart.ravel(), minlength=draws * trials).reshape(draws, trials)


def resampled_means(key: Array, paths: Paths, draws: int) -> Resampled:
    """Return the means of `draws` resamples of the queries.

    A resample has the same queries for every model, k and number of slots, so that differences
    between them keep their small variance. Raises InputError as `trial_weights`.
    """
    trials = paths.cost.shape[-2]
    weights = trial_weights(key, trials, draws) / trials

    def means(values: np.ndarray) -> np.ndarray:
        """[..., M, K] as [draws, ..., K]."""
        K = values.shape[-1]
        flat = values.reshape(-1, trials, K)
        made = np.stack([weights @ each.astype(np.float64) for each in flat], 1)
        return made.reshape(draws, *values.shape[:-2], K)

    time = means(paths.time)
    cost, accuracy = (
        np.broadcast_to(means(values)[:, :, None], time.shape)
        for values in (paths.cost, paths.accuracy)
    )
    return Resampled(cost, time, accuracy)
