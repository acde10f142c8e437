"""What requests experienced and what their service was worth. docs/serve_requests.md."""

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np

from lpo.errors import InputError
from lpo.serve.instance import Instance
from lpo.serve.measures import Estimate
from lpo.serve.requests.arrivals import Requests
from lpo.serve.requests.latencies import Latencies, latencies_of, quantiles
from lpo.serve.requests.served import Served, Status
from lpo.serve.requests.stages import cached, overlap, stages_of, tokens_made, tokens_read

_LEVELS = (0.5, 0.9, 0.99)


class RequestMeasures(NamedTuple):
    """Of a run between two times; arrays, or `Estimate` of several runs.

    Of the requests that arrived in between, [1 + I]: all, then every class. requests: how many.
    ttft_p50_s, ttft_p90_s, ttft_p99_s, tpot_p50_s, tpot_p90_s, tpot_p99_s: s; who is not complete
    when the run ends counts with what is known (`quantiles`). tpot_mean_s: of the complete ones.
    abandonment: share that left. unfinished: share that is not complete. good: share that is
    complete within both limits.

    Of what happened in between, whoever it happened to: goodput [1 + I]: requests per second of
    the fleet that came to their end within both limits. Per GPU and second: prompt_tokens,
    decode_tokens, and rewards of complete requests by the tokens that they really had,
    reward_bundled when they are complete, reward_separate when prompt and decode are. prefill_use:
    share of GPUs that prefill. slot_use: prefills and decodes over batch slots. cache: mean tokens
    in the cache of a GPU. cache_use: the same over its capacity, NaN where that is unlimited.
    """

    requests: Any
    ttft_p50_s: Any
    ttft_p90_s: Any
    ttft_p99_s: Any
    tpot_p50_s: Any
    tpot_p90_s: Any
    tpot_p99_s: Any
    tpot_mean_s: Any
    abandonment: Any
    unfinished: Any
    good: Any
    goodput: Any
    prompt_tokens: Any
    decode_tokens: Any
    reward_bundled: Any
    reward_separate: Any
    prefill_use: Any
    slot_use: Any
    cache: Any
    cache_use: Any


def measure_requests(
    instance: Instance,
    requests: Requests,
    served: Served,
    *,
    gpus: float,
    begin_s: float = 0.0,
    end_s: float | None = None,
    ttft_limit_s: float = np.inf,
    tpot_limit_s: float = np.inf,
    kv_tokens: int | None = None,
) -> RequestMeasures:
    """Return the measures of one run, or of S runs on a first axis.

    begin_s: end of the warm-up, whose arrivals are left out. end_s None: until the run's end.
    gpus, kv_tokens: of the fleet, for what is per GPU.
    Raises InputError on an interval that is empty.
    """
    if requests.arrival_s.ndim == 2:
        runs = [
            measure_requests(
                instance,
                Requests(*one),
                Served(*its),
                gpus=gpus,
                begin_s=begin_s,
                end_s=end_s,
                ttft_limit_s=ttft_limit_s,
                tpot_limit_s=tpot_limit_s,
                kv_tokens=kv_tokens,
            )
            for one, its in zip(zip(*requests, strict=True), zip(*served, strict=True), strict=True)
        ]
        return jax.tree.map(lambda *values: np.stack(values), *runs)
    end_s = float(served.now_s) if end_s is None else end_s
    if not (np.isfinite(end_s) and 0.0 <= begin_s < end_s):
        raise InputError(f"`begin_s` and `end_s` must ascend from 0 on, got {begin_s} and {end_s}.")
    waits = latencies_of(requests, served)
    within = (waits.ttft_s <= ttft_limit_s) & (waits.tpot_s <= tpot_limit_s)
    within &= served.status == Status.COMPLETED
    kinds = [np.ones(len(requests.kind), bool)]
    kinds += [requests.kind == i for i in range(len(instance.arrival))]
    came = (requests.arrival_s >= begin_s) & (requests.arrival_s < end_s)
    came &= served.status != Status.TO_COME
    ended = (served.finish_s >= begin_s) & (served.finish_s < end_s)
    experience = [_experience(requests, served, waits, came & mine, within) for mine in kinds]
    goodput = [(ended & within & mine).sum() / (end_s - begin_s) for mine in kinds]
    edges = np.array([begin_s, end_s])
    values = [*np.array(experience, np.float64).T, np.array(goodput)]
    values += _flows(instance, requests, served, gpus, edges, kv_tokens)
    return RequestMeasures(*values)


