"""Totals of windows: nobody gets lost, integrals by brute force, and queues in closed form."""

import jax
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import TwoRegime
from lpo.serve.policies import POLICIES, plan_for, targets_of
from lpo.serve.requests import (
    Status,
    advance,
    measure_requests,
    poisson_requests,
    read,
    serve,
    start,
    window_totals,
)

POLICY = POLICIES["disaggregated_fcfs"]
STEP = 0.02  # s, of every iteration


@pytest.fixture(scope="module")
def long_run(small_instance):
    """One prefill GPU chain or decode pool of 20 000 requests; iterations all take `STEP`."""

    def run(*, gpus, mixed, rate, prompt, decode, patience, buffer=64):
        instance = small_instance(
            arrival=[rate / gpus, 0.0], prompt=prompt, decode=decode, patience=patience
        )
        targets = targets_of(POLICY, instance, plan_for(POLICY, instance), gpus)
        targets = targets._replace(mixed=np.float32(mixed))
        requests = poisson_requests(instance, gpus, 21_000 / rate, seed=2)
        requests = type(requests)(*(column[:20_000] for column in requests))
        served = serve(
            POLICY,
            instance,
            requests,
            targets,
            gpus_max=4,
            times=TwoRegime(STEP, 0.0, STEP),
            buffer=buffer,
            until_s=float(requests.arrival_s[-1]),
        )
        return instance, requests, served

    return run


def _erlang_a(rate, service, servers, patience, most=400):
    """Mean queue and share that leaves of M/M/N+M, from its birth and death rates."""
    at = np.arange(1, most)
    down = service * np.minimum(at, servers) + patience * np.maximum(at - servers, 0)
    weights = np.cumprod(np.append(1.0, rate / down))
    share = weights / weights.sum()
    queue = share @ np.maximum(np.arange(most) - servers, 0)
    return queue, patience * queue / rate


def test_waiting_to_decode_is_a_queue_with_abandonment(long_run):
    # prompts of one chunk, read one after the other: Poisson arrivals to eight slots, nearly
    mean, rate, patience = 100.0, 3.8, 0.3
    instance, requests, served = long_run(
        gpus=3, mixed=1, rate=rate, prompt=[1.0, 1.0], decode=[mean, 1.0], patience=patience
    )
    edges = np.linspace(100.0, served.now_s, 9)
    totals = window_totals(instance, requests, served, edges)
    # a stream joins at the next iteration, half a step later in the mean
    queue, left = _erlang_a(rate, 1.0 / ((mean + 0.5) * STEP), 8, patience)
    seconds = edges[-1] - edges[0]
    assert totals.time.waiting_decode.sum() / seconds == pytest.approx(queue, rel=0.1)
    assert totals.left_decode.sum() / totals.arrivals.sum() == pytest.approx(left, rel=0.1)
    assert totals.left_prefill.sum() < 0.002 * totals.arrivals.sum()
    # every stage by Little's law: time in decoding = completed x (decode + nothing else)
    decoding = totals.time.solo.sum() / totals.completed.sum()
    assert decoding == pytest.approx(mean * STEP, rel=0.03)
    assert totals.time.mixed.sum() == 0.0
    assert totals.completing.sum() == pytest.approx(totals.completed.sum(), rel=0.03)


def test_waiting_for_prefill_is_a_queue_with_abandonment(long_run):
    chunks = 1.0 / (1.0 - (1.0 - 1.0 / 800.0) ** 16)  # of geometric prompts, also geometric
    rate, patience = 2.9, 0.3
    instance, requests, served = long_run(
        gpus=4, mixed=3, rate=rate, prompt=[800.0, 1.0], decode=[1.0, 1.0], patience=patience
    )
    edges = np.array([100.0, served.now_s])
    totals = window_totals(instance, requests, served, edges)
    queue, left = _erlang_a(rate, 1.0 / (chunks * STEP), 3, patience)
    seconds = edges[-1] - edges[0]
    assert totals.time.waiting_prefill.sum() / seconds == pytest.approx(queue, rel=0.1)
    assert totals.left_prefill.sum() / totals.arrivals.sum() == pytest.approx(left, rel=0.1)
    measures = measure_requests(instance, requests, served, gpus=4, begin_s=100.0)
    assert measures.prefill_use == pytest.approx(rate * (1 - left) * chunks * STEP / 4, rel=0.03)
    assert measures.abandonment[0] == pytest.approx(left, rel=0.1)


