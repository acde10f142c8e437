"""Targets of a plan for a fleet, against the plan and numbers by hand."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import (
    ServiceLevels,
    load,
    paper_two_class,
    paper_two_class_x2,
    service_rates,
    solve_plan,
)
from lpo.serve.policies import (
    LIGHT,
    POLICIES,
    Pools,
    Rounding,
    mixed_gpus,
    plan_for,
    policy_named,
    targets_of,
)

CREDIT, INDEX = policy_named("credit_gate"), policy_named("gate_and_route")


def of_plan(name, instance, gpus, levels=None):
    policy = policy_named(name)
    plan = plan_for(policy, instance, levels or ServiceLevels())
    return plan, targets_of(policy, instance, plan, gpus)


def test_a_fleet_has_n_times_the_plan():
    instance = paper_two_class()
    plan, targets = of_plan("gate_and_route", instance, 200)
    np.testing.assert_allclose(targets.x, 200 * plan.x, rtol=1e-6)
    np.testing.assert_allclose(targets.waiting, 200 * plan.q_p, rtol=1e-6)
    np.testing.assert_allclose(targets.rate, 200 * plan.admitted, rtol=1e-6)
    assert targets.gpus == 200.0
    assert targets.mixed == np.ceil(200 * plan.x.sum()) == 43.0
    assert targets.mixed_slots == 15.0
    np.testing.assert_allclose(targets.order, [1000 / 300, 400 / 3000], rtol=1e-6)
    assert all(leaf.dtype in (np.float32, bool) for leaf in targets)


def test_plans_have_the_pricing_and_the_pools_of_the_policy():
    instance = paper_two_class_x2()
    assert plan_for(INDEX, instance).value == pytest.approx(429.943, abs=5e-4)
    separate = plan_for(policy_named("prioritize_and_route"), instance)
    assert separate.value == pytest.approx(451.741, abs=5e-4)
    plan, targets = of_plan("disaggregated_gate", instance, 50)
    assert plan.value == pytest.approx(389.775, abs=5e-4)
    assert targets.mixed_slots == 0.0
    np.testing.assert_array_equal(targets.solo_share, 1.0)


@pytest.mark.parametrize(
    ("rounding", "planned", "number"),
    [
        (Rounding.CEIL, 42.1, 43),
        (Rounding.CEIL, 42.0 * (1 + 1e-12), 42),
        (Rounding.ROUND, 42.4, 42),
        (Rounding.ROUND, 42.5, 43),
        (Rounding.RANDOM, 42.1, 42.1),
        (Rounding.SQUARE_ROOT, 42.0, 49),  # 42 + 6.48
        (Rounding.SQUARE_ROOT, 95.0, 100),  # no more than there are
        (Rounding.CEIL, 0.0, 1),
        (Rounding.ROUND, 0.2, 1),
        (Rounding.RANDOM, 0.2, 1),
        (Rounding.CEIL, 100.0, 100),
    ],
)
def test_gpus_that_may_prefill(rounding, planned, number):
    assert mixed_gpus(INDEX._replace(rounding=rounding), planned, 100) == number


def test_one_gpu_is_left_to_decode_where_the_two_are_different():
    split = policy_named("disaggregated_fcfs")
    assert mixed_gpus(split, 100.0, 100) == 99
    assert mixed_gpus(split, 0.0, 2) == 1
    assert mixed_gpus(policy_named("fcfs"), 3.0, 100) == 100


def test_credit_is_capped_at_three_square_roots():
    instance = paper_two_class_x2()
    plan, targets = of_plan("credit_gate", instance, 200)
    expected = 1.0 + np.maximum(2.0, 3.0 * np.sqrt(200 * plan.admitted))
    np.testing.assert_allclose(targets.cap, expected, rtol=1e-6)
    _, small = of_plan("credit_gate", instance, 1)
    assert small.cap[0] == 3.0  # .22 admissions per second
    near = 200 * plan.x.sum()
    assert targets.mixed == np.ceil(near + np.sqrt(near))


def test_light_load_opens_the_credit_gate_and_no_other():
    instance = paper_two_class()
    for factor, light in ((1.01, False), (0.99, True)):
        scaled = instance._replace(arrival=factor * LIGHT / load(instance) * instance.arrival)
        for policy in (CREDIT, INDEX):
            targets = targets_of(policy, scaled, plan_for(policy, scaled), 50)
            assert bool(targets.open) == (light and policy is CREDIT)


def test_classes_served_in_full_are_exempt_where_slots_are_left():
    bypass = policy_named("credit_gate_bypass")
    instance = paper_two_class_x2()
    plan, targets = of_plan("credit_gate_bypass", instance, 50)
    assert plan.x.sum() < 1.0
    np.testing.assert_array_equal(targets.exempt, [False, True])
    np.testing.assert_array_equal(of_plan("credit_gate", instance, 50)[1].exempt, False)
    # decodes so short that all GPUs prefill
    instance = instance._replace(decode=instance.decode / 50.0, arrival=3.0 * instance.arrival)
    plan = plan_for(bypass, instance)
    assert plan.x.sum() == pytest.approx(1.0)
    assert (plan.admitted >= instance.arrival * (1 - 1e-9)).any()
    np.testing.assert_array_equal(targets_of(bypass, instance, plan, 50).exempt, False)


def test_shares_of_decodes_are_those_of_completions():
    instance = paper_two_class_x2()
    levels = ServiceLevels(prefill_fairness=0.3, decode_fairness=0.5)
    plan, targets = of_plan("sli_aware", instance, 100, levels)
    rates = service_rates(instance)
    solo, mixed = rates.mu_s * plan.y_s, rates.mu_m * plan.y_m
    np.testing.assert_allclose(targets.solo_share, solo / (solo + mixed), rtol=1e-6)
    np.testing.assert_allclose(targets.solo_share, [0.8103, 0.7308], atol=5e-5)
    np.testing.assert_allclose(targets.solo_weight, solo, rtol=1e-6)
    np.testing.assert_allclose(targets.mixed_weight, mixed, rtol=1e-6)


def test_who_never_decodes_by_the_plan_has_a_share_of_one():
    instance = paper_two_class_x2()
    instance = instance._replace(arrival=np.array([1.0, 2.0]))
    plan, targets = of_plan("sli_aware", instance, 100)
    assert plan.completed[0] == 0.0
    assert targets.solo_share[0] == 1.0 and targets.x[0] == 0.0


@pytest.mark.parametrize("name", list(POLICIES))
def test_fleets_that_are_none_are_refused(name):
    policy, instance = POLICIES[name], paper_two_class()
    plan = solve_plan(instance)
    bad = [0, -3, 2.5, np.nan, np.inf] + [1] * (policy.pools == Pools.SPLIT)
    for gpus in bad:
        with pytest.raises(InputError, match=f"whole number of at least . for {name}, got"):
            targets_of(policy, instance, plan, gpus)
    assert targets_of(policy, instance, plan, 2).gpus == 2.0
