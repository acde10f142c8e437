"""Service levels against a second solver, their prices against finite differences."""

from typing import Any

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import (
    NO_LEVELS,
    Infeasible,
    Penalised,
    ServiceLevels,
    fluid_program,
    paper_two_class,
    paper_two_class_x2,
    service_rates,
    solve_plan,
    solve_program,
)
from lpo.serve.plans.levels import RULES

I, EYE = 2, np.eye(2)
ZERO, NONE = np.zeros((2, 2)), np.zeros(2)


def block(x: Any = ZERO, y_m=ZERO, y_s: Any = ZERO, q_p=ZERO, q_d=ZERO):
    return np.hstack([np.atleast_2d(part) for part in (x, y_m, y_s, q_p, q_d)])


def rows_of(name, instance, limit):
    """Rows <= of a level over x, y_m, y_s, q_p, q_d, written from its definition."""
    rates, lam, theta = service_rates(instance), instance.arrival, instance.patience
    B, tau_solo, P, D = instance.hardware.batch, instance.hardware.tau_solo, *instance[1:3]
    one, no = np.ones((1, I)), np.zeros((1, I))
    if name == "prefill_fairness":
        return [(row, limit) for row in block(x=[[1, -1], [-1, 1]])]
    if name == "decode_fairness":
        return [(row, limit) for row in block(y_s=[[1, -1], [-1, 1]])]
    if name == "tpot_s":  # sum of slots times iteration times <= limit times slots
        slope = rates.tau * (B - 1) - tau_solo * B - limit * ((B - 1) - B)
        row = block(slope * one, no, no, no, no)[0]
        return [(row, limit * B - tau_solo * B)]
    if name == "occupancy_tpot_s":
        row = block(no, one * (1 - limit / rates.tau), one * (1 - limit * rates.gamma), no, no)[0]
        return [(row, 0.0)]
    per_class = {
        "prefill_wait_s": (block(q_p=EYE), lam * limit),
        "decode_wait_s": (block(x=-np.diag(rates.mu_p * limit), q_d=EYE), NONE),
        "ttft_s": (block(q_p=EYE), lam * (limit - P * rates.tau / instance.hardware.chunk)),
        "abandonment": (block(q_p=np.diag(theta), q_d=np.diag(theta)), lam * limit),
        "service_share": (block(y_m=-np.diag(rates.mu_m), y_s=-np.diag(rates.mu_s)), -lam * limit),
    }
    if name in per_class:
        left, right = per_class[name]
        return list(zip(left, np.broadcast_to(right, I), strict=True))
    assert name == "kv_tokens"  # exponential lengths
    return [(block(P[None], (P + D)[None], (P + D)[None], no, P[None])[0], limit)]


# Limits that bind on `overloaded`.
BINDING = {
    "prefill_fairness": 0.2,
    "decode_fairness": 1.0,
    "tpot_s": 0.0255,
    "occupancy_tpot_s": 0.0245,
    "prefill_wait_s": np.array([6.0, 1.0]),
    "ttft_s": np.array([5.0, 1.0]),
    "abandonment": np.array([0.75, 0.2]),
    "service_share": np.array([0.4, 0.1]),
    "kv_tokens": 25000.0,
}


def overloaded(name):
    """Load 2.09, but with few of one class where it takes that to make decode slots unequal."""
    instance = paper_two_class_x2()
    return instance._replace(arrival=np.array([0.05, 1.3])) if "decode_" in name else instance


@pytest.mark.parametrize("name", list(BINDING))
def test_a_level_is_kept_at_the_least_cost_and_has_its_price(by_linprog, name):
    instance, limit = overloaded(name), BINDING[name]
    published = name in ("prefill_fairness", "decode_fairness", "tpot_s")

    def theirs(limit):
        return by_linprog(instance, rows=rows_of(name, instance, limit), decode_queue=not published)

    plan = solve_plan(instance, NO_LEVELS._replace(**{name: limit}))
    assert plan.value == pytest.approx(theirs(limit), rel=1e-9)
    assert plan.value < solve_plan(instance).value * (1 - 1e-4)
    point = np.concatenate([plan.x, plan.y_m, plan.y_s, plan.q_p, plan.q_d])
    scale = np.abs(point).max()
    assert all(row @ point <= right + 1e-7 * scale for row, right in rows_of(name, instance, limit))
    price = plan.duals.levels[name]
    assert np.shape(price) == ((2,) if RULES[name].per_class else ())
    for at in np.ndindex(price.shape):
        step = 1e-5 * np.max(limit)
        moved = np.zeros_like(limit)
        moved[at] = step
        slope = (theirs(limit + moved) - theirs(limit - moved)) / (2 * step)
        assert price[at] == pytest.approx(slope, rel=1e-5, abs=1e-4 * abs(price).max())
    assert (price <= 0).all() if name == "service_share" else (price >= 0).all()
    assert np.abs(price).max() > 0


