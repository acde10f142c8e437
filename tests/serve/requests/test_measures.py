"""Percentiles, goodput, revenue and use of a few requests, by hand."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve.requests import (
    Served,
    Status,
    estimates,
    latencies_of,
    make_requests,
    measure_batches,
    measure_requests,
)

NONE = np.nan


def _case():
    """One of each fate on two GPUs at 10 s."""
    requests = make_requests(
        arrival_s=[0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        kind=[0, 1, 0, 1, 0, 1],
        prompt=[10, 20, 30, 40, 50, 60],
        decode=[2, 4, 5, 10, 10, 10],
    )
    served = Served(
        prefill_start_s=np.array([0.0, 2.0, 3.0, 5.0, 7.0, NONE]),
        first_token_s=np.array([1.0, 3.0, 4.0, 7.0, NONE, NONE]),
        decode_start_s=np.array([1.0, 3.0, 5.0, 7.0, NONE, NONE]),
        finish_s=np.array([3.0, 7.0, 9.0, NONE, NONE, NONE]),
        left_s=np.array([NONE, NONE, NONE, NONE, NONE, 6.0]),
        prefill_gpu=np.array([0, 0, 0, 0, 0, -1]),
        decode_gpu=np.array([0, 1, 1, 1, -1, -1]),
        read=np.array([10, 20, 30, 40, 20, 0]),
        made=np.array([2, 4, 5, 6, 0, 0]),
        status=np.array([5, 5, 5, 4, 2, 6]),
        now_s=np.array(10.0),
    )
    return requests, served


def test_latencies():
    waits = latencies_of(*_case())
    np.testing.assert_array_equal(waits.ttft_s, [1.0, 2.0, 2.0, 4.0, np.inf, NONE])
    np.testing.assert_array_equal(waits.tpot_s, [1.0, 1.0, 1.0, np.inf, np.inf, NONE])
    assert waits.left.tolist() == [False] * 5 + [True]


def test_measures_by_hand(small_instance):
    instance, (requests, served) = small_instance(), _case()
    assert served.status[5] == Status.LEFT_PREFILL
    found = measure_requests(
        instance, requests, served, gpus=2, ttft_limit_s=1.5, tpot_limit_s=1.0, kv_tokens=100
    )
    assert found.requests.tolist() == [6, 3, 3]
    assert found.ttft_p50_s.tolist() == [2.0, 2.0, 2.0]
    # of class 0: 1, 2 and 6 so far
    assert found.ttft_p90_s.tolist() == [np.inf, np.inf, 4.0]
    assert found.tpot_mean_s.tolist() == [1.0, 1.0, 1.0]
    assert found.abandonment == pytest.approx([1 / 6, 0, 1 / 3])
    assert found.unfinished == pytest.approx([2 / 6, 1 / 3, 1 / 3])
    assert found.good == pytest.approx([1 / 6, 1 / 3, 0])
    assert found.goodput == pytest.approx([0.1, 0.1, 0.0])
    assert found.prompt_tokens == pytest.approx(120 / 20)
    assert found.decode_tokens == pytest.approx(17 / 20)
    assert found.reward_bundled == pytest.approx((0.1 * 60 + 0.2 * 11) / 20)
    assert found.reward_separate == pytest.approx((0.1 * 100 + 0.2 * 11) / 20)
    assert found.prefill_use == pytest.approx((1 + 1 + 1 + 2 + 3) / 20)
    assert found.slot_use == pytest.approx((8 + 2 + 4 + 4 + 3) / 20 / 4)
    reading = 5 + 10 + 15 + 2 * 20 + 3 * 25
    decoding = 2 * 11 + 4 * 22 + 4 * 32.5 + 3 * 43
    assert found.cache == pytest.approx((reading + 30 + decoding) / 20)
    assert found.cache_use == pytest.approx(found.cache / 100)


def test_a_warm_up_is_left_out_and_batches_add_up(small_instance):
    instance, (requests, served) = small_instance(), _case()
    late = measure_requests(instance, requests, served, gpus=2, begin_s=1.5)
    assert late.requests.tolist() == [4, 2, 2]
    assert late.goodput[0] == pytest.approx(3 / 8.5)  # whoever came to an end
    parts = measure_batches(
        instance, requests, served, begin_s=0.0, end_s=10.0, batches=2, gpus=2, kv_tokens=50
    )
    whole = measure_requests(instance, requests, served, gpus=2, kv_tokens=50)
    for name in ("prompt_tokens", "decode_tokens", "slot_use", "cache", "reward_bundled"):
        assert getattr(parts, name).mean() == pytest.approx(getattr(whole, name))
    found = estimates(parts)
    first, second = parts.goodput[:, 0]
    assert found.goodput.mean[0] == pytest.approx((first + second) / 2)
    assert found.goodput.error[0] == pytest.approx(abs(first - second) / 2)
    with pytest.raises(InputError, match="must ascend"):
        measure_requests(instance, requests, served, gpus=2, begin_s=10.0)


def test_runs_side_by_side_are_measured_one_by_one(small_instance):
    instance, (requests, served) = small_instance(), _case()
    two = type(requests)(*(np.stack([column, column]) for column in requests))
    both = Served(*(np.stack([column, column]) for column in served))
    found = measure_requests(instance, two, both, gpus=2)
    single = measure_requests(instance, requests, served, gpus=2)
    for many, one in zip(found, single, strict=True):
        np.testing.assert_array_equal(many, np.stack([one, one]))
