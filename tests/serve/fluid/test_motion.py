"""The right-hand side: what it conserves, where it rests, and where a crude integrator ends."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.serve import NO_LEVELS, ServiceLevels, paper_two_class, paper_two_class_x2, service_rates
from lpo.serve.fluid.motion import State, decode_ends, motion, per_gpu
from lpo.serve.policies import (
    POLICIES,
    Gate,
    Pools,
    Rounding,
    Router,
    plan_for,
    policy_named,
    targets_of,
)

STATIC = [name for name, policy in POLICIES.items() if policy.pools != Pools.NONE]
FAIR = ServiceLevels(prefill_fairness=0.3, decode_fairness=0.5)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def real(tree):
    return jax.tree.map(
        lambda leaf: jnp.asarray(leaf, bool if np.asarray(leaf).dtype == bool else float), tree
    )


@partial(jax.jit, static_argnums=0)
def of_many(policy, instance, targets, states, eps=1e-3):
    return jax.vmap(lambda state: motion(policy, instance, targets, state, eps))(states)


def turned(tree):
    """Classes in the other order."""
    return jax.tree.map(lambda leaf: leaf[..., ::-1] if np.ndim(leaf) else leaf, tree)


def of_limit(policy, instance, levels=NO_LEVELS):
    """Plan and targets of one GPU in a fleet so large that M / n is the plan's."""
    plan = plan_for(policy, instance, levels)
    return plan, real(per_gpu(targets_of(policy, instance, plan, 10_000_000)))


def state_of(policy, plan, targets):
    """The plan as a state, where prefill slots of GPUs that may prefill are never empty."""
    share = targets.solo_share if policy.router == Router.SHARES else 1.0
    buffered = jnp.stack([share * plan.q_d, (1.0 - share) * plan.q_d])
    return real(State(plan.q_p, plan.x, buffered, plan.y_m, plan.y_s))


@pytest.mark.parametrize("make", [paper_two_class, paper_two_class_x2])
@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("gate_and_route", NO_LEVELS),
        ("gate_and_route_strict", NO_LEVELS),
        ("credit_gate", NO_LEVELS),
        ("credit_gate_bypass", NO_LEVELS),
        ("disaggregated_gate", NO_LEVELS),
        ("sli_aware", NO_LEVELS),
        ("sli_aware", FAIR),
    ],
)
def test_the_plan_is_at_rest(make, name, levels):
    policy, instance = policy_named(name)._replace(rounding=Rounding.RANDOM), make()
    plan, targets = of_limit(policy, instance, levels)
    one = jax.tree.map(lambda leaf: leaf[None], state_of(policy, plan, targets))
    change = of_many(policy, real(instance), targets, one, 0.1)
    for field, moved in change._asdict().items():
        np.testing.assert_allclose(moved, 0.0, atol=1e-5, err_msg=field)


def random_states(rng, targets, instance, count):
    """Inside of all limits, some of them at one."""
    B, shape = instance.hardware.batch, (count, len(instance.arrival))

    def filling(room):
        shares = rng.dirichlet(np.ones(shape[1]), count) * (rng.random(shape) < 0.8)
        return room * shares * rng.choice([0.3, 1.0], (count, 1))

    some = rng.random((4, *shape)) < 0.6
    queues = some[:3] * rng.exponential(0.5, (3, *shape))
    solo, mixed = B * (1.0 - targets.mixed), targets.mixed_slots * targets.mixed
    return real(
        State(
            queues[0],
            filling(targets.mixed),
            np.stack([queues[1], queues[2]], 1),
            filling(mixed),
            filling(solo),
        )
    )


