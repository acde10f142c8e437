"""Paths of the fluid: where they end, that eps does not matter there, and what is refused."""

from functools import cache

import jax
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import paper_two_class, paper_two_class_x2
from lpo.serve.fluid import integrate
from lpo.serve.policies import plan_for, policy_named, targets_of
from lpo.serve.totals import Occupancy

INSTANCES = {"near load 1": paper_two_class(), "twice that": paper_two_class_x2()}
GATES = ["gate_and_route", "credit_gate"]
SECONDS = 600.0
LARGE = 10_000_000  # GPUs: M / n is the plan's to 1e-4, also with square-root slack


@cache
def planned(name, of):
    policy, instance = policy_named(name), INSTANCES[of]
    return policy, instance, plan_for(policy, instance)


@cache
def path_of(name, of, *, gpus=LARGE, eps=1e-3):
    policy, instance, plan = planned(name, of)
    targets = targets_of(policy, instance, plan, gpus)
    return targets, integrate(policy, instance, targets, seconds=SECONDS, eps=eps)


@pytest.mark.parametrize("of", list(INSTANCES))
@pytest.mark.parametrize("name", GATES)
def test_the_end_is_the_plan(name, of):
    *_, plan = planned(name, of)
    targets, path = path_of(name, of)
    end = jax.tree.map(lambda leaf: leaf[-1], path.occupancy)
    np.testing.assert_allclose(end.prefilling, plan.x, atol=1e-6)
    np.testing.assert_allclose(end.waiting_prefill, plan.q_p, atol=1e-3)
    np.testing.assert_allclose(end.waiting_decode, 0.0, atol=1e-3)
    beside = end.prefilling.sum() * LARGE / targets.mixed
    mixed, alone = beside * end.mixed, end.solo + (1.0 - beside) * end.mixed
    # classes share both kinds of slot in the same proportion, as in the plan
    np.testing.assert_allclose(mixed, plan.y_m, atol=1e-3)
    np.testing.assert_allclose(alone, plan.y_s, atol=1e-3)
    np.testing.assert_allclose(path.completed[-1], plan.completed, rtol=1e-3)
    assert path.bundled[-1] == pytest.approx(plan.revenue, rel=1e-4)
    assert path.notes == ()


@pytest.mark.parametrize("of", list(INSTANCES))
@pytest.mark.parametrize("name", GATES)
def test_eps_moves_the_path_a_little_and_its_end_not_at_all(name, of):
    (_, one), (_, half) = (path_of(name, of, gpus=200, eps=eps) for eps in (1e-3, 5e-4))
    for ours, theirs in zip(one.occupancy, half.occupancy, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
        np.testing.assert_allclose(ours[-1], theirs[-1], atol=1e-7)


@pytest.mark.parametrize("name", GATES)
def test_nothing_is_negative_nothing_is_lost_and_no_slot_is_taken_twice(name):
    policy, instance, plan = planned(name, "twice that")
    targets = targets_of(policy, instance, plan, 200)
    begin = Occupancy(*np.array([[9.0, 0.0], [0.0, 0.1], [2.0, 1.0], [0.0, 3.0], [8.0, 0.0]]))
    times = np.concatenate([[0.0], np.geomspace(1e-3, 30.0, 199), [SECONDS]])
    path = integrate(policy, instance, targets, seconds=SECONDS, start=begin, save_at=times)
    occupancy, share = path.occupancy, targets.mixed / 200.0
    assert min(leaf.min() for leaf in occupancy) > -1e-6
    assert occupancy.prefilling.sum(1).max() < share + 1e-6
    assert occupancy.mixed.sum(1).max() < 15.0 * share + 1e-4
    assert occupancy.solo.sum(1).max() < 16.0 * (1.0 - share) + 1e-4
    for leaf, at_zero in zip(occupancy, begin, strict=True):
        np.testing.assert_allclose(leaf[0], at_zero, atol=1e-12)
    # what came less what left, by the trapezoidal rule
    waiting = occupancy.waiting_prefill + occupancy.waiting_decode
    flow = (instance.arrival - instance.patience * waiting - path.completed)[:-1]
    gained = np.cumsum((flow[1:] + flow[:-1]) / 2.0 * np.diff(times[:-1])[:, None], axis=0)
    inside = np.sum(occupancy, 0)
    np.testing.assert_allclose(inside[1:-1] - np.sum(begin, 0), gained, atol=2e-3)


def test_a_long_wait_for_rest_is_noted():
    policy, instance, plan = planned("credit_gate", "twice that")
    targets = targets_of(policy, instance, plan, 200)
    times = np.linspace(0.0, 5.0, 201)
    path = integrate(policy, instance, targets, seconds=5.0)
    np.testing.assert_array_equal(path.times, times)
    assert path.bundled[0] == path.separate[0] == 0.0
    (note,) = path.notes
    assert note.startswith("The path does not end at rest")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seconds": 0.0}, "`seconds` must be positive and finite, got 0.0"),
        ({"seconds": np.inf}, "`seconds`"),
        ({"eps": -1.0}, "`eps` must be positive"),
        ({"save_at": 1}, "`save_at` must be at least 2"),
        ({"save_at": [2.0, 1.0]}, "`save_at` must be ascending"),
        ({"save_at": [0.0, 11.0]}, r"times in \[0, 10\]"),
        ({"start": Occupancy(*[np.zeros(3)] * 5)}, r"`start.waiting_prefill` .* 2 classes"),
        ({"start": Occupancy(*[np.full(2, -1.0)] * 5)}, "`start.waiting_prefill`"),
    ],
)
def test_numbers_out_of_range_are_refused(changed, message):
    policy, instance, plan = planned("credit_gate", "twice that")
    targets = targets_of(policy, instance, plan, 200)
    with pytest.raises(InputError, match=message):
        integrate(policy, instance, targets, **({"seconds": 10.0} | changed))


@pytest.mark.parametrize("name", ["fcfs", "gate_and_route_unpartitioned", "prefill_first"])
def test_policies_without_pools_are_refused(name):
    policy, instance, plan = planned(name, "near load 1")
    targets = targets_of(policy, instance, plan, 200)
    with pytest.raises(InputError, match=f"pools mixed or split.*got {name}"):
        integrate(policy, instance, targets, seconds=10.0)
