"""Arrival rates of the classes, as a controller measures them. docs/serve_replay.md."""

import numpy as np

from lpo.errors import InputError


def window_edges(duration_s: float, window_s: float) -> np.ndarray:
    """Return the ends of windows from 0 on, float64 [K + 1]; the last window may be shorter.

    Raises InputError on a window that is not positive and finite.
    """
    if not (np.isfinite(window_s) and window_s > 0.0):
        raise InputError(f"`window_s` must be positive and finite, got {window_s}.")
    # a whole number of windows that rounding has made larger by a bit is that number
    windows = max(int(np.ceil(duration_s / window_s * (1.0 - 1e-12))), 1)
    return np.append(np.arange(windows) * window_s, duration_s)


def window_counts(
    time_s: np.ndarray, kinds: np.ndarray, classes: int, edges: np.ndarray
) -> np.ndarray:
    """Return the arrivals of each window and class, int64 [K, I].

    A window holds its first edge and not its second, but the last one holds its end.
    """
    K = len(edges) - 1
    window = np.minimum(np.searchsorted(edges, time_s, side="right") - 1, K - 1)
    inside = (time_s >= edges[0]) & (time_s <= edges[-1])
    flat = window[inside] * classes + kinds[inside]
    return np.bincount(flat, minlength=K * classes).reshape(K, classes)


def measured_rates(
    counts: np.ndarray,
    window_s: float,
    prior: np.ndarray,
    *,
    weight: float = 0.3,
    least: float = 0.5,
) -> np.ndarray:
    """Return the rates that are known when each window begins, float64 [K, I], per second.

    An exponentially weighted moving average: of the first window `prior` [I], and then
    rate <- (1 - weight) rate + weight (arrivals of the window before) / window_s. Row k sees the
    windows before k only. least: arrivals per window that are reckoned with at the least, because
    a gate that follows a plan would never admit a class that the plan does not know.

    Raises InputError on a weight outside (0, 1].
    """
    if not 0.0 < weight <= 1.0:
        raise InputError(f"`weight` must be above 0 and at most 1, got {weight}.")
    rates = np.empty(counts.shape)
    rates[:1] = prior
    for k in range(1, len(counts)):
        rates[k] = (1.0 - weight) * rates[k - 1] + weight * counts[k - 1] / window_s
    return np.maximum(rates, least / window_s)
