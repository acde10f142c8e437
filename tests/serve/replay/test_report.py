"""Series and totals of a replay agree with each other, and with requests counted by hand."""

import numpy as np
import pytest

from lpo.serve.planner import make_planner
from lpo.serve.policies import policy_named
from lpo.serve.replay import Replay, replay, series, summary
from lpo.serve.requests import Served, Status, make_requests

POLICY = policy_named("credit_gate")


@pytest.fixture(scope="module")
def done(changing):
    options = {"gpus": 3, "duration_s": 180.0, "window_s": 15.0}
    return replay(POLICY, changing.prior, changing.requests(), **options)


def by_hand(changing, policy):
    """Four requests on 3 GPUs in two windows of 10 s: complete, complete later, gone, gone."""
    requests = make_requests(
        arrival_s=[1.0, 2.0, 8.0, 15.0],
        kind=[0, 1, 1, 0],
        prompt=[100, 200, 300, 400],
        decode=[10, 20, 30, 40],
    )
    nan, nobody = np.nan, np.full(4, -1, np.int32)
    served = Served(
        prefill_start_s=np.array([1.0, 3.0, nan, 16.0]),
        first_token_s=np.array([2.0, 6.0, nan, 18.0]),
        decode_start_s=np.array([2.0, 11.0, nan, nan]),
        finish_s=np.array([4.0, 26.0, nan, nan]),
        left_s=np.array([nan, nan, 12.0, 19.0]),
        prefill_gpu=nobody,
        decode_gpu=nobody,
        read=np.array([100, 200, 0, 400], np.int32),
        made=np.array([10, 20, 0, 0], np.int32),
        status=np.array(
            [Status.COMPLETED, Status.COMPLETED, Status.LEFT_PREFILL, Status.LEFT_DECODE], np.int8
        ),
        now_s=np.array(26.0),
    )
    planned = make_planner(policy, changing.prior)(np.array([4.0, 0.2]), 3)
    rates, kept = np.tile([4.0, 0.2], (2, 1)), np.zeros(2, bool)
    edges = np.array([0.0, 10.0, 20.0])
    return Replay(
        policy, changing.prior, 3, edges, rates, (planned,) * 2, kept, planned, requests, served
    )


def test_counted_by_hand(changing):
    found = series(by_hand(changing, POLICY))
    assert found.arrivals.tolist() == [[0.1, 0.2], [0.1, 0.0]]
    assert found.waiting_prefill.tolist() == [1, 0]
    assert found.waiting_decode.tolist() == [1, 0]
    # paid when complete: 0.1 x 100 + 0.2 x 10 in the first window, the other after the last
    assert found.reward == pytest.approx([12.0 / 30.0, 0.0])
    assert found.ttft_p50_s.tolist() == [1.0, 3.0]
    assert found.ttft_p99_s.tolist() == [4.0, 3.0]
    total = summary(by_hand(changing, POLICY))
    assert total.reward == pytest.approx(12.0 / 60.0)
    assert (total.refused, total.dropped) == (0, 0)
    of_all = total.measures
    assert of_all.requests.tolist() == [4, 2, 2]
    assert of_all.ttft_p50_s.tolist() == [3.0, 1.0, 4.0]
    assert of_all.tpot_mean_s == pytest.approx([0.6, 0.2, 1.0])
    assert of_all.abandonment.tolist() == [0.5, 0.5, 0.5]
    assert of_all.reward_bundled == pytest.approx(total.reward)


def test_prompts_are_paid_at_once_where_prices_are_separate(changing):
    found = series(by_hand(changing, policy_named("prioritize_and_route")))
    assert found.reward == pytest.approx([(10.0 + 20.0 + 2.0) / 30.0, 40.0 / 30.0])


def test_windows_add_up_to_the_totals(done):
    found, total = series(done), summary(done)
    length = found.end_s - found.begin_s
    assert found.reward @ length / length.sum() == pytest.approx(total.reward)
    assert (found.arrivals.sum(-1) @ length) == pytest.approx(len(done.requests.kind))
    assert total.reward_ratio == pytest.approx(total.reward / done.hindsight.plan.value)
    assert total.measures.reward_bundled == pytest.approx(total.reward)
    assert total.measures.requests[0] == len(done.requests.kind)


def test_queues_are_those_that_are_left_at_the_end_of_a_window(done):
    found, served, requests = series(done), done.served, done.requests
    for k in (3, 7, 11):
        at = found.end_s[k]
        gone = served.left_s <= at
        waiting = (requests.arrival_s <= at) & ~(served.prefill_start_s <= at) & ~gone
        assert found.waiting_prefill[k] == waiting.sum()
        read = (served.first_token_s <= at) & ~(served.decode_start_s <= at) & ~gone
        assert found.waiting_decode[k] == read.sum()


def test_money_is_that_of_true_lengths(done):
    instance, requests = done.hindsight.instance, done.requests
    complete = done.served.finish_s <= done.edges[-1]
    paid = instance.price_prompt * requests.prompt + instance.price_decode * requests.decode
    assert summary(done).reward == pytest.approx(paid[complete].sum() / (3 * 180.0))
