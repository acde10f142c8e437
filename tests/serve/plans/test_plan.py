"""Steady-state plans against published optima, a second solver and what must hold of any."""

from itertools import pairwise

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import (
    NO_LEVELS,
    Pricing,
    ServiceLevels,
    fluid_program,
    make_instance,
    paper_two_class,
    paper_two_class_x2,
    service_rates,
    solve_plan,
    solve_program,
)


@pytest.mark.parametrize(
    ("make", "value"), [(paper_two_class, 297.716), (paper_two_class_x2, 429.943)]
)
def test_published_optima(make, value):
    assert solve_plan(make()).value == pytest.approx(value, abs=5e-4)


def test_published_occupancies_and_queues():
    plan = solve_plan(paper_two_class())
    np.testing.assert_allclose(plan.x, [0.01826, 0.19495], atol=5e-6)
    np.testing.assert_allclose(plan.q_p, [0.3167, 0.0], atol=5e-5)
    np.testing.assert_array_equal(plan.q_d, 0.0)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("options", "theirs"),
    [
        ({}, {}),
        ({"pricing": Pricing.SEPARATE}, {"separate": True}),
        ({"disaggregated": True}, {"mixed": False}),
        ({"pricing": "separate", "disaggregated": True}, {"separate": True, "mixed": False}),
    ],
    ids=["bundled", "separate", "disaggregated", "both"],
)
def test_values_are_those_of_another_solver(random_instance, by_linprog, seed, options, theirs):
    """Also where decoding beside a prefill is faster, and where some classes never abandon."""
    patience = [0.1, 0.0, 0.3, 0.0] if seed % 3 == 0 else None
    instance = random_instance(
        seed, contention=seed % 2 == 0, load=0.5 + 0.25 * seed, patience=patience
    )
    plan = solve_plan(instance, **options)
    assert plan.value == pytest.approx(by_linprog(instance, **theirs), rel=1e-9)
    assert plan.revenue == pytest.approx(plan.value, rel=1e-8)
    keeps_its_rows(plan, instance, disaggregated="disaggregated" in options)


def keeps_its_rows(plan, instance, *, disaggregated=False):
    """Capacities, signs and both balances, from the plan and the rates alone."""
    rates, B = service_rates(instance), instance.hardware.batch
    X = plan.x.sum()
    for name in ("x", "y_m", "y_s", "q_p", "q_d", "rejected"):
        assert (getattr(plan, name) >= 0).all(), name
    assert X <= 1 + 1e-9
    assert plan.y_m.sum() <= (0 if disaggregated else (B - 1) * X) + 1e-8
    assert plan.y_s.sum() <= B * (1 - X) + 1e-8
    np.testing.assert_allclose(plan.admitted, rates.mu_p * plan.x)
    completed = rates.mu_m * plan.y_m + rates.mu_s * plan.y_s
    np.testing.assert_allclose(plan.completed, completed, atol=1e-9)
    theta = instance.patience
    lost = theta * plan.q_p + plan.rejected
    np.testing.assert_allclose(plan.admitted + lost, instance.arrival, atol=1e-8)
    np.testing.assert_allclose(plan.admitted, completed + theta * plan.q_d, atol=1e-8)
    assert (plan.rejected[theta > 0] == 0).all()
    assert (plan.q_p[theta == 0] == 0).all() and (plan.q_d[theta == 0] == 0).all()


def test_who_never_abandons_is_refused_instead():
    """The revenue does not depend on the patience, only who waits does."""
    patient = paper_two_class_x2()._replace(patience=np.zeros(2))
    plan, other = solve_plan(patient), solve_plan(paper_two_class_x2())
    assert plan.value == pytest.approx(other.value, rel=1e-9)
    np.testing.assert_allclose(plan.rejected, 0.1 * other.q_p, atol=1e-8)
    keeps_its_rows(plan, patient)


@pytest.mark.parametrize("seed", range(6))
def test_no_decode_queue_is_needed_where_a_prefill_slows_decoding(random_instance, seed):
    plan = solve_plan(random_instance(seed, load=2.0))
    np.testing.assert_allclose(plan.q_d, 0.0, atol=1e-7)


