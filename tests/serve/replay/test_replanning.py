"""Replays on the request-level simulator: nothing is lost, nothing is known in advance, and plans
that follow the trace earn more than one that does not."""

from typing import Any

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import ServiceLevels
from lpo.serve.policies import policy_named
from lpo.serve.replay import Planning, mistaken, replay, summary
from lpo.serve.requests import Requests, Status

POLICY = policy_named("credit_gate")
FLEET: dict[str, Any] = {"gpus": 3, "duration_s": 180.0, "window_s": 15.0}


@pytest.fixture(scope="module")
def requests(changing):
    return changing.requests()


@pytest.fixture(scope="module")
def done(changing, requests):
    return {
        each: replay(POLICY, changing.prior, requests, planning=each, **FLEET) for each in Planning
    }


def test_every_request_ends_somewhere_and_nobody_is_left_out(done, changing):
    replanned = done[Planning.REPLANNED]
    requests, served = replanned.requests, replanned.served
    assert np.array_equal(requests.kind, changing.kinds)
    ends = [Status.COMPLETED, Status.LEFT_PREFILL, Status.LEFT_DECODE]
    assert np.isin(served.status, ends).all()
    complete = served.status == Status.COMPLETED
    assert np.array_equal(served.made[complete], requests.decode[complete])


def test_the_first_plan_is_for_the_prior_rates_and_later_ones_follow(done, changing):
    replanned, static = done[Planning.REPLANNED], done[Planning.STATIC]
    prior = 3 * changing.prior.arrival
    assert replanned.rates[0] == pytest.approx(prior)
    assert static.rates == pytest.approx(np.tile(prior, (12, 1)))
    assert len({id(planned) for planned in static.plans}) == 1
    assert replanned.rates[-1, 1] > 8 * prior[1]
    mixed = [float(planned.targets.mixed) for planned in replanned.plans]
    assert mixed[-1] > mixed[0]


def test_hindsight_knows_the_mean_of_the_true_classes(done, changing):
    instance = done[Planning.REPLANNED].hindsight.instance
    assert 3 * 180.0 * instance.arrival == pytest.approx(np.bincount(changing.kinds))
    tokens = 3 * 180.0 * instance.arrival @ instance.prompt
    assert tokens == pytest.approx(changing.trace.prompt.sum())
    values = {each.hindsight.plan.value for each in done.values()}
    assert len(values) == 1


def test_plans_that_follow_the_trace_lose_fewer_requests(done):
    lost = {each: summary(one).measures.abandonment[0] for each, one in done.items()}
    earned = {each: summary(one).reward_ratio for each, one in done.items()}
    assert lost[Planning.REPLANNED] < 0.7 * lost[Planning.STATIC]
    assert earned[Planning.REPLANNED] > earned[Planning.STATIC] + 0.02


def test_what_happens_later_changes_nothing_before(changing, requests, done):
    # the same number of requests, so that the program is compiled once
    late = requests.arrival_s >= 90.0
    other = requests._replace(
        kind=np.where(late, 1 - requests.kind, requests.kind),
        seen=np.where(late, 1 - requests.seen, requests.seen),
        decode=np.where(late, 7, requests.decode).astype(np.int32),
    )
    again = replay(POLICY, changing.prior, other, **FLEET)
    before = done[Planning.REPLANNED]
    assert np.array_equal(again.rates[:7], before.rates[:7])
    assert not np.array_equal(again.rates[7:], before.rates[7:])
    early = before.served.finish_s < 90.0
    assert early.sum() > 100
    assert np.array_equal(again.served.finish_s[early], before.served.finish_s[early])


def test_controllers_know_the_classes_that_are_seen(changing):
    seen = mistaken(changing.kinds, 2, 1.0)
    wrong = replay(POLICY, changing.prior, changing.requests(seen=seen), **FLEET)
    assert wrong.rates[-1, 0] < wrong.rates[-1, 1]  # two classes, in each other's place
    truth = wrong.hindsight.instance.arrival
    assert truth[0] > truth[1]


def test_one_window_is_a_static_plan(changing, requests, done):
    options: dict[str, Any] = {**FLEET, "window_s": 180.0}
    long = replay(POLICY, changing.prior, requests, **options)
    static = done[Planning.STATIC].served
    assert long.served.finish_s == pytest.approx(static.finish_s, abs=1e-6, nan_ok=True)


def test_a_margin_plans_for_more(changing, requests):
    high = replay(POLICY, changing.prior, requests, margin=1.5, **FLEET)
    plain = replay(POLICY, changing.prior, requests, **FLEET)
    assert high.rates == pytest.approx(1.5 * plain.rates)


def test_a_plan_stays_in_use_while_its_levels_cannot_be_kept(changing, requests):
    levels = ServiceLevels(service_share=0.99)
    strict = replay(POLICY, changing.prior, requests, levels=levels, margin=2.0, **FLEET)
    assert not strict.kept[0]
    assert strict.kept.any()
    at = int(np.argmax(strict.kept))
    assert strict.plans[at] is strict.plans[at - 1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"planning": "never"}, "replanned, static, hindsight"),
        ({"margin": 0.0}, "`margin`"),
        ({"window_s": 0.0}, "`window_s`"),
        ({"duration_s": 100.0}, "ends before the last request"),
        ({"weight": 2.0}, "`weight`"),
    ],
)
def test_bad_numbers_are_refused(changing, requests, options, words):
    with pytest.raises(InputError, match=words):
        replay(POLICY, changing.prior, requests, **(FLEET | options))


def test_a_replay_has_requests(changing, requests):
    nobody = Requests(*(column[-5:] for column in requests))
    with pytest.raises(InputError, match="at least one"):
        replay(POLICY, changing.prior, nobody, **FLEET)
