"""Solved plans pass; a plan that breaks one limit fails in the row of that name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import RULES, Instance, InstanceData
from lpo.allocate.options import Options, Profile, make_options
from lpo.allocate.uncertainty import budget
from lpo.allocate.validate.audit import audit
from lpo.errors import InputError

SETS = budget(1.0, 1.0)


@pytest.mark.parametrize("name", ["small", "default"])
def test_every_solved_case_is_clean(rodiu_cases, name):
    for case in rodiu_cases(name):
        found = audit(case.instance, case.allocation, case.options, case.uncertainty)
        assert found.ok and found.violated == ()
        assert found.largest < 2e-6


@pytest.mark.parametrize("name", ["small", "default"])
def test_a_plan_for_gamma_0_breaks_limits_where_the_robust_plan_pays_more(rodiu_cases, name):
    nominal = next(
        c for c in rodiu_cases(name) if c.expected["Gamma_d"] == 0 and not c.options.published
    )
    found = audit(nominal.instance, nominal.allocation, nominal.options, budget(2.0, 2.0))
    names = {row.limit for row in found.violated}
    assert names and all(limit.startswith("error of ") for limit in names)


def test_the_plan_by_hand_is_clean(tiny):
    instance, plan = tiny
    found = audit(instance, plan, Options(), SETS)
    assert found.ok, found.violated
    rows = {(row.limit, row.detail): row for row in found.rows}
    # chat: 58 ms nominal and .2 * .5 * 100 at worst
    assert rows["delay of chat", ""].left == pytest.approx(68.0)
    assert rows["memory of new", "large, TP 2"].right == 20.0 - 8.0 / 2
    # cache of a GPU: (.45 * 10 * 100 + 20 * 200) tokens/h for .1 h at .02 / 2 GB
    assert rows["memory of new", "large, TP 2"].left == pytest.approx(4450 * 0.1 * 0.01)
    assert rows["compute of new", "large, TP 2"].left == pytest.approx(0.45 * 50 + 200)
    assert rows["compute of new", "large, TP 2"].right == 400.0
    assert rows["budget", ""].left == pytest.approx(50 + 1.2 + 0.1 * 8.95)
    assert rows["GPUs of new", ""][1:3] == (2.0, 6.0)
    assert ("GPUs of old", "") not in rows


def _data(instance, **values):
    changed = {name: np.asarray(value, np.float64) for name, value in values.items()}
    return instance._replace(data=instance.data._replace(**changed))


@pytest.mark.parametrize(
    ("limit", "change"),
    [
        ("unmet cap of chat", {"unmet_cap": [0.04, 0.0]}),
        ("delay of chat", {"delay_limit_ms": [67.9, 400.0]}),
        ("error of code", {"error_limit": [0.1, 0.0499]}),
        ("budget", {"budget_usd": 52.0}),
        ("storage", {"storage_gb": 11.9}),
        ("memory of new", {"memory_gb": [10.0, 8.4]}),
        ("compute of new", {"compute_tflops": [100.0, 111.0]}),
        ("GPUs of new", {"tier_limit": [np.inf, 1.0]}),
    ],
)
def test_a_tightened_limit_is_named(tiny, limit, change):
    instance, plan = tiny
    found = audit(_data(instance, **change), plan, Options(), SETS)
    assert not found.ok
    assert {row.limit for row in found.violated} == {limit}
    assert found.largest == max(row.violation for row in found.violated)


def _moved(plan, **changes):
    """A copy of the plan with entries changed: array name -> [(index, value)]."""
    arrays = {name: getattr(plan, name).astype(float) for name in plan._fields}
    for name, entries in changes.items():
        for index, value in entries:
            arrays[name][index] = value
    return plan._replace(**arrays)


@pytest.mark.parametrize(
    ("limit", "changes", "also"),
    [
        ("balance of chat", {"share": [((0, 0, 0, 0), 0.499)]}, set()),
        (
            "code only where there are replicas",
            {"share": [((1, 1, 1, 1), 0.5), ((1, 1, 1, 0), 0.5)]},
            {"memory of new", "compute of new"},
        ),
        (
            "chat only where there are replicas",
            {"replicas": [((0, 0, 0), 0)]},
            {"memory of old", "compute of old"},
        ),
        ("one degree of large on new", {"replicas": [((1, 1, 0), 1)]}, set()),
        ("most replicas", {"replicas": [((1, 1, 1), 2)]}, set()),
        ("whole replicas", {"replicas": [((1, 1, 1), 0.9)]}, set()),
        (
            "nothing negative",
            {"unmet": [(0, -0.05)], "share": [((0, 0, 0, 0), 0.6)]},
            set(),
        ),
    ],
)
def test_a_perturbed_plan_is_named(tiny, limit, changes, also):
    instance, plan = tiny
    found = audit(instance, _moved(plan, **changes), Options(), SETS)
    assert {row.limit for row in found.violated} == {limit} | also


def test_options_change_their_rows(tiny):
    instance, plan = tiny
    # a route's own delay: (.8 + .2) * 100 ms on old, though chat's mean is 68
    tight = _data(instance, delay_limit_ms=[90.0, 400.0])
    assert audit(tight, plan, Options(), SETS).ok
    found = audit(tight, plan, Options(route_limit=True), SETS)
    assert [(row.limit, row.detail) for row in found.violated] == [
        ("route delay of chat", "small on old, TP 1")
    ]
    assert found.violated[0].left == pytest.approx(100.0)
    single = audit(instance, plan, Options(single_placement=True), SETS)
    assert {row.limit for row in single.violated} == {"one route of chat"}
    twice = _moved(plan, replicas=[((1, 1, 1), 2)])
    assert audit(instance, twice, Options(replicas=2), SETS).ok
    used = audit(instance, plan, Options(utilisation=0.5), SETS)
    assert {row.limit for row in used.violated} == {"compute of new"}
    # TFLOP/s: .45 * 10 and 20 queries/h of .05 and .2 TFLOP
    physical = audit(instance, plan, Options(legacy_units=False), SETS)
    row = next(r for r in physical.rows if r.limit == "compute of new")
    assert row.left == pytest.approx((4.5 * 0.05 + 20 * 0.2) / 3600)


def test_published_rows_keep_their_mistakes(tiny):
    instance, plan = tiny
    share = np.zeros_like(plan.share)
    share[0, 1, 1, 1], share[1, 1, 1, 1] = 0.95, 1.0
    single = plan._replace(share=share)
    reference = make_options(profile=Profile.REFERENCE)
    rows = {row.limit: row for row in audit(instance, single, reference, SETS).rows}
    # two query types, so rent counts twice; the last pair has two GPUs; delay is not divided
    assert rows["budget"].left == pytest.approx(2 * 50.0 + 0.1 * (16.0 + 8.95))
    assert rows["delay of code"].left == pytest.approx(200 * (0.8 + 0.2))
    assert rows["delay of code"].right == 2 * 400.0
    assert rows["storage"].left == 16.0
    elsewhere = _moved(single, replicas=[((1, 1, 1), 0), ((1, 0, 1), 1)])
    names = {row.limit for row in audit(instance, elsewhere, reference, SETS).violated}
    assert {"delay of chat", "delay of code"} <= names


@given(st.integers(0, 10**6), st.floats(0.0, 3.0), st.booleans())
@settings(max_examples=25, deadline=None)
def test_what_the_audit_passes_holds_for_every_realisation_in_the_set(seed, gamma, dependent):
    instance, plan = _random_plan(seed)
    options = Options(decision_dependent=dependent)
    sets = budget(gamma, gamma)
    rows = {row.limit: row for row in audit(instance, plan, options, sets).rows}
    data, rng = instance.data, np.random.default_rng(seed + 1)
    on = float(dependent)
    worst_delay, worst_error = np.zeros(2), np.zeros(2)
    for _ in range(200):
        # One realisation for each type: within the intervals, then within the budget.
        delay_xi, error_xi = rng.uniform(size=(2, 2, 2, 2)) * (rng.uniform(size=(2, 2, 2, 2)) < 0.7)
        delay_xi = delay_xi * (1 - on * data.impact_delay)
        error_xi = error_xi * (1 - on * data.impact_error)
        for xi in (delay_xi, error_xi):
            total = np.maximum(xi.sum(axis=(1, 2), keepdims=True), 1e-300)
            xi *= np.minimum(1.0, gamma / total)
        length = (data.input_tokens + data.output_tokens)[:, None, None]
        served = length * (plan.share[..., 0] + plan.share[..., 1] / 2)
        delay = (data.delay_ms_per_token + data.delay_deviation * delay_xi) * served
        error = (data.error_rate + data.error_deviation * error_xi) * plan.share.sum(axis=-1)
        worst_delay = np.maximum(worst_delay, delay.sum(axis=(1, 2)))
        worst_error = np.maximum(worst_error, error.sum(axis=(1, 2)))
    for i, name in enumerate(instance.query_types):
        assert worst_delay[i] <= rows[f"delay of {name}"].left * (1 + 1e-12)
        assert worst_error[i] <= rows[f"error of {name}"].left * (1 + 1e-12)


def _random_plan(seed: int) -> tuple[Instance, Allocation]:
    rng = np.random.default_rng(seed)
    sizes = {"I": 2, "J": 2, "K": 2}
    fields = {
        name: rng.uniform(0.1, 1.0, tuple(sizes[axis] for axis in axes))
        for name, (axes, _) in RULES.items()
    }
    names = (("chat", "code"), ("small", "large"), ("old", "new"))
    instance = Instance("random", *names, (1, 2), 1.0, 1.0, InstanceData(**fields))
    share = rng.dirichlet(np.ones(8), 2).reshape(2, 2, 2, 2)
    return instance, Allocation(np.ones((2, 2, 2), np.int64), share, np.zeros(2))


def test_a_negative_tolerance_is_refused(tiny):
    instance, plan = tiny
    with pytest.raises(InputError, match="tolerance"):
        audit(instance, plan, Options(), SETS, tolerance=-1.0)