def test_a_decode_queue_pays_where_decoding_beside_a_prefill_is_faster():
    instance = paper_two_class()
    instance = instance._replace(hardware=instance.hardware._replace(tau_solo=0.2))
    free = solve_plan(instance)
    empty = solve_plan(instance, ServiceLevels(decode_queue=False))
    assert free.value > 1.01 * empty.value
    assert free.q_d.sum() > 0.0
    np.testing.assert_array_equal(empty.q_d, 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_order_of_values(random_instance, seed):
    """Disaggregated <= full, bundled <= separate: more is allowed, or paid earlier."""
    instance = random_instance(seed, contention=seed % 2 == 0, load=1.5)
    full = solve_plan(instance).value
    assert solve_plan(instance, disaggregated=True).value <= full * (1 + 1e-9)
    assert full <= solve_plan(instance, pricing=Pricing.SEPARATE).value * (1 + 1e-9)


@pytest.mark.parametrize("pricing", list(Pricing))
def test_scaling_of_money_and_time(random_instance, pricing):
    instance = random_instance(1, load=1.5)
    value = solve_plan(instance, pricing=pricing).value
    dearer = instance._replace(
        price_prompt=1e-9 * instance.price_prompt, price_decode=1e-9 * instance.price_decode
    )
    assert solve_plan(dearer, pricing=pricing).value == pytest.approx(1e-9 * value, rel=1e-9)
    second = 1e3  # in the new unit of time, milliseconds
    hardware = instance.hardware
    milli = instance._replace(
        arrival=instance.arrival / second,
        patience=instance.patience / second,
        hardware=hardware._replace(
            alpha=second * hardware.alpha,
            beta=second * hardware.beta,
            tau_solo=second * hardware.tau_solo,
        ),
    )
    plan, other = solve_plan(milli, pricing=pricing), solve_plan(instance, pricing=pricing)
    assert second * plan.value == pytest.approx(value, rel=1e-8)
    np.testing.assert_allclose(plan.x, other.x, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("pricing", list(Pricing))
def test_concave_and_not_falling_in_arrivals(random_instance, pricing):
    instance = random_instance(2)
    program = fluid_program(instance, NO_LEVELS, pricing)
    rng = np.random.default_rng(0)
    for _ in range(10):
        low, high = np.sort(rng.uniform(0.0, 1.0, (2, 4)), axis=0)
        ends = [solve_program(program, instance._replace(arrival=a)).value for a in (low, high)]
        middle = solve_program(program, instance._replace(arrival=(low + high) / 2)).value
        assert ends[0] <= ends[1] * (1 + 1e-9)
        assert middle >= (ends[0] + ends[1]) / 2 * (1 - 1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_slower_iterations_never_pay(random_instance, seed):
    instance = random_instance(seed, contention=seed % 2 == 0, load=1.5)
    program = fluid_program(instance, NO_LEVELS)
    for name in ("beta", "alpha", "tau_solo"):
        own = getattr(instance.hardware, name)
        values = [
            solve_program(
                program, instance._replace(hardware=instance.hardware._replace(**{name: f * own}))
            ).value
            for f in (0.5, 0.8, 1.0, 1.3, 2.0)
        ]
        assert all(b <= a * (1 + 1e-9) for a, b in pairwise(values)), name


def test_identical_classes_can_be_merged(random_instance):
    instance = random_instance(5, 3, load=1.5)
    split = [instance.arrival[0] / 3, 2 * instance.arrival[0] / 3, *instance.arrival[1:]]
    twice = np.array([0, 0, 1, 2])
    apart = make_instance(
        arrival=split,
        prompt=instance.prompt[twice],
        decode=instance.decode[twice],
        patience=instance.patience[twice],
        hardware=instance.hardware,
        price_prompt=instance.price_prompt,
        price_decode=instance.price_decode,
    )
    one, two = solve_plan(instance), solve_plan(apart)
    assert two.value == pytest.approx(one.value, rel=1e-9)
    assert two.completed[:2].sum() == pytest.approx(one.completed[0], abs=1e-8)


def test_permuted_labels_permute_the_plan(random_instance):
    instance, order = random_instance(6, load=1.5), np.array([2, 0, 3, 1])
    moved = instance._replace(**{n: getattr(instance, n)[order] for n in instance._fields[:4]})
    plan, other = solve_plan(instance), solve_plan(moved)
    assert other.value == pytest.approx(plan.value, rel=1e-9)
    for name in ("x", "y_m", "y_s", "q_p", "completed"):
        mine, theirs = getattr(plan, name), getattr(other, name)
        np.testing.assert_allclose(theirs, mine[order], atol=1e-7, err_msg=name)
    np.testing.assert_allclose(other.duals.arrival, plan.duals.arrival[order], rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("pricing", list(Pricing))
@pytest.mark.parametrize("load", [0.3, 1.5])
def test_duals_are_derivatives(random_instance, by_linprog, pricing, load):
    instance = random_instance(7, load=load)
    duals, separate = solve_plan(instance, pricing=pricing).duals, pricing is Pricing.SEPARATE
    for i in range(4):
        step = 1e-5 * (np.arange(4) == i)
        ends = [
            by_linprog(instance._replace(arrival=instance.arrival + s * step), separate=separate)
            for s in (1, -1)
        ]
        assert duals.arrival[i] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-5)
    value, arrived = solve_plan(instance, pricing=pricing).value, instance.arrival @ duals.arrival
    assert duals.gpu == pytest.approx(
        duals.prefill_slot + instance.hardware.batch * duals.solo_slot
    )
    assert duals.gpu == pytest.approx(value - arrived)
    # Where all GPUs have a prefill one slot less is what can be had, see `Duals`.
    for k, (name, step) in enumerate(
        (("prefill_slot", -1e-6), ("mixed_slot", 1e-6), ("solo_slot", 1e-6))
    ):
        moved = by_linprog(instance, separate=separate, room=step * (np.arange(3) == k))
        slope = (moved - by_linprog(instance, separate=separate)) / step
        assert getattr(duals, name) == pytest.approx(slope, rel=1e-4, abs=1e-3), name


@pytest.mark.parametrize("pricing", list(Pricing))
def test_one_more_gpu_for_the_same_requests(random_instance, by_linprog, pricing):
    instance, separate = random_instance(9, load=1.2), pricing is Pricing.SEPARATE
    gpus, step = 10.0, 1e-4
    ends = [
        (gpus + s)
        * by_linprog(
            instance._replace(arrival=instance.arrival * gpus / (gpus + s)), separate=separate
        )
        for s in (step, -step)
    ]
    duals = solve_plan(instance, pricing=pricing).duals
    assert duals.gpu == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5)


def test_prices_of_slots_are_those_of_tokens():
    """A mixed decode slot makes 1 / tau tokens per second, a solo one gamma; w / s pays a token."""
    instance = paper_two_class()
    duals, rates = solve_plan(instance).duals, service_rates(instance)
    token = (rates.w / rates.size)[0]
    assert duals.mixed_slot == pytest.approx(token / rates.tau)
    assert duals.solo_slot == pytest.approx(token * rates.gamma)
    np.testing.assert_allclose(duals.prefilled, rates.w - token * instance.decode)
    np.testing.assert_allclose(duals.arrival, rates.w - token * rates.size, atol=1e-9)


def test_the_same_plan_whatever_was_solved_before():
    instance, other = paper_two_class(), paper_two_class_x2()
    program = fluid_program(instance, NO_LEVELS)
    first = solve_program(program, instance)
    solve_program(program, other)
    again = solve_program(program, instance)
    for name in ("x", "y_m", "y_s", "q_p", "value"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    np.testing.assert_array_equal(first.duals.arrival, again.duals.arrival)


def test_a_program_of_another_shape_is_refused():
    instance = paper_two_class()
    program = fluid_program(instance, NO_LEVELS)
    with pytest.raises(InputError, match="other classes or levels"):
        solve_program(program, instance._replace(patience=np.array([0.1, 0.0])))
    with pytest.raises(InputError, match="other classes or levels"):
        solve_program(program, instance, ServiceLevels(tpot_s=0.03))


def test_an_unknown_pricing_is_refused():
    with pytest.raises(InputError, match="one of bundled, separate, got 'free'"):
        solve_plan(paper_two_class(), pricing="free")