def test_a_wait_for_decoding_binds_where_a_queue_pays(by_linprog):
    instance = paper_two_class()

    def theirs(limit):
        rows = rows_of("decode_wait_s", instance, limit)
        return by_linprog(instance, separate=True, rows=rows)

    plan = solve_plan(instance, ServiceLevels(decode_wait_s=0.2), pricing="separate")
    assert plan.value == pytest.approx(theirs(np.array([0.2, 0.2])), rel=1e-9)
    assert (plan.q_d <= 0.2 * plan.admitted + 1e-8).all()
    assert plan.duals.levels["decode_wait_s"].sum() == pytest.approx(
        (theirs(np.full(2, 0.201)) - theirs(np.full(2, 0.199))) / 0.002, rel=1e-6
    )


def test_time_per_token_is_the_ratio_that_was_multiplied_out():
    instance, limit = paper_two_class_x2(), 0.0255
    plan, rates = solve_plan(instance, ServiceLevels(tpot_s=limit)), service_rates(instance)
    B, X = instance.hardware.batch, plan.x.sum()
    slots = (B - 1) * X, B * (1 - X)
    ratio = (rates.tau * slots[0] + slots[1] / rates.gamma) / sum(slots)
    assert ratio == pytest.approx(limit, rel=1e-8)
    plan = solve_plan(instance, ServiceLevels(occupancy_tpot_s=0.0245))
    tokens = (plan.y_m / rates.tau + plan.y_s * rates.gamma).sum()
    assert (plan.y_m + plan.y_s).sum() / tokens == pytest.approx(0.0245, rel=1e-8)


def test_published_levels_empty_the_decode_queue():
    instance = paper_two_class()
    assert solve_plan(instance, pricing="separate").q_d.sum() > 0.1
    loose = ServiceLevels(prefill_fairness=1.0)
    assert solve_plan(instance, loose, pricing="separate").q_d.sum() == 0.0
    loose = loose._replace(decode_queue=True)
    assert solve_plan(instance, loose, pricing="separate").q_d.sum() > 0.1


@pytest.mark.parametrize("name", [*BINDING, "decode_wait_s"])
def test_a_loose_level_changes_nothing_and_has_no_price(name):
    instance = paper_two_class_x2()
    loose = 0.0 if name == "service_share" else 1.0 if RULES[name].allowed == "in [0, 1]" else 1e6
    plan = solve_plan(instance, NO_LEVELS._replace(**{name: loose}))
    free = solve_plan(instance)
    assert plan.value == pytest.approx(free.value, rel=1e-9)
    np.testing.assert_allclose(plan.x, free.x, atol=1e-8)
    np.testing.assert_allclose(plan.duals.levels[name], 0.0, atol=1e-6)


@pytest.mark.parametrize("name", list(BINDING))
def test_a_penalty_is_paid_while_it_is_cheaper_than_the_level(name):
    """A high price keeps the level; a low one is paid, and is then the price of the row."""
    instance, limit = overloaded(name), BINDING[name]
    hard = solve_plan(instance, NO_LEVELS._replace(**{name: limit}))
    dear = solve_plan(instance, NO_LEVELS._replace(**{name: Penalised(limit, 1e5)}))
    assert dear.value == pytest.approx(hard.value, rel=1e-8)
    np.testing.assert_allclose(dear.excess[name], 0.0, atol=1e-7)
    free = solve_plan(instance, ServiceLevels(decode_queue=False))
    cheap = solve_plan(instance, NO_LEVELS._replace(**{name: Penalised(limit, 1e-3)}))
    assert hard.value < cheap.value <= free.value
    assert np.sum(cheap.excess[name]) > 0
    paid = 1e-3 * np.sum(cheap.excess[name])
    assert cheap.value == pytest.approx(cheap.revenue - paid, rel=1e-9)
    assert cheap.revenue == pytest.approx(free.value, rel=1e-4)


def test_max_min_fairness(by_linprog):
    """A least share that is dear enough is the max-min share; in between it is a trade."""
    instance = paper_two_class_x2()
    rates = service_rates(instance)
    share = -np.diag(np.ones(2)) * instance.arrival
    left = block(y_m=-np.diag(rates.mu_m), y_s=-np.diag(rates.mu_s))
    rows = [(np.append(row, -s), 0.0) for row, s in zip(left, share.sum(axis=1), strict=True)]
    for weight in (10.0, 100.0, 1e4):
        value = by_linprog(instance, rows=rows, extra=1, weight=weight)
        plan = solve_plan(instance, ServiceLevels(least_share_price=weight))
        assert plan.value == pytest.approx(value, rel=1e-9)
        least = (plan.completed / instance.arrival).min()
        assert plan.value - plan.revenue == pytest.approx(weight * least, rel=1e-6)
    shares = plan.completed / instance.arrival
    assert shares[0] == pytest.approx(shares[1], rel=1e-6)
    capacity = instance.hardware.batch * rates.gamma
    assert shares[0] == pytest.approx(capacity / (rates.size @ instance.arrival), rel=1e-6)


