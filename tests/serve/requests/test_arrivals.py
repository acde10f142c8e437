"""Requests that are drawn, given and put side by side."""

from typing import Any

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve.requests import (
    make_requests,
    poisson_requests,
    stack_requests,
    trace_requests,
)


def test_poisson_requests_have_the_rates_and_means_of_the_instance(small_instance):
    instance = small_instance(patience=[0.5, 0.0])
    requests = poisson_requests(instance, 10, 2000.0, seed=3)
    assert np.all(np.diff(requests.arrival_s) >= 0.0) and requests.arrival_s[-1] < 2000.0
    for i in range(2):
        mine = requests.kind == i
        count = mine.sum()
        assert count == pytest.approx(2e4 * instance.arrival[i], abs=4 * np.sqrt(count))
        for tokens, mean in (
            (requests.prompt, instance.prompt),
            (requests.decode, instance.decode),
        ):
            assert tokens[mine].min() == 1
            assert tokens[mine].mean() == pytest.approx(mean[i], rel=4 / np.sqrt(count))
            spread = np.sqrt(mean[i] * (mean[i] - 1.0))  # geometric
            assert tokens[mine].std() == pytest.approx(spread, rel=0.06)
    patient = requests.kind == 1
    assert np.all(np.isinf(requests.patience_prefill_s[patient]))
    assert requests.patience_decode_s[~patient].mean() == pytest.approx(2.0, rel=0.05)
    assert np.array_equal(requests.seen, requests.kind)


def test_arrivals_do_not_depend_on_lengths(small_instance):
    instance = small_instance()
    drawn = poisson_requests(instance, 4, 50.0, seed=1)
    fixed = poisson_requests(instance, 4, 50.0, seed=1, lengths="fixed")
    ours = poisson_requests(instance, 4, 50.0, seed=1, lengths=lambda rng, k: (k + 1, k + 2))
    for name in ("arrival_s", "kind", "patience_prefill_s", "patience_decode_s"):
        assert np.array_equal(getattr(drawn, name), getattr(fixed, name))
    assert np.array_equal(fixed.prompt, np.array([30, 70])[fixed.kind])
    assert np.array_equal(ours.decode, ours.kind + 2)
    again = poisson_requests(instance, 4, 50.0, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(drawn, again, strict=True))


def test_a_trace_comes_in_order_and_is_filled_up_with_nobody(small_instance):
    trace = trace_requests(
        small_instance(),
        arrival_s=np.array([3.0, 1.0]),
        kind=np.array([0, 1]),
        seen=np.array([1, 1]),
        prompt=np.array([5, 6]),
        decode=np.array([7, 8]),
    )
    assert trace.arrival_s.tolist() == [1.0, 3.0] and trace.prompt.tolist() == [6, 5]
    assert trace.kind.tolist() == [1, 0] and trace.seen.tolist() == [1, 1]
    short = make_requests(arrival_s=[2.0], kind=[0], prompt=[1], decode=[1])
    both = stack_requests([trace, short])
    assert both.arrival_s.tolist() == [[1.0, 3.0], [2.0, np.inf]]
    assert both.prompt.dtype == np.int32 and both.decode[1].tolist() == [1, 1]
    with pytest.raises(InputError, match="`size` is 1"):
        stack_requests([trace], 1)


def test_bad_input_is_one_line(small_instance):
    given: Any = {"arrival_s": [0.0, 1.0], "kind": [0, 1], "prompt": [1, 2], "decode": [1, 2]}
    for name, value, message in (
        ("prompt", [1, 0], r"`prompt\[1\]` must be between 1 and 1e\+06"),
        ("decode", [1.5, 2], "`decode` must be whole numbers"),
        ("kind", [0], "`kind` must be a list of 2 numbers"),
        ("arrival_s", [0.0, np.nan], r"`arrival_s\[1\]`"),
        ("arrival_s", [0.0, np.inf], r"`arrival_s\[1\]`"),
        ("patience_decode_s", -1.0, r"`patience_decode_s\[0\]`"),
    ):
        with pytest.raises(InputError, match=message):
            make_requests(**(given | {name: value}))
    with pytest.raises(InputError, match="`gpus` must be positive"):
        poisson_requests(small_instance(), 0, 1.0)
    with pytest.raises(InputError, match="`lengths` must be"):
        poisson_requests(small_instance(), 1, 1.0, lengths="long")
    columns: Any = {name: np.array(values) for name, values in given.items()}
    columns["kind"] = np.array([0, 2])
    with pytest.raises(InputError, match="names class 2"):
        trace_requests(small_instance(), **columns)
