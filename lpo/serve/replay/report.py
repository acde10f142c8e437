"""What a replay earned and what its requests experienced, by windows and in all.

docs/serve_replay.md.
"""

from typing import NamedTuple

import numpy as np

from lpo.serve.plans.program import Pricing
from lpo.serve.replay.arrival_rates import window_counts
from lpo.serve.replay.replanning import Replay
from lpo.serve.requests import (
    RequestMeasures,
    Status,
    latencies_of,
    measure_requests,
    quantiles,
)


class Series(NamedTuple):
    """By window [K]. begin_s, end_s. arrivals [K, I]: requests per second of the true classes;
    rates [K, I]: that the plan reckons with, of the classes seen. plan_value: currency per GPU and
    second that the plan promises. mixed: M. reward: currency per GPU and second that was earned.
    waiting_prefill, waiting_decode: requests at the end of the window. ttft_p50_s, ttft_p99_s: of
    the requests that arrive in it, NaN where none gets a first token."""

    begin_s: np.ndarray
    end_s: np.ndarray
    arrivals: np.ndarray
    rates: np.ndarray
    plan_value: np.ndarray
    mixed: np.ndarray
    reward: np.ndarray
    waiting_prefill: np.ndarray
    waiting_decode: np.ndarray
    ttft_p50_s: np.ndarray
    ttft_p99_s: np.ndarray


class Summary(NamedTuple):
    """Of a whole replay. reward: currency per GPU and second until the last window ends, by the
    policy's pricing. lp_reward: value of the plan for the mean rates and lengths of the replay;
    reward_ratio: of the two. measures: of all requests, and of that time. refused, dropped:
    requests longer than a cache, and that found the decode buffer full."""

    reward: float
    lp_reward: float
    reward_ratio: float
    measures: RequestMeasures
    refused: int
    dropped: int


def series(done: Replay) -> Series:
    """Return the time series of a replay."""
    requests, served, edges = done.requests, done.served, done.edges
    classes, ends, length = len(done.prior.arrival), edges[1:], np.diff(edges)
    window = np.searchsorted(edges[1:-1], requests.arrival_s, side="right")
    ttft_s = latencies_of(requests, served).ttft_s
    since = served.now_s - requests.arrival_s
    parts = [window == k for k in range(len(ends))]
    ttft = np.stack([quantiles(ttft_s[part], since[part], (0.5, 0.99)) for part in parts])

    def until(times: np.ndarray) -> np.ndarray:
        """How many of the times that have come are at most each end of a window."""
        return np.searchsorted(np.sort(times[~np.isnan(times)]), ends, side="right")

    read = ~np.isnan(served.first_token_s)
    begun = until(served.prefill_start_s) + until(served.left_s[~read])
    placed = until(served.decode_start_s) + until(served.left_s[read])
    arrivals = window_counts(requests.arrival_s, requests.kind, classes, edges)
    return Series(
        begin_s=edges[:-1],
        end_s=ends,
        arrivals=arrivals / length[:, None],
        rates=done.rates,
        plan_value=np.array([each.plan.value for each in done.plans]),
        mixed=np.array([float(each.targets.mixed) for each in done.plans]),
        reward=np.diff(earned(done, edges)) / (length * done.gpus),
        waiting_prefill=until(requests.arrival_s) - begun,
        waiting_decode=until(served.first_token_s) - placed,
        ttft_p50_s=ttft[:, 0],
        ttft_p99_s=ttft[:, 1],
    )


def summary(done: Replay) -> Summary:
    """Return the totals of a replay."""
    end = float(done.edges[-1])
    reward = float(earned(done, done.edges[-1:])[0]) / (done.gpus * end)
    best = done.hindsight.plan.value
    return Summary(
        reward=reward,
        lp_reward=best,
        reward_ratio=reward / best if best > 0.0 else np.nan,
        measures=measure_requests(
            done.prior,
            done.requests,
            done.served,
            gpus=done.gpus,
            end_s=np.nextafter(end, np.inf),  # the last request of a trace comes at its end
        ),
        refused=int((done.served.status == Status.REFUSED).sum()),
        dropped=int((done.served.status == Status.DROPPED).sum()),
    )


def earned(done: Replay, times: np.ndarray) -> np.ndarray:
    """Return the currency that the whole fleet has earned until each of the times, by its policy's
    pricing and the true lengths of the requests."""
    requests, served = done.requests, done.served
    prompt = done.prior.price_prompt * requests.prompt
    decode = done.prior.price_decode * requests.decode
    if done.policy.pricing == Pricing.BUNDLED:
        return _paid(served.finish_s, prompt + decode, times)
    return _paid(served.first_token_s, prompt, times) + _paid(served.finish_s, decode, times)


def _paid(when: np.ndarray, what: np.ndarray, times: np.ndarray) -> np.ndarray:
    order = np.argsort(when)[: np.count_nonzero(~np.isnan(when))]  # NaN comes last
    total = np.concatenate([[0.0], np.cumsum(what[order])])
    return total[np.searchsorted(when[order], times, side="right")]