def test_the_value_of_an_arrival_counts_what_it_does_to_the_levels(by_linprog):
    instance = paper_two_class_x2()
    for levels in (
        ServiceLevels(service_share=[0.4, 0.1]),
        ServiceLevels(ttft_s=[5.0, 1.0]),
        ServiceLevels(abandonment=[0.75, 0.2]),
        ServiceLevels(least_share_price=1e3),
        ServiceLevels(kv_tokens=25000.0),
    ):
        program = fluid_program(instance, levels)
        arrival = solve_program(program, instance, levels).duals.arrival
        for i in range(2):
            step = 1e-5 * EYE[i]
            ends = [
                solve_program(
                    program, instance._replace(arrival=instance.arrival + s * step), levels
                ).value
                for s in (1, -1)
            ]
            assert arrival[i] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-3)


def test_several_levels_at_once(by_linprog):
    instance = paper_two_class_x2()
    levels = ServiceLevels(tpot_s=0.026, service_share=0.15, kv_tokens=28000.0)
    plan = solve_plan(instance, levels)
    rows = [
        row
        for name in ("tpot_s", "service_share", "kv_tokens")
        for row in rows_of(name, instance, getattr(levels, name))
    ]
    assert plan.value == pytest.approx(
        by_linprog(instance, rows=rows, decode_queue=False), rel=1e-9
    )
    assert list(plan.duals.levels) == ["tpot_s", "service_share", "kv_tokens"]


def test_who_is_refused_on_arrival_waits_for_nothing_but_counts_as_lost():
    patient = paper_two_class_x2()._replace(patience=np.zeros(2))
    waits = ServiceLevels(prefill_wait_s=0.0, decode_wait_s=0.0, ttft_s=1.0)
    assert solve_plan(patient, waits).value == pytest.approx(solve_plan(patient).value, rel=1e-9)
    with pytest.raises(Infeasible, match="`abandonment` = 0"):
        solve_plan(patient, ServiceLevels(abandonment=0.0))
    with pytest.raises(Infeasible, match=r"`ttft_s` = 0\.1"):  # the long prompt alone takes 0.39 s
        solve_plan(patient, ServiceLevels(ttft_s=0.1))


def test_levels_that_exclude_each_other_are_named():
    instance = paper_two_class_x2()
    with pytest.raises(Infeasible, match=r"keeps `tpot_s` = 0.02: relax it") as error:
        solve_plan(instance, ServiceLevels(tpot_s=0.02, abandonment=0.9))
    assert error.value.conflict == ("tpot_s",)
    with pytest.raises(Infeasible) as error:
        solve_plan(
            instance,
            ServiceLevels(tpot_s=0.0255, service_share=[0.1, 0.9], decode_fairness=14.0),
        )
    assert set(error.value.conflict) == {"tpot_s", "service_share"}
    assert "`service_share` = [0.1, 0.9] together: relax one" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tpot_s": 0.0}, "`tpot_s` must be finite and positive"),
        ({"tpot_s": [0.1, 0.2]}, "`tpot_s` must be one number"),
        ({"abandonment": 1.5}, r"`abandonment` must be in \[0, 1\]"),
        (
            {"service_share": [0.1, 0.2, 0.3]},
            "must be one number or 2, one a class",
        ),
        ({"ttft_s": "soon"}, "`ttft_s` must be"),
        ({"kv_tokens": np.inf}, "`kv_tokens` must be finite"),
        ({"kv_tokens": Penalised(1e4, -1.0)}, "`kv_tokens.price` must be finite and at least 0"),
        ({"least_share_price": -1.0}, "`least_share_price`"),
        ({"cv_decode": -1.0}, "`cv_decode`"),
    ],
)
def test_what_no_level_can_be_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        solve_plan(paper_two_class(), ServiceLevels(**given))


def test_fixed_lengths_need_less_cache():
    instance, limit = paper_two_class_x2(), 20000.0
    values = [
        solve_plan(instance, ServiceLevels(kv_tokens=limit, cv_prompt=cv, cv_decode=cv)).value
        for cv in (0.0, 0.5, 1.0)
    ]
    assert values[0] > values[1] > values[2]
