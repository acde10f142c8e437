"""Times of which some were not over when the run ended."""

from typing import NamedTuple

import numpy as np

from lpo.scale.passes import Pairs, make_pairs


class Times(NamedTuple):
    """Of N passes, or waves. seconds float64 [N]: how long each took, or had taken when the run
    ended. known bool [N]: whether it was complete then."""

    seconds: np.ndarray
    known: np.ndarray


def law_of(times: Times) -> Pairs:
    """Return the law of times as `Pairs`, seconds in place of outputs: for `Models` with input_s 0
    and output_s 1.

    The product-limit estimate (Kaplan and Meier, "Nonparametric estimation from incomplete
    observations", 1958): who is not complete counts as known to take at least so long. What
    probability is left beyond the last complete one is put on the longest time that was seen, so
    that means are then bounds from below.
    """
    order = np.lexsort((~times.known, times.seconds))  # at equal times the known ones first
    seconds, known = times.seconds[order], times.known[order]
    at_risk = np.arange(len(seconds), 0, -1)
    above = np.cumprod(1.0 - known / at_risk)
    weight = -np.diff(above, prepend=1.0)
    weight[-1] += above[-1]
    kept = weight > 0.0
    return make_pairs(np.zeros(kept.sum()), seconds[kept], weight[kept])


def moments_of(times: Times) -> tuple[float, float]:
    """Return mean and standard deviation of the law of times, s; NaN of nothing."""
    if not len(times.seconds):
        return np.nan, np.nan
    law = law_of(times)
    mean = float(law.weight @ law.output)
    return mean, float(np.sqrt(law.weight @ (law.output - mean) ** 2))


def longest_of_waves(times: Times, wave: np.ndarray, size: np.ndarray) -> Times:
    """Return the times of waves [waves]: of the longest pass of each, known where all are.

    wave [N], size [waves]: as of `Bursts`. The passes of a wave begin together, so that one that is
    not complete has taken as long as the wave.
    """
    seconds = np.zeros(len(size))
    np.maximum.at(seconds, wave, times.seconds)
    return Times(seconds, np.bincount(wave[times.known], minlength=len(size)) == size)