def test_nobody_gets_lost_and_integrals_are_sums_over_times(busy_case, padded):
    policy = POLICIES["prefill_first"]
    instance, targets, requests, times = busy_case(policy, 3, 4)
    requests = requests._replace(
        kind=1 - requests.seen, patience_decode_s=0.1 * requests.patience_decode_s
    )
    requests = padded(requests)
    served = serve(
        policy, instance, requests, targets, gpus_max=4, times=times, kv_tokens=10**6, buffer=3
    )
    edges = np.array([0.0, 0.4, 1.3, 1.35, 4.0])
    totals = window_totals(instance, requests, served, edges)
    begin, end = np.sum(totals.begin, 0), np.sum(totals.end, 0)
    gone = totals.left_prefill + totals.left_decode + totals.completed
    np.testing.assert_array_equal(begin + totals.arrivals, gone + end)
    assert np.all(begin[0] == 0.0) and begin[1:].tolist() == end[:-1].tolist()
    for kind in range(2):
        assert (
            totals.arrivals[:, kind].sum()
            == (requests.kind == kind)[: np.isfinite(requests.arrival_s).sum()].sum()
        )
    assert totals.left_decode.sum() >= 2 and totals.completed.sum() > 20

    now = np.arange(0.00005, 4.0, 0.0001)[:, None]
    waits = np.where(np.isnan(served.left_s), np.inf, served.left_s)
    until = np.where(np.isnan(served.prefill_start_s), waits, served.prefill_start_s)
    until_decode = np.where(np.isnan(served.decode_start_s), waits, served.decode_start_s)
    waiting = (requests.arrival_s <= now) & (now < until)
    prefilling = (served.prefill_start_s <= now) & (now < served.first_token_s)
    queued = (served.first_token_s <= now) & (now < until_decode)
    decoding = (served.decode_start_s <= now) & (now < served.finish_s)
    beside = np.stack([(prefilling & (served.prefill_gpu == g)).any(1) for g in range(4)], 1)
    mixed = decoding & beside[:, served.decode_gpu]
    window = np.searchsorted(edges, now[:, 0]) - 1
    for counts, integral in zip(
        (waiting, prefilling, queued, mixed, decoding & ~mixed), totals.time, strict=True
    ):
        brute = np.bincount(window, counts.sum(1) * 0.0001, minlength=4)
        assert brute.sum() > 0.1
        np.testing.assert_allclose(integral.sum(-1), brute, atol=0.01)

    stopped = advance(
        start(policy, instance, requests, gpus_max=4, times=times, kv_tokens=10**6, buffer=3),
        targets,
        1.0,
    )
    half = read(stopped)
    assert {Status.TO_COME, Status.WAITING_PREFILL, Status.PREFILLING, Status.DECODING} <= set(
        half.status.tolist()
    )
    early = window_totals(instance, requests, half, edges[:2])
    for mine, its in zip(jax.tree.leaves(early), jax.tree.leaves(totals), strict=True):
        if its is not totals.completing:  # tokens of who still decodes are spread evenly
            np.testing.assert_allclose(mine[0], its[0], atol=1e-9)
    with pytest.raises(InputError, match="before the last edge"):
        window_totals(instance, requests, half, [0.0, 1.5])
    with pytest.raises(InputError, match="ascending"):
        window_totals(instance, requests, half, [1.0, 1.0])