@pytest.mark.parametrize("name", STATIC)
def test_nobody_is_lost_no_limit_is_passed_and_labels_do_not_matter(name):
    policy, instance = policy_named(name), paper_two_class_x2()
    rates, targets = service_rates(instance), of_limit(policy, instance)[1]
    states = random_states(np.random.default_rng(1), targets, instance, 40)
    if policy.router != Router.SHARES:
        states = states._replace(buffered=states.buffered.at[:, 1].set(0.0))
    change = of_many(policy, real(instance), targets, states)
    swapped = of_many(policy, real(turned(instance)), turned(targets), turned(states))
    for ours, theirs in zip(turned(change), swapped, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    inside = sum(leaf if leaf.ndim == 2 else leaf.sum(1) for leaf in change)
    ends = sum(jax.jit(jax.vmap(lambda state: decode_ends(rates, targets, state)))(states))
    waiting = states.waiting + states.buffered.sum(1)
    expected = instance.arrival - instance.patience * waiting - ends
    np.testing.assert_allclose(inside, expected, atol=1e-9)
    for leaf, moved in zip(states, change, strict=True):
        assert (np.asarray(moved)[np.asarray(leaf) == 0.0] >= -1e-9).all()
    solo, mixed = 16.0 * (1.0 - targets.mixed), targets.mixed_slots * targets.mixed
    for stage, room in (("prefilling", targets.mixed), ("mixed", mixed), ("solo", solo)):
        taken = np.asarray(getattr(states, stage)).sum(1)
        full = taken > room - 1e-12
        assert full.any()
        assert (np.asarray(getattr(change, stage)).sum(1)[full] < 1e-6).all()


@cache
def end_of(name, levels=NO_LEVELS):
    """Plans and Euler's end states of both instances, from an empty system, with a large eps."""
    policy, instances = policy_named(name), [paper_two_class(), paper_two_class_x2()]
    plans, targets = zip(*(of_limit(policy, each, levels) for each in instances), strict=True)
    step, eps = 0.01, 0.02

    @jax.jit
    def run(instance, targets):
        zero = jnp.zeros_like(instance.arrival)
        start = State(zero, zero, jnp.stack([zero, zero], 1), zero, zero)
        follow = jax.vmap(lambda i, t, s: motion(policy, i, t, s, eps))

        def advance(_, state):
            moved = follow(instance, targets, state)
            return jax.tree.map(lambda at, slope: at + step * slope, state, moved)

        return jax.lax.fori_loop(0, 40_000, advance, start)

    each = zip(map(real, instances), targets, strict=True)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
    return policy, instances, plans, targets, run(*stacked)


def in_mixed_mode(state, targets):
    """The share of decodes on GPUs that may prefill which are beside one."""
    return state.prefilling.sum() / targets.mixed


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("gate_and_route_strict", NO_LEVELS),
        ("disaggregated_gate", NO_LEVELS),
        ("sli_aware", FAIR),
    ],
)
def test_gates_end_at_the_plan(name, levels):
    """In every class, also of the decodes: where shares say nothing both queue in one order."""
    _, _, plans, targets, ends = end_of(name, levels)
    for k, (plan, given) in enumerate(zip(plans, targets, strict=True)):
        end = jax.tree.map(lambda leaf, k=k: leaf[k], ends)
        share = in_mixed_mode(end, given)
        found = (
            end.waiting,
            end.prefilling,
            end.buffered.sum(0),
            share * end.mixed,
            end.solo + (1.0 - share) * end.mixed,
        )
        planned = (plan.q_p, plan.x, plan.q_d, plan.y_m, plan.y_s)
        for ours, theirs in zip(found, planned, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_separate_prices_end_at_their_plan_before_the_decodes():
    """What is decoded is as much as planned, of other classes, which these prices do not see."""
    _, instances, plans, targets, ends = end_of("prioritize_and_route")
    for k, (instance, plan, given) in enumerate(zip(instances, plans, targets, strict=True)):
        end = jax.tree.map(lambda leaf, k=k: leaf[k], ends)
        np.testing.assert_allclose(end.prefilling, plan.x, atol=1e-3)
        np.testing.assert_allclose(end.waiting, plan.q_p, atol=1e-3)
        done, rates = sum(decode_ends(service_rates(instance), given, end)), service_rates(instance)
        tokens = instance.decode @ done
        assert tokens == pytest.approx(instance.decode @ plan.completed, rel=1e-3)
        paid = instance.price_prompt * instance.prompt @ (rates.mu_p * end.prefilling)
        assert paid + instance.price_decode * tokens == pytest.approx(plan.value, rel=1e-4)
        assert end.buffered.sum() > 0.1  # decodes queue: prompts are paid at once
        assert rates.w @ done < 0.99 * plan_for(policy_named("credit_gate"), instance).value


def test_first_come_first_served_loses_as_much_as_large_fleets_do():
    """The simulated loss of a partition without a gate, 62.5 to 62.7 % of the optimum at twice the
    arrivals, does not shrink with n; near load 1 it is 2 %."""
    policy, instances, plans, targets, ends = end_of("fcfs_partition")
    assert policy.gate == Gate.FCFS
    shares = []
    for k, (instance, plan, given) in enumerate(zip(instances, plans, targets, strict=True)):
        end = jax.tree.map(lambda leaf, k=k: leaf[k], ends)
        rates = service_rates(instance)
        shares.append(float(rates.w @ sum(decode_ends(rates, given, end)) / plan.value))
        # whom it serves is in the same proportion as who came, less than the plan's best
        admitted = rates.mu_p * end.prefilling
        np.testing.assert_allclose(admitted / instance.arrival, (admitted / instance.arrival)[0])
    np.testing.assert_allclose(shares, [0.978, 0.625], atol=1e-3)
