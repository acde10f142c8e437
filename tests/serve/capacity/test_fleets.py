"""The search on the request-level simulator."""

from typing import Any

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import ServiceLevels, make_hardware, make_instance, minimum_fleet
from lpo.serve.capacity import Limits, fleet_for, make_trial, measure
from lpo.serve.policies import policy_named
from lpo.serve.requests import poisson_requests, stack_requests

POLICY = policy_named("credit_gate")
LIMITS = Limits(ttft_s=1.0, ttft_percentile=95, tpot_s=0.05, abandonment=0.02)
PADDING = 12
TRIALS: dict[str, Any] = {"gpus": 1, "padding": PADDING, "margin": 1.3}


@pytest.fixture(scope="module")
def instance():
    return make_instance(
        arrival=[8.0, 2.0],
        prompt=[300, 1200],
        decode=[120, 60],
        patience=0.1,
        hardware=make_hardware(batch=8, chunk=256, alpha=0.0174, beta=6.2e-5, tau_solo=0.022),
        price_prompt=0.1,
        price_decode=0.2,
    )


@pytest.fixture(scope="module")
def requests(instance):
    seeds = [poisson_requests(instance, 1, 40.0, seed=seed, lengths="fixed") for seed in range(3)]
    return stack_requests(seeds, 480)


@pytest.fixture(scope="module")
def found(instance, requests):
    return fleet_for(POLICY, instance, requests, LIMITS, margin=1.3)


def test_the_least_fleet_meets_the_limits_and_one_gpu_less_does_not(found, instance):
    assert minimum_fleet(instance).planned <= found.gpus < PADDING
    assert found.at.meets
    assert found.below is not None
    assert not found.below.meets
    at, below = found.at.measured, found.below.measured
    assert np.median(at.abandonment) <= 0.02 < np.median(below.abandonment)
    assert found.confirmed.low <= found.confirmed.share <= found.confirmed.high


def test_more_gpus_wait_less_for_the_same_requests(found):
    ttft = np.array([tried.measured.ttft_s[:, 0] for tried in found.tried])
    assert np.all(np.diff(ttft, axis=0) < 0.05)
    assert ttft[0].mean() > 2 * ttft[-1].mean()
    requests = {len(tried.passed) for tried in found.tried}
    assert requests == {3}


def test_a_trial_measures_what_the_search_reports(found, instance, requests):
    trial = make_trial(POLICY, instance, requests, **TRIALS)
    runs = trial(found.gpus)
    again = [measure(LIMITS, run, 2).ttft_s[0] for run in runs]
    assert again == found.at.measured.ttft_s[:, 0].tolist()
    assert [len(run.kind) for run in runs] == [
        int(np.isfinite(each).sum()) for each in requests.arrival_s
    ]


def test_fleets_beyond_the_padding_take_a_larger_program(instance, requests):
    small = make_trial(POLICY, instance, requests, gpus=1, padding=PADDING // 2, margin=1.3)
    large = make_trial(POLICY, instance, requests, **TRIALS)
    for one, other in zip(small(PADDING), large(PADDING), strict=True):
        assert np.array_equal(one.ttft_s, other.ttft_s, equal_nan=True)


def test_only_requests_of_the_asked_time_count(instance, requests):
    trial = make_trial(POLICY, instance, requests, from_s=10.0, to_s=30.0, **TRIALS)
    inside = (requests.arrival_s >= 10.0) & (requests.arrival_s <= 30.0)
    assert [len(run.kind) for run in trial(4)] == inside.sum(-1).tolist()


def test_fleets_may_plan_anew(found, instance, requests):
    often = fleet_for(POLICY, instance, requests, LIMITS, window_s=20.0, margin=1.3)
    assert abs(found.gpus - often.gpus) <= 2
    assert any(
        not np.array_equal(one.measured.ttft_s, other.measured.ttft_s)
        for one in found.tried
        for other in often.tried
        if one.gpus == other.gpus
    )


def test_a_fleet_without_a_plan_serves_nobody(instance, requests):
    levels = ServiceLevels(service_share=1.0)
    trial = make_trial(POLICY, instance, requests, levels=levels, **TRIALS)
    assert all(run.left.all() for run in trial(1))
    assert not all(run.left.all() for run in trial(PADDING))


@pytest.mark.parametrize(
    ("limits", "options", "words"),
    [
        (Limits(ttft_s=0.1), {}, r"`ttft_s` = 0.1 s is below the 0.16\d* s that the prefills take"),
        (Limits(tpot_s=0.02), {}, r"below the 0.022 s of a token"),
        (Limits(ttft_s=1.0), {"margin": 0.0}, "`margin`"),
    ],
)
def test_limits_that_no_fleet_meets(instance, requests, limits, options, words):
    with pytest.raises(InputError, match=words):
        fleet_for(POLICY, instance, requests, limits, **({"margin": 1.3} | options))


def test_requests_are_of_several_seeds(instance):
    with pytest.raises(InputError, match="`stack_requests`"):
        fleet_for(POLICY, instance, poisson_requests(instance, 1, 5.0), LIMITS)
