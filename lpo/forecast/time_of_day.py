"""The empirical quantile of demand by time of day."""

from collections.abc import Callable

import numpy as np

BUCKET_S = 3600.0
BUCKETS = 24


def fit_time_of_day(
    clock: np.ndarray, target: np.ndarray, level: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Return clock -> quantile of the target at `level` among the targets of the same hour.

    clock: second of day in [0, 86 400) of each target, of its shape; NaN where it is not known.
    An hour without a target and an unknown time get the quantile of all targets. The quantile of n
    targets is the ceil(n level)-th smallest, which no constant beats under the pinball loss.
    """
    overall = _quantile(target, level)
    hour = _hour(clock)
    by_hour = np.full(BUCKETS + 1, overall)  # the last: an unknown time
    for each in np.unique(hour[hour < BUCKETS]):
        by_hour[each] = _quantile(target[hour == each], level)
    return lambda clock: by_hour[_hour(clock)]


def _hour(clock: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(clock), BUCKETS, np.nan_to_num(clock) // BUCKET_S).astype(int)


def _quantile(target: np.ndarray, level: float) -> float:
    return float(np.quantile(target, level, method="inverted_cdf"))
