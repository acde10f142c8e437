"""Which class a gate admits, by numbers small enough to do by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.serve.policies import POLICIES, Gate, Seen, Targets, admit, earn, policy_named, spend

NONE = -1


def targets(x=(4.0, 10.0, 1.0), waiting=(0.0, 0.0, 0.0), rate=(8.0, 4.0, 2.0), **changed):
    numbers = {
        "gpus": 50.0,
        "mixed": 15.0,
        "mixed_slots": 15.0,
        "x": x,
        "waiting": waiting,
        "rate": rate,
        "cap": 1.0 + np.maximum(2.0, 3.0 * np.sqrt(rate)),
        "solo_share": np.ones(3),
        "solo_weight": np.ones(3),
        "mixed_weight": np.ones(3),
        "order": (0.5, 3.0, 1.0),
        "exempt": np.zeros(3, bool),
        "open": False,
    }
    return Targets(**{name: jnp.asarray(number) for name, number in (numbers | changed).items()})


def chosen(gate, given=None, *, waiting=(1, 1, 1), prefilling=(0, 0, 0), credit=(0, 0, 0), **other):
    """other: `first`, and fields of the policy."""
    first = jnp.asarray(other.pop("first", 0))
    policy = POLICIES["gate_and_route"]._replace(gate=gate, **other)
    counts = (jnp.asarray(number, float) for number in (waiting, prefilling, credit))
    seen = Seen(*counts, first=first)
    found = admit(policy, given or targets(), seen)
    assert found.dtype == jnp.int32 and found.shape == ()
    return int(found)


@pytest.mark.parametrize("gate", list(Gate))
def test_nobody_waits(gate):
    assert chosen(gate, waiting=(0, 0, 0), credit=(3, 3, 3)) == NONE


@pytest.mark.parametrize("gate", [Gate.INDEX, Gate.STRICT])
def test_the_class_furthest_below_its_plan_is_next(gate):
    """xi = (X - n x) / (n x): -1/2, -1/5 and 0; in numbers of requests the order would be 1, 0."""
    assert chosen(gate, prefilling=(2, 8, 1)) == 0
    assert chosen(gate, prefilling=(2, 8, 1), waiting=(0, 3, 3)) == 1
    assert chosen(gate, prefilling=(4, 9, 0)) == 2


def test_the_index_gate_fills_every_slot_and_the_strict_one_does_not():
    over = {"prefilling": (5, 12, 2), "waiting": (3, 3, 3)}
    assert chosen(Gate.INDEX, **over) == 1  # 1/4, 1/5, 1
    assert chosen(Gate.STRICT, **over) == NONE
    assert chosen(Gate.STRICT, prefilling=(4, 12, 0.0)) == 2


def test_a_strict_plan_of_less_than_one_request_still_admits_one():
    given = targets(x=(0.4, 10.0, 1.0))
    assert chosen(Gate.STRICT, given, waiting=(1, 0, 0), prefilling=(0, 0, 0)) == 0
    assert chosen(Gate.STRICT, given, waiting=(1, 0, 0), prefilling=(1, 0, 0)) == NONE


def test_ties_of_the_index_go_to_the_queue_furthest_above_its_own():
    given = targets(waiting=(5.0, 0.0, 1.0))
    assert chosen(Gate.INDEX, given, waiting=(7, 1, 4), prefilling=(0, 0, 0)) == 2
    assert chosen(Gate.INDEX, given, waiting=(9, 1, 4), prefilling=(0, 0, 0)) == 0
    assert chosen(Gate.INDEX, given, waiting=(6, 1, 2), prefilling=(0, 0, 0)) == 0  # all 1


def test_classes_without_a_plan_come_last_or_never():
    given = targets(x=(4.0, 0.0, 0.0), waiting=(0.0, 2.0, 1.0))
    far_above = {"prefilling": (9, 0, 0)}
    assert chosen(Gate.INDEX, given, waiting=(1, 5, 5), **far_above) == 0
    assert chosen(Gate.INDEX, given, waiting=(0, 5, 3), **far_above) == 1  # by queues: 3, 2
    assert chosen(Gate.INDEX, given, waiting=(0, 5, 5), **far_above) == 2
    assert chosen(Gate.INDEX, given, waiting=(0, 5, 5), refuse_unplanned=True) == NONE
    assert chosen(Gate.STRICT, given, waiting=(0, 5, 5)) == NONE


def test_refused_classes_do_not_hold_up_those_behind_them():
    given = targets(x=(0.0, 4.0, 4.0))
    for gate in (Gate.FCFS, Gate.PRIORITY, Gate.INDEX):
        assert chosen(gate, given, first=0, refuse_unplanned=True) == 1
    assert chosen(Gate.FCFS, given, waiting=(1, 0, 0), first=0, refuse_unplanned=True) == NONE


def test_priority_is_decode_over_prompt():
    assert chosen(Gate.PRIORITY) == 1
    assert chosen(Gate.PRIORITY, waiting=(1, 0, 1)) == 2
    assert chosen(Gate.PRIORITY, targets(order=(1.0, 1.0, 1.0))) == 0


def test_first_come_first_served():
    for first in range(3):
        assert chosen(Gate.FCFS, first=first, prefilling=(9, 9, 9)) == first


def test_admission_costs_a_credit():
    assert chosen(Gate.CREDIT, credit=(0.99, 0.99, 0.99)) == NONE
    assert chosen(Gate.CREDIT, credit=(0.9, 1.0, 0.2)) == 1
    assert chosen(Gate.CREDIT, credit=(3.0, 1.0, 3.0), waiting=(0, 0, 0)) == NONE


def test_the_credit_of_the_longest_time_is_spent_first():
    """credit / rate: 1/4, 3/8 and 1 seconds."""
    assert chosen(Gate.CREDIT, credit=(2.0, 1.5, 2.0)) == 2
    assert chosen(Gate.CREDIT, credit=(2.0, 1.5, 0.5)) == 1


def test_who_earns_no_credit_is_never_admitted():
    """Not even by what is left from a plan in which it did."""
    given = targets(rate=(8.0, 0.0, 2.0), x=(4.0, 0.0, 1.0))
    assert chosen(Gate.CREDIT, given, waiting=(0, 9, 0), credit=(0.0, 3.0, 0.0)) == NONE


def test_exempt_classes_need_no_credit_but_wait_behind_those_that_have_some():
    given = targets(exempt=np.array([False, True, False]))
    assert chosen(Gate.CREDIT, given) == 1
    assert chosen(Gate.CREDIT, given, credit=(1.0, 0.0, 0.0)) == 0


def test_an_open_gate_is_first_come_first_served():
    for first in range(3):
        assert chosen(Gate.CREDIT, targets(open=True), first=first) == first


def test_credits_grow_at_the_planned_rate_to_their_cap():
    """Lazily: in one go or event by event."""
    given = targets()
    at_once = earn(given, jnp.zeros(3), jnp.asarray(0.25))
    np.testing.assert_allclose(at_once, [2.0, 1.0, 0.5])
    step_by_step = jnp.zeros(3)
    for _ in range(5):
        step_by_step = earn(given, step_by_step, jnp.asarray(0.05))
    np.testing.assert_allclose(step_by_step, at_once, rtol=1e-6)
    np.testing.assert_allclose(earn(given, at_once, jnp.asarray(1e6)), given.cap)


def test_spending():
    given, credit = targets(), jnp.array([2.5, 1.0, 0.3])
    np.testing.assert_allclose(spend(given, credit, jnp.asarray(0)), [1.5, 1.0, 0.3])
    np.testing.assert_allclose(spend(given, credit, jnp.asarray(NONE)), credit)
    np.testing.assert_allclose(spend(given, credit, jnp.asarray(2)), [2.5, 1.0, 0.0])  # exempt


@pytest.mark.parametrize("gate", list(Gate))
def test_compiled_and_batched_gates_choose_the_same_whatever_the_labels(gate):
    rng, S, I = np.random.default_rng(3), 64, 3
    policy = policy_named("gate_and_route")._replace(gate=gate)
    seen = Seen(
        jnp.asarray(rng.integers(0, 4, (S, I)), float),
        jnp.asarray(rng.uniform(0, 12, (S, I))),
        jnp.asarray(rng.uniform(0, 4, (S, I))),
        jnp.zeros(S, int),
    )
    seen = seen._replace(first=jnp.argmax(seen.waiting > 0, axis=1))
    given = targets(waiting=(0.3, 0.1, 0.2))
    batched = jax.jit(jax.vmap(lambda s: admit(policy, given, s)))(seen)
    single = [int(admit(policy, given, jax.tree.map(lambda a, k=k: a[k], seen))) for k in range(8)]
    np.testing.assert_array_equal(batched[:8], single)
    order = np.array([2, 0, 1])
    moved = jax.tree.map(lambda leaf: leaf[order] if leaf.shape == (I,) else leaf, given)
    back = np.argsort(order)
    swapped = Seen(*(leaf[:, order] for leaf in seen[:3]), first=jnp.asarray(back)[seen.first])
    other = np.asarray(jax.vmap(lambda s: admit(policy, moved, s))(swapped))
    np.testing.assert_array_equal(np.where(other < 0, NONE, order[other]), batched)
