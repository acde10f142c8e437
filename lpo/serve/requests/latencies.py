"""How long requests waited for their tokens, and percentiles where some still do."""

from typing import NamedTuple

import numpy as np

from lpo.serve.requests.arrivals import Requests
from lpo.serve.requests.served import Served, Status


class Latencies(NamedTuple):
    """Of R requests, [R] or [S, R].

    ttft_s: float64, s from arrival to the first token, when the prompt has been read; NaN for those
    who left before, infinite for those who still wait for it. tpot_s: float64, s per generated
    token, the wait for a decode slot included: (finish - first token) / decode tokens; NaN for
    those who left, infinite for those who are not complete. left: bool, gave up, refused or
    dropped. Nobody, and who has not arrived yet, has NaN and False.
    """

    ttft_s: np.ndarray
    tpot_s: np.ndarray
    left: np.ndarray


def latencies_of(requests: Requests, served: Served) -> Latencies:
    """Return how long the requests of a run, or of S runs, waited."""
    ttft = served.first_token_s - requests.arrival_s
    tpot = (served.finish_s - served.first_token_s) / requests.decode
    here = (Status.WAITING_PREFILL, Status.PREFILLING, Status.WAITING_DECODE, Status.DECODING)
    return Latencies(
        np.where(np.isin(served.status, here[:2]), np.inf, ttft),
        np.where(np.isin(served.status, here), np.inf, tpot),
        ~np.isnan(served.left_s),
    )


def quantiles(values: np.ndarray, at_least: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Return the least values that the shares `levels` are not above, [len(levels)].

    values [R]: infinite for those that are not known, of which `at_least` [R] is known; NaN ones
    are left out. The product-limit estimate (Kaplan and Meier, "Nonparametric estimation from
    incomplete observations", 1958), which the values not known neither shorten nor lengthen; where
    all are known, it is the plain quantile. Infinite where the known ones do not reach a level, NaN
    of nothing.
    """
    kept = ~np.isnan(values)
    values, at_least = values[kept], at_least[kept]
    known = np.isfinite(values)
    times = np.where(known, values, at_least)
    order = np.lexsort((~known, times))  # at equal times the known ones first
    times, known = times[order], known[order]
    at_risk = np.arange(len(times), 0, -1)
    above = np.cumprod(1.0 - known / at_risk)
    if not len(times):
        return np.full(len(levels), np.nan)
    # rounding must not move a share that is reached exactly
    first = [np.argmax(known & (above <= 1.0 - level + 1e-12)) for level in levels]
    reached = [above[known].min(initial=1.0) <= 1.0 - level + 1e-12 for level in levels]
    return np.where(reached, times[first], np.inf)
