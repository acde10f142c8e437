"""Built-in workload: demand of several LLM services, made and not downloaded.

Requests arrive as a Poisson process whose rate is the product of a daily cycle, a weekly cycle, a
slow random drift and bursts; each brings a random number of tokens, so demand in a bin is compound
Poisson. What published production traces report, and where it enters here:

- request lengths have a heavy, log-normal-like tail: in the public Azure LLM inference traces of
  2023 (Patel et al., "Splitwise", ISCA 2024) the mean prompt is 1155 (conversation) and 2048 tokens
  (code), the median 1020 and 1469, and E[L^2]/E[L]^2 is 1.92 and 1.93, which a log-normal with
  `length_sigma` 0.81 has;
- demand follows day and week, code far more than conversation: Azure 2024 (Stojkovic et al.,
  "DynamoLLM", HPCA 2025). `chat` and `code` have about the mean demand of its two services, 383
  and 197 thousand prompt tokens per 5 s;
- from bin to bin the same two vary by 9 % and 19 % of their mean at 5 s, and still by 6 % and 11 %
  at 60 s, where independent arrivals would leave 3 %: hence drift and bursts. That burstiness
  differs between services and varies over time is also what BurstGPT reports (Wang et al.,
  arXiv 2401.17644).

`agents` (long inputs, few requests, violent bursts) and `chat_later` (the chat service months on:
more and longer requests, another peak hour, rougher) are ours: they shift what `chat` teaches.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from lpo.errors import InputError
from lpo.workload.series import Series, Workload

DAY_S = 86_400.0
LENGTH_CLASSES = 32


class Service(NamedTuple):
    """Demand of one service in law. Rates are long-run means.

    `tokens_per_s`: mean demand. `length_mean`, `length_sigma`: mean (tokens) and log standard
    deviation of a request's length, `length_max` its cap (tokens). `daily`: amplitude of the daily
    cycle as a share of the mean; `peak_h`: its hour; `weekend`: demand of a weekend day by that of
    a working day. `drift`, `drift_s`: log standard deviation and correlation time of the slow
    drift. `burst`: mean extra demand in bursts as a share of the rest; `burst_s`: how long a burst
    takes to fall to 1/e; `bursts_per_h`: how often one starts.
    """

    name: str
    start: str
    tokens_per_s: float
    length_mean: float
    length_sigma: float
    length_max: float
    daily: float
    peak_h: float
    weekend: float
    drift: float
    drift_s: float
    burst: float
    burst_s: float
    bursts_per_h: float


SERVICES = (
    Service(
        "chat", "2024-06-01T00:00:00", 76_600.0, 1_700.0, 0.81, 16_000.0,
        daily=0.45, peak_h=15.0, weekend=0.75, drift=0.12, drift_s=7_200.0,
        burst=0.05, burst_s=60.0, bursts_per_h=60.0,
    ),
    Service(
        "code", "2024-06-01T00:00:00", 39_300.0, 2_050.0, 0.81, 8_000.0,
        daily=0.75, peak_h=18.0, weekend=0.25, drift=0.20, drift_s=5_400.0,
        burst=0.10, burst_s=40.0, bursts_per_h=60.0,
    ),
    Service(
        "agents", "2024-06-01T00:00:00", 50_000.0, 9_000.0, 1.2, 128_000.0,
        daily=0.25, peak_h=3.0, weekend=0.9, drift=0.20, drift_s=7_200.0,
        burst=0.40, burst_s=240.0, bursts_per_h=12.0,
    ),
    Service(
        "chat_later", "2024-11-02T00:00:00", 130_000.0, 2_600.0, 1.0, 32_000.0,
        daily=0.55, peak_h=11.0, weekend=0.6, drift=0.18, drift_s=5_400.0,
        burst=0.12, burst_s=120.0, bursts_per_h=30.0,
    ),
)  # fmt: skip


def synthetic(*, seed: int = 0, days: float = 5.0, bin_s: float = 5.0) -> Workload:
    """The four `SERVICES` over `days` from a Saturday in bins of `bin_s` seconds; trains on `chat`.

    Same seed, same numbers; each service has a random stream of its own. Five days put a weekend
    and a Monday into the train part, working days into validation and test.

    Raises `InputError` unless `days` holds at least one bin and `bin_s` is positive.
    """
    if not (bin_s > 0 and days * DAY_S >= bin_s):
        raise InputError(
            "`days` must hold at least one bin and `bin_s` be positive, "
            f"got {days:g} days in bins of {bin_s:g} s."
        )
    streams = np.random.default_rng(seed).spawn(len(SERVICES))
    series = {
        service.name: Series(
            service.name,
            demand(service, rng, days=days, bin_s=bin_s),
            float(bin_s),
            service.start,
            None,
        )
        for service, rng in zip(SERVICES, streams, strict=True)
    }
    return Workload("synthetic", "chat", series)


def demand(service: Service, rng: np.random.Generator, *, days: float, bin_s: float) -> np.ndarray:
    """Tokens demanded of a service in each bin, float64 [bins].

    Arrivals of each length class are independent Poisson counts, which is compound Poisson exactly
    (thinning), at a cost that does not grow with the number of requests.
    """
    bins = math.floor(days * DAY_S / bin_s + 1e-9)  # the last bin is whole
    length, share = length_classes(service)
    tokens_per_bin = service.tokens_per_s * bin_s * level(service, rng, bins, bin_s)
    requests_per_bin = tokens_per_bin / (share @ length)
    tokens = np.zeros(bins)
    for class_length, class_share in zip(length, share, strict=True):
        tokens += class_length * rng.poisson(class_share * requests_per_bin)
    return tokens


def length_classes(service: Service) -> tuple[np.ndarray, np.ndarray]:
    """Request lengths in whole tokens and their probabilities, each [LENGTH_CLASSES].

    The log-normal law is cut at equally spaced quantiles of its logarithm, 4.5 standard deviations
    to both sides; each class takes its conditional mean, at most `length_max`.
    """
    sigma = service.length_sigma
    edges = np.concatenate([[-np.inf], np.linspace(-4.5, 4.5, LENGTH_CLASSES - 1), [np.inf]])
    share = np.diff(ndtr(edges))
    mean = service.length_mean * np.diff(ndtr(edges - sigma)) / share
    return np.clip(np.rint(mean), 1.0, service.length_max), share


def level(service: Service, rng: np.random.Generator, bins: int, bin_s: float) -> np.ndarray:
    """Demand relative to the long-run mean, [bins]: cycles, drift and bursts, each of mean one."""
    day = (np.arange(bins) + 0.5) * bin_s / DAY_S  # since the start, a Saturday at midnight
    daily = 1 + service.daily * np.cos(2 * np.pi * (day - service.peak_h / 24))
    week = np.array([service.weekend] * 2 + [1.0] * 5)
    weekly = np.interp(day, np.arange(7) + 0.5, week / week.mean(), period=7)
    return daily * weekly * _drift(service, rng, bins, bin_s) * _bursts(service, rng, bins, bin_s)


def _drift(service: Service, rng: np.random.Generator, bins: int, bin_s: float) -> np.ndarray:
    """exp of a stationary Ornstein-Uhlenbeck process, of mean one."""
    keep = np.exp(-bin_s / service.drift_s)
    noise = rng.standard_normal(bins + 1)
    path = _remember(np.sqrt(1 - keep**2) * noise[1:], keep, noise[0])
    return np.exp(service.drift * path - service.drift**2 / 2)


def _bursts(service: Service, rng: np.random.Generator, bins: int, bin_s: float) -> np.ndarray:
    """Shot noise: bursts of log-normal height (sigma 1) start at random and decay exponentially."""
    keep = np.exp(-bin_s / service.burst_s)
    starts = rng.poisson(service.bursts_per_h * bin_s / 3_600.0, bins)
    height = service.burst * (1 - keep) * 3_600.0 / (service.bursts_per_h * bin_s)
    jumps = starts * height * rng.lognormal(-0.5, 1.0, bins)
    shots = _remember(jumps, keep, service.burst)
    return (1 + shots) / (1 + service.burst)


def _remember(inputs: np.ndarray, keep: float, before: float) -> np.ndarray:
    """y[t] = keep y[t - 1] + inputs[t], with y[-1] = before."""
    from scipy.signal import lfilter  # slow to import, and only this workload needs it

    return lfilter([1.0], [1.0, -keep], inputs, zi=[keep * before])[0]
