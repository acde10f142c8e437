"""Shadow prices against re-solving with the limit changed and the deployments fixed."""

import numpy as np
import pytest
import scipy.sparse as sp

from lpo.allocate.explain.binding import binding_limits, demand_prices
from lpo.allocate.explain.fixed import slopes, solve_fixed
from lpo.allocate.explain.limits import place_of, value_of, with_limits
from lpo.allocate.instances.scaling import scaled
from lpo.allocate.model.exact import solve_allocation
from lpo.allocate.model.program import build
from lpo.allocate.options import Options, StorageAccounting, make_options
from lpo.allocate.uncertainty import Box, Ellipsoid, Uncertainty, budget
from lpo.allocate.validate.audit import audit
from lpo.errors import InputError
from lpo.optim.linear import solve_linear
from lpo.optim.matrix_program import MatrixProgram, fix

TWO = budget(2.0, 2.0)
PER_POINT = ("error", "unmet cap")


def plan_of(instance, options, uncertainty):
    solved = solve_allocation(instance, options, uncertainty, gap=1e-7, threads=1)
    assert solved.allocation is not None and solved.objective is not None
    return solved.allocation, solved.objective


def cheapest(instance, allocation, options, uncertainty):
    """The whole program with its whole variables fixed: all columns, all rows."""
    program = build(instance, options, uncertainty)
    matrix = program.matrix(tight=False)
    found = solve_linear(fix(matrix, program.point(allocation), matrix.integer))
    return np.inf if found.objective is None else found.objective


def by_differences(instance, allocation, options, uncertainty, limit, step=1e-5):
    """What a unit more of a limit saves and a unit less costs, in the unit of its price."""
    value, base = value_of(instance, limit), cheapest(instance, allocation, options, uncertainty)
    up, down = (
        cheapest(with_limits(instance, {limit: value * s}), allocation, options, uncertainty)
        for s in (1.0 + step, 1.0 - step)
    )
    unit = (0.01 if limit.startswith(PER_POINT) else 1.0) / (value * step)
    return (base - up) * unit, (down - base) * unit


def priced(bindings):
    """Sum of the prices by limit: a tier may have several deployments."""
    total = {}
    for each in bindings:
        sums = total.setdefault(each.limit, np.zeros(2))
        sums += (each.looser, each.tighter)
    return total


@pytest.mark.parametrize(
    ("options", "sets", "scale"),
    [
        (Options(), TWO, {}),
        (Options(), budget(1.0, 1.0), {"delay_limit": 0.004}),
        (Options(), Uncertainty(Box(), Box(0.5)), {"memory": 0.7}),
        (Options(decision_dependent=True, horizon_consistent=True), TWO, {}),
        (Options(replicas=3, link_cuts=True), TWO, {"demand": 3.0}),
        (Options(storage_accounting=StorageAccounting.ROUTE), TWO, {"unmet_price": 0.02}),
        (make_options(profile="reference"), TWO, {"delay_limit": 0.0004, "cap": 0.6}),
    ],
    ids=["corrected", "delay", "box", "dependent", "replicas", "by route", "reference"],
)
def test_prices_are_those_of_changed_limits(rodiu_cases, options, sets, scale):
    instance, cap = rodiu_cases("small")[-1].instance, scale.get("cap", 0.01)
    instance = scaled(instance, **{key: scale[key] for key in scale if key != "cap"})
    instance = with_limits(instance, {f"unmet cap of {e}": cap for e in instance.query_types})
    plan, objective = plan_of(instance, options, sets)
    given = (instance, plan, options, sets)
    bindings = binding_limits(*given)
    assert solve_fixed(*given).solution.objective == pytest.approx(objective, rel=1e-6)
    right = {(row.limit, row.detail): row.right for row in audit(*given).rows}
    found = priced(bindings)
    assert any(looser > 0 for looser, _ in found.values())
    for each in bindings:
        assert each.right == right[each.limit, each.detail]
        assert each.slack == each.right - each.left
        assert each.looser >= 0.0 and each.tighter >= 0.0
        if each.slack > 1e-5 * each.right:  # complementary slackness
            assert not each.binding and (each.looser, each.tighter) == (0.0, 0.0)
    for limit, prices in found.items():
        if place_of(instance, limit).name in ("GPUs", "storage"):
            continue
        expected = by_differences(*given, limit)
        np.testing.assert_allclose(prices, expected, rtol=2e-3, atol=1e-6, err_msg=limit)

    prices = demand_prices(*given)
    for i, each in enumerate(prices):
        costs = []
        for step in (1e-4, 0.0, -1e-4):
            arrivals = instance.data.arrivals_per_hour.copy()
            arrivals[i] += step
            data = instance.data._replace(arrivals_per_hour=arrivals)
            costs.append(cheapest(instance._replace(data=data), *given[1:]))
        assert each.query_type == instance.query_types[i]
        assert each.more == pytest.approx((costs[0] - costs[1]) / 1e-4, rel=1e-3, abs=1e-6)
        assert each.less == pytest.approx((costs[1] - costs[2]) / 1e-4, rel=1e-3, abs=1e-6)


