"""Traces joined, cut and compressed: every request is somewhere, once."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve.replay import Trace, compressed, cut, pooled, trace_of
from lpo.workload.requests import Requests


def batch(time_s, context, generated):
    time_ns = (np.asarray(time_s) * 1e9).astype(np.int64) + 1_700_000_000_000_000_000
    return Requests(time_ns, np.asarray(context, float), np.asarray(generated, float))


def trace(time_s, duration_s):
    number = len(time_s)
    return Trace(
        np.asarray(time_s, float), np.arange(1, number + 1), np.ones(number, int), duration_s
    )


def test_batches_become_one_trace_that_begins_with_its_first_request():
    found = trace_of([batch([5.0, 6.5], [3, 4], [1, 2]), batch([9.0], [5], [6])])
    assert found.time_s == pytest.approx([0.0, 1.5, 4.0], abs=1e-6)
    assert (found.prompt.tolist(), found.decode.tolist()) == ([3, 4, 5], [1, 2, 6])
    assert found.duration_s == found.time_s[-1]


def test_requests_without_tokens_or_without_time_are_refused():
    with pytest.raises(InputError, match=r"Request 1 reads 3 and generates 0 tokens.*\(2 such"):
        trace_of([batch([0, 1, 2], [3, 3, 0], [1, 0, 1])])
    with pytest.raises(InputError, match="same time"):
        trace_of([batch([1, 1], [3, 3], [1, 1])])


def test_pooled_traces_begin_together():
    both = pooled([trace([0.0, 2.0], 2.0), trace([0.0, 1.0, 3.0], 5.0)])
    assert both.time_s.tolist() == [0.0, 0.0, 1.0, 2.0, 3.0]
    assert both.prompt.tolist() == [1, 1, 2, 2, 3]
    assert both.duration_s == 5.0


def test_consecutive_cuts_hold_every_request_once():
    whole = trace([0.0, 1.0, 2.5, 4.0], 4.0)
    parts = [cut(whole, 0.0, 2.5), cut(whole, 2.5)]
    assert [part.prompt.tolist() for part in parts] == [[1, 2], [3, 4]]
    assert [part.time_s.tolist() for part in parts] == [[0.0, 1.0], [0.0, 1.5]]
    assert [part.duration_s for part in parts] == [2.5, 1.5]


@pytest.mark.parametrize(("start_s", "duration_s"), [(-1, None), (4, None), (0, 5), (0, 0)])
def test_a_cut_lies_within_the_trace(start_s, duration_s):
    with pytest.raises(InputError, match="within the 4 s"):
        cut(trace([0.0, 4.0], 4.0), start_s, duration_s)


def test_a_cut_without_requests_is_refused():
    with pytest.raises(InputError, match="No request"):
        cut(trace([0.0, 4.0], 4.0), 1.0, 2.0)


def test_compressed_time_keeps_requests_and_scales_rates():
    fast = compressed(trace([0.0, 1.0, 4.0], 4.0), 4.0)
    assert (fast.time_s.tolist(), fast.duration_s) == ([0.0, 0.25, 1.0], 1.0)
    with pytest.raises(InputError, match="`rate_scale`"):
        compressed(fast, 0.0)