def measure_batches(
    instance: Instance,
    requests: Requests,
    served: Served,
    *,
    begin_s: float,
    end_s: float,
    batches: int = 10,
    **options: Any,
) -> RequestMeasures:
    """Return the measures of `batches` equal parts of one run on a first axis, for `estimates`.

    The parts must be long against the time that a request spends in the system.
    """
    edges = np.linspace(begin_s, end_s, batches + 1)
    parts = [
        measure_requests(instance, requests, served, begin_s=low, end_s=high, **options)
        for low, high in pairwise(edges)
    ]
    return jax.tree.map(lambda *values: np.stack(values), *parts)


def estimates(measures: RequestMeasures) -> RequestMeasures:
    """Return `Estimate` of every measure over its first axis: runs, or batches of one run.

    Standard errors of independent values; runs in which a class has no value do not count for it.
    """

    def of(values: np.ndarray) -> Estimate:
        known = ~np.isnan(values)
        count = known.sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(known, values, 0.0).sum(0) / count
            squares = np.where(known, (values - mean) ** 2, 0.0).sum(0)
            return Estimate(mean, np.sqrt(squares / (count - 1.0) / count))

    return RequestMeasures(*(of(np.asarray(values)) for values in measures))


def _experience(
    requests: Requests, served: Served, waits: Latencies, mine: np.ndarray, within: np.ndarray
) -> list[float]:
    count = int(mine.sum())
    ttft, tpot = waits.ttft_s[mine], waits.tpot_s[mine]
    since_arrival = served.now_s - requests.arrival_s[mine]
    since_token = served.now_s - served.first_token_s[mine]
    begun = ~np.isnan(since_token)
    complete = tpot[np.isfinite(tpot)]
    unfinished = served.status[mine] < Status.COMPLETED
    shares = [waits.left[mine], unfinished, within[mine]]
    return [
        count,
        *quantiles(ttft, since_arrival, _LEVELS),
        *quantiles(tpot[begun], (since_token / requests.decode[mine])[begun], _LEVELS),
        complete.mean() if len(complete) else np.nan,
        *(share.mean() if count else np.nan for share in shares),
    ]


def _flows(
    instance: Instance,
    requests: Requests,
    served: Served,
    gpus: float,
    edges: np.ndarray,
    kv_tokens: int | None,
) -> list[np.ndarray]:
    """Per GPU and second, in the order of `RequestMeasures`."""
    seconds = edges[1] - edges[0]
    stages = stages_of(requests, served)
    read, made = tokens_read(served, edges).sum(), tokens_made(served, edges).sum()
    paid = [
        (edges[0] <= times) & (times < edges[1])
        for times in (served.first_token_s, served.finish_s)
    ]
    prompts = instance.price_prompt * requests.prompt
    decodes = instance.price_decode * requests.decode
    bundled = ((prompts + decodes) * paid[1]).sum()
    separate = (prompts * paid[0] + decodes * paid[1]).sum()
    prefilling = overlap(stages.prefilling, edges).sum()
    slots = prefilling + overlap(stages.decoding, edges).sum()
    cache = cached(requests, served, stages, edges).sum()
    totals = [
        read,
        made,
        bundled,
        separate,
        prefilling,
        slots / float(instance.hardware.batch),
        cache,
        np.nan if kv_tokens is None else cache / kv_tokens,
    ]
    return [np.asarray(total / (gpus * seconds)) for total in totals]