def test_prices_in_an_ellipsoid(rodiu_cases):
    instance = rodiu_cases("small")[0].instance
    sets, options = Uncertainty(Ellipsoid(1.5), Ellipsoid(1.5)), Options()
    plan, _ = plan_of(instance, options, sets)
    found = priced(binding_limits(instance, plan, options, sets))
    limit, step = "error of Summarization", 1e-2
    costs = []
    for s in (1.0 + step, 1.0 - step):
        changed = with_limits(instance, {limit: value_of(instance, limit) * s})
        costs.append(solve_fixed(changed, plan, options, sets).solution.objective)
    slope_ = (costs[1] - costs[0]) / (2 * step * value_of(instance, limit)) * 0.01
    assert found[limit][0] == pytest.approx(slope_, rel=0.02)
    assert found[limit][0] == pytest.approx(found[limit][1], rel=1e-3)


def test_where_two_limits_hold_at_once_the_sides_differ():
    """min -x with x <= 1 said twice: more of one saves nothing, less costs."""
    none = np.zeros(1, bool)
    twice = MatrixProgram(
        np.array([-1.0]), 0.0, None, sp.csr_matrix([[1.0], [1.0]]), np.full(2, -np.inf),
        np.ones(2), np.zeros(1), np.full(1, np.inf), none, none,
    )  # fmt: skip
    x, one = np.ones(1), np.array([1.0, 0.0])
    assert slopes(twice, x, [one, -one, np.ones(2)]) == [0.0, 1.0, -1.0]
    pinned = twice._replace(row_lower=np.array([1.0, -np.inf]))
    assert slopes(pinned, x, [one]) == [np.inf]  # x = 1 + v leaves x <= 1


def test_a_cap_of_nothing_has_no_price_where_dropping_is_dearer(rodiu_cases):
    case = rodiu_cases("small")[-1]
    caps = {f"unmet cap of {name}": 0.0 for name in case.instance.query_types}
    instance = with_limits(case.instance, caps)
    plan, objective = plan_of(instance, Options(), TWO)
    found = {e.limit: e for e in binding_limits(instance, plan, Options(), TWO)}
    for cap in caps:
        assert found[cap].binding and found[cap].slack_share == 0.0
        assert found[cap].tighter == np.inf
        saved = objective - cheapest(with_limits(instance, {cap: 1e-4}), plan, Options(), TWO)
        expected = saved / 1e-4 * 0.01
        assert found[cap].looser == pytest.approx(expected, abs=1e-6)


def test_a_plan_that_breaks_a_limit_has_slacks_and_no_prices(tiny):
    instance, allocation = tiny
    tight = scaled(instance, error_limit=0.1)
    found = binding_limits(tight, allocation, Options(), TWO)
    assert min(each.slack for each in found if each.limit.startswith("error")) < 0.0
    assert all(np.isnan(each.looser) and np.isnan(each.tighter) for each in found)
    assert all(np.isnan(each.more) for each in demand_prices(tight, allocation, Options(), TWO))


def test_units_and_names(tiny):
    instance, allocation = tiny
    found = binding_limits(instance, allocation, Options(), TWO)
    units = {each.limit.partition(" of ")[0]: (each.unit, each.price_unit) for each in found}
    assert units["delay"] == ("ms", "$ per ms")
    assert units["error"] == ("fraction", "$ per percentage point")
    assert set(units) == {
        "delay", "error", "unmet cap", "budget", "storage", "memory", "compute", "GPUs",
    }  # fmt: skip
    assert {e.detail for e in found if e.limit == "memory of new"} == {"large, TP 2"}
    for wrong in ("delay", "delay of nobody", "budget of chat", "rent"):
        with pytest.raises(InputError, match=f"Unknown limit `{wrong}`"):
            place_of(instance, wrong)
