"""Where requests decode, and what a freed slot takes next."""

import jax.numpy as jnp
import numpy as np
import pytest

from lpo.serve import ServiceLevels, paper_two_class_x2
from lpo.serve.policies import (
    MIXED,
    SOLO,
    WAIT_MIXED,
    WAIT_SOLO,
    Queues,
    plan_for,
    policy_named,
    queues_of,
    refill_weights,
    route,
    targets_of,
)

PLAIN, SHARES = policy_named("gate_and_route"), policy_named("sli_aware")


def make_targets(policy=SHARES):
    instance = paper_two_class_x2()
    plan = plan_for(policy, instance, ServiceLevels(prefill_fairness=0.3, decode_fairness=0.5))
    return targets_of(policy, instance, plan, 100)


def routed(policy, targets, room, chosen=0, uniform=0.5):
    return int(route(policy, targets, jnp.array(room), jnp.array(chosen), jnp.array(uniform)))


@pytest.mark.parametrize("uniform", [0.0, 0.999])
def test_without_shares_a_gpu_that_never_prefills_comes_first(uniform):
    targets = make_targets(PLAIN)
    for room, to in (
        ((True, True), SOLO),
        ((True, False), SOLO),
        ((False, True), MIXED),
        ((False, False), WAIT_SOLO),
    ):
        assert routed(PLAIN, targets, room, uniform=uniform) == to


@pytest.mark.parametrize("chosen", [0, 1])
def test_with_shares_the_kind_of_gpu_is_drawn_and_each_has_its_queue(chosen):
    targets = make_targets()
    share = float(targets.solo_share[chosen])
    assert 0.05 < share < 0.95
    below, above = share - 1e-4, share + 1e-4
    assert routed(SHARES, targets, (True, True), chosen, below) == SOLO
    assert routed(SHARES, targets, (True, True), chosen, above) == MIXED
    assert routed(SHARES, targets, (False, True), chosen, below) == WAIT_SOLO
    assert routed(SHARES, targets, (True, False), chosen, above) == WAIT_MIXED


def test_a_freed_slot_takes_a_class_by_its_planned_completions():
    targets, waiting = make_targets(), jnp.array([1.0, 9.0])
    for pool, planned in ((SOLO, targets.solo_weight), (MIXED, targets.mixed_weight)):
        np.testing.assert_allclose(refill_weights(SHARES, targets, waiting, pool), planned)
        one = refill_weights(SHARES, targets, jnp.array([0.0, 9.0]), pool)
        np.testing.assert_allclose(one, [0.0, planned[1]])
        assert not refill_weights(SHARES, targets, jnp.zeros(2), pool).any()


def test_classes_that_the_plan_decodes_elsewhere_are_taken_when_nobody_else_waits():
    targets = make_targets()._replace(solo_weight=jnp.array([0.0, 2.0]))
    both, alone = jnp.array([4.0, 1.0]), jnp.array([4.0, 0.0])
    np.testing.assert_allclose(refill_weights(SHARES, targets, both, SOLO), [0.0, 2.0])
    np.testing.assert_allclose(refill_weights(SHARES, targets, alone, SOLO), alone)


@pytest.mark.parametrize("pool", [SOLO, MIXED])
def test_one_queue_is_first_come_first_served_in_the_mean(pool):
    waiting = jnp.array([3.0, 1.0])
    np.testing.assert_allclose(refill_weights(PLAIN, make_targets(PLAIN), waiting, pool), waiting)


def test_queues():
    assert queues_of(PLAIN) == Queues(WAIT_SOLO, WAIT_SOLO)
    assert queues_of(SHARES) == Queues(WAIT_SOLO, WAIT_MIXED)
