"""Timings by hand, and against the same system walked through iteration by iteration."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import TwoRegimeKV
from lpo.serve.policies import POLICIES, plan_for, targets_of
from lpo.serve.requests import (
    Status,
    advance,
    make_requests,
    read,
    serve,
    stack_requests,
    start,
)

TIMES = TwoRegimeKV(alpha=0.01, beta=0.001, tau_solo=0.02, k_kv=1e-4)
BUFFER = 3


@pytest.fixture(scope="module")
def by_hand(small_instance, padded):
    """Serve a few requests on GPUs of four slots with chunks of 16 tokens."""

    def run(policy, gpus, arrival_s, prompt, decode, *, mixed=None, kv_tokens=None, patience_s=1e6):
        instance = small_instance()
        policy = POLICIES[policy]
        targets = targets_of(policy, instance, plan_for(policy, instance), gpus)
        if mixed is not None:
            targets = targets._replace(mixed=np.float32(mixed))
        requests = make_requests(
            arrival_s=arrival_s,
            kind=np.zeros(len(prompt), int),
            prompt=prompt,
            decode=decode,
            patience_prefill_s=patience_s,
            patience_decode_s=1e6,
        )
        served = serve(
            policy,
            instance,
            padded(requests),
            targets,
            gpus_max=4,
            times=TIMES,
            kv_tokens=kv_tokens,
            buffer=BUFFER,
        )
        assert np.all(served.status[len(prompt) :] == Status.TO_COME)
        return type(served)(*(np.atleast_1d(each)[: len(prompt)] for each in served))

    return run


def test_one_request_with_a_last_chunk_that_is_shorter(by_hand):
    served = by_hand("fcfs", 1, [1.0], [40], [3])
    # chunks of 16, 16 and 8 beside 0, 16 and 32 tokens; 8 tokens take tau_solo
    assert served.first_token_s == pytest.approx([1.0 + 0.026 + 0.0276 + 0.0232], abs=1e-12)
    assert served.finish_s == pytest.approx([1.0768 + 0.024 + 0.0241 + 0.0242], abs=1e-12)
    assert (served.prefill_start_s, served.decode_start_s) == (1.0, served.first_token_s)
    assert (served.read, served.made, served.prefill_gpu) == (40, 3, 0)


def test_prefills_one_by_one_and_a_decode_beside(by_hand):
    served = by_hand("fcfs", 1, [1.0, 1.01], [40, 16], [3, 1])
    # the second is read beside the first token of the first, the next two tokens are of both
    assert served.prefill_start_s == pytest.approx([1.0, 1.0768], abs=1e-12)
    assert served.first_token_s == pytest.approx([1.0768, 1.0768 + 0.026 + 0.004], abs=1e-12)
    assert served.finish_s[1] == pytest.approx(1.1068 + 0.02 + 0.0057, abs=1e-12)
    assert served.finish_s[0] == pytest.approx(1.1325 + 0.02 + 0.0042, abs=1e-12)


def test_a_prefill_begins_at_the_next_boundary(by_hand):
    served = by_hand("fcfs", 1, [1.0, 1.08, 1.1008], [40, 16, 5], [3, 1, 1])
    assert served.prefill_start_s[1] == pytest.approx(1.1008, abs=1e-12)
    assert served.first_token_s[1] == pytest.approx(1.1008 + 0.026 + 0.0041, abs=1e-12)
    # the third came at a boundary at which the second took the prefill slot
    assert served.prefill_start_s[2] == pytest.approx(1.1309, abs=1e-12)


def test_a_stream_joins_a_running_gpu_at_its_next_boundary(by_hand):
    served = by_hand("disaggregated_fcfs", 2, [0.0, 0.0], [16, 16], [4, 2], mixed=1)
    assert served.prefill_gpu.tolist() == [0, 0]
    assert served.decode_gpu.tolist() == [1, 1]
    assert served.first_token_s == pytest.approx([0.026, 0.052], abs=1e-12)
    # iterations of the first: 16, 17 tokens, until 0.026 + 0.0216 + 0.0217 = 0.0693 > 0.052
    assert served.decode_start_s == pytest.approx([0.026, 0.0693], abs=1e-12)
    # 18 + 16 tokens, then 19 + 17, and both are complete
    assert served.finish_s == pytest.approx(np.full(2, 0.0693 + 0.0234 + 0.0236), abs=1e-12)


def test_pauses_read_a_prompt_in_one_iteration_in_which_nobody_decodes(by_hand):
    served = by_hand("vllm_prefill_first", 1, [0.0, 0.03], [40, 20], [3, 1])
    # 0.01 + 0.04; a token of the first; the prompt of the second; a token of both; the last
    assert served.first_token_s[0] == pytest.approx(0.05, abs=1e-12)
    assert served.prefill_start_s[1] == pytest.approx(0.05, abs=1e-12)
    assert served.first_token_s[1] == pytest.approx(0.08, abs=1e-12)
    assert served.finish_s[1] == pytest.approx(0.08 + 0.02 + 0.006, abs=1e-12)
    assert served.finish_s[0] == pytest.approx(0.106 + 0.0241 + 0.0242, abs=1e-12)


def test_who_waits_too_long_leaves_and_the_next_one_moves_up(by_hand):
    served = by_hand(
        "fcfs", 1, [1.0, 1.01, 1.02], [40, 16, 16], [3, 1, 1], patience_s=[9.0, 0.05, 9.0]
    )
    assert served.status.tolist() == [Status.COMPLETED, Status.LEFT_PREFILL, Status.COMPLETED]
    assert served.left_s[1] == pytest.approx(1.06, abs=1e-12)
    assert served.prefill_start_s[2] == pytest.approx(1.0768, abs=1e-12)
    # patience that ends when a slot becomes free is enough, for one iteration less it is not
    for patience, status in ((0.0668 + 1e-9, Status.COMPLETED), (0.0667, Status.LEFT_PREFILL)):
        served = by_hand("fcfs", 1, [1.0, 1.01], [40, 16], [3, 1], patience_s=patience)
        assert served.status[1] == status


def test_a_cache_that_is_full_makes_everybody_wait(by_hand):
    fits = by_hand("fcfs", 1, [1.0, 1.01], [40, 16], [3, 1], kv_tokens=60)
    assert fits.prefill_start_s[1] == pytest.approx(1.0768, abs=1e-12)
    waits = by_hand("fcfs", 1, [1.0, 1.01, 1.02], [40, 16, 5], [3, 1, 1], kv_tokens=59)
    # not even the third, for which there would be room, overtakes
    assert waits.prefill_start_s[1] == pytest.approx(1.1491, abs=1e-12)
    assert waits.prefill_start_s[2] == pytest.approx(waits.first_token_s[1], abs=1e-12)
    refused = by_hand("fcfs", 1, [1.0, 1.01], [40, 50], [3, 10], kv_tokens=59)
    assert refused.status.tolist() == [Status.COMPLETED, Status.REFUSED]
    assert refused.left_s[1] == 1.01


def test_a_full_buffer_loses_requests_and_says_so(by_hand):
    served = by_hand("disaggregated_fcfs", 2, np.zeros(9), np.full(9, 16), np.full(9, 50), mixed=1)
    # four decode, three wait, the eighth finds no place; and so does the ninth
    assert served.status.tolist() == [Status.COMPLETED] * 7 + [Status.DROPPED] * 2
    assert served.left_s[7:] == pytest.approx([8 * 0.026, 9 * 0.026], abs=1e-12)
    assert np.all(served.decode_start_s[4:7] > served.finish_s[0] - 1e-9)


EXACT = (
    "credit_gate",
    "sli_aware",
    "fcfs",
    "prefill_first",
    "disaggregated_fcfs",
    "vllm_prefill_first",
    "least_kv",
)


@pytest.mark.parametrize("name", EXACT)
def test_equals_a_walk_through_every_iteration(name, busy_case, padded, per_iteration):
    policy, reached = POLICIES[name], set()
    for seed, (gpus, kv_tokens) in enumerate([(4, 10**6), (3, 10**6), (4, 280), (3, 280)]):
        instance, targets, requests, times = busy_case(policy, seed, gpus)
        options = {"kv_tokens": kv_tokens, "buffer": BUFFER, "seed": seed}
        exact = per_iteration(policy, instance, requests, targets, times, **options)
        served = serve(
            policy, instance, padded(requests), targets, gpus_max=4, times=times, **options
        )
        R = len(requests.kind)
        for mine, its in (
            (served.prefill_start_s, exact.started),
            (served.first_token_s, exact.read),
            (served.decode_start_s, exact.placed),
            (served.finish_s, exact.finished),
        ):
            np.testing.assert_allclose(mine[:R], its, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(served.prefill_gpu[:R], exact.prefill_gpu)
        np.testing.assert_array_equal(served.decode_gpu[:R], exact.decode_gpu)
        dropped = np.flatnonzero(served.status[:R] == Status.DROPPED)
        assert dropped.tolist() == sorted(exact.dropped)
        reached |= set(served.status[:R].tolist())
    assert {Status.COMPLETED, Status.LEFT_PREFILL} <= reached
    if name in ("sli_aware", "prefill_first", "disaggregated_fcfs"):
        assert {Status.LEFT_DECODE, Status.DROPPED} <= reached


def test_in_pieces_side_by_side_and_with_other_labels_is_the_same(busy_case, padded):
    policy = POLICIES["credit_gate"]
    cases = [busy_case(policy, seed, gpus) for seed, gpus in ((0, 4), (1, 3))]
    times = cases[0][-1]
    options = {"gpus_max": 4, "times": times, "kv_tokens": 10**6, "buffer": BUFFER}
    whole = [
        serve(policy, instance, padded(requests), targets, seed=s, **options)
        for s, (instance, targets, requests, _) in enumerate(cases)
    ]

    instance, targets, requests, _ = cases[0]
    run = start(policy, instance, padded(requests), seed=0, **options)
    for until in (0.3, 0.3, 1.1, 2.0, np.inf):
        run = advance(run, targets, until)
    pieces = read(run)
    for name in ("finish_s", "left_s", "decode_gpu", "status"):
        np.testing.assert_allclose(getattr(pieces, name), getattr(whole[0], name), atol=1e-9)

    both = stack_requests([requests for _, _, requests, _ in cases], 80)
    stacked = type(targets)(*(np.stack([case[1][k] for case in cases]) for k in range(13)))
    many = serve(policy, instance, both, stacked, seed=0, **options)
    for s, single in enumerate(whole):
        for name in ("finish_s", "left_s", "decode_gpu", "status", "now_s"):
            np.testing.assert_allclose(
                getattr(many, name)[s], getattr(single, name), rtol=0, atol=1e-9
            )

    swapped = instance._replace(
        **{name: getattr(instance, name)[::-1] for name in ("arrival", "prompt", "decode")}
    )
    other = requests._replace(kind=1 - requests.kind, seen=1 - requests.seen)
    its = targets._replace(
        **{name: getattr(targets, name)[::-1] for name in ("x", "waiting", "rate", "cap", "exempt")}
    )
    relabelled = serve(policy, swapped, padded(other), its, seed=0, **options)
    np.testing.assert_allclose(relabelled.finish_s, whole[0].finish_s, rtol=0, atol=1e-9)


def test_pools_change_by_draining_and_slots_are_never_too_many(busy_case, padded):
    policy = POLICIES["disaggregated_fcfs"]
    instance, targets, requests, times = busy_case(policy, 5, 4)
    requests = requests._replace(
        arrival_s=4.0 * requests.arrival_s, patience_decode_s=requests.patience_decode_s + 5.0
    )
    requests = padded(requests)
    options = {"gpus_max": 4, "times": times, "kv_tokens": 500, "buffer": BUFFER}
    run = start(policy, instance, requests, **options)
    plan = [(2, 4), (3, 4), (1, 4), (1, 2), (3, 4)]  # M and n
    edges = np.append(1.5 * np.arange(len(plan)), np.inf)
    for (mixed, gpus), until in zip(plan, edges[1:], strict=True):
        its = targets._replace(mixed=np.float32(mixed), gpus=np.float32(gpus))
        run = advance(run, its, until)
    served = read(run)
    iteration = 0.2  # longer than any here
    for (mixed, gpus), low, high in zip(plan, edges[:-1], edges[1:], strict=True):
        for begin, gpu, held in (
            (served.prefill_start_s, served.prefill_gpu, lambda g, m=mixed: g < m),
            (served.decode_start_s, served.decode_gpu, lambda g, m=mixed, n=gpus: m <= g < n),
        ):
            inside = (begin >= low + iteration) & (begin < high)
            assert all(held(g) for g in gpu[inside])
    for gpu in range(4):
        reads, makes = served.prefill_gpu == gpu, served.decode_gpu == gpu
        times_s = np.concatenate([served.prefill_start_s[reads], served.decode_start_s[makes]])
        for now in times_s + 1e-7:
            prefills = _running(served.prefill_start_s, served.first_token_s, reads, now)
            decodes = _running(served.decode_start_s, served.finish_s, makes, now)
            assert prefills <= 1 and decodes + prefills <= 4
            tokens = (requests.prompt + requests.decode)[makes]
            busy = (served.decode_start_s <= now) & (now < served.finish_s)
            assert tokens[busy[makes]].sum() <= 500
    assert (served.status == Status.COMPLETED).sum() > 30


def _running(begin, end, mine, now):
    return int(((begin <= now) & (now < end))[mine].sum())


def test_bad_input_is_one_line(small_instance):
    policy, instance = POLICIES["fcfs"], small_instance()
    requests = make_requests(arrival_s=[1.0, 2.0], kind=[0, 1], prompt=[4, 4], decode=[4, 4])
    targets = targets_of(policy, instance, plan_for(policy, instance), 2)
    with pytest.raises(InputError, match="`gpus_max` must be a whole number"):
        start(policy, instance, requests, gpus_max=0)
    with pytest.raises(InputError, match="class above 1"):
        start(policy, instance, requests._replace(seen=np.array([0, 2])), gpus_max=2)
    with pytest.raises(InputError, match="in the order of their arrival"):
        start(policy, instance, requests._replace(arrival_s=np.array([2.0, 1.0])), gpus_max=2)
    run = start(policy, instance, requests, gpus_max=1)
    with pytest.raises(InputError, match="above `gpus_max` = 1"):
        advance(run, targets)
    with pytest.raises(InputError, match="must be at least 0 s"):
        advance(run, targets._replace(gpus=np.float32(1)), -1.0)
