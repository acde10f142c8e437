"""The heuristic against published optima, exact solutions and its own audit."""

import numpy as np
import pytest

from lpo.allocate.heuristic.planner import plan_heuristically
from lpo.allocate.instances.generate import generate
from lpo.allocate.model.exact import solve_allocation
from lpo.allocate.options import CORRECTED, make_options
from lpo.allocate.uncertainty import Box, Ellipsoid, Uncertainty, budget
from lpo.allocate.validate.audit import audit
from lpo.allocate.validate.cost import cost, objective
from lpo.errors import InputError


def check(instance, options, sets, optimum: float):
    found = plan_heuristically(instance, options, sets, seconds=60.0)
    assert found.status == "feasible" and found.allocation is not None
    assert audit(instance, found.allocation, options, sets).ok
    parts = cost(instance, found.allocation, options, sets)
    assert found.objective == objective(parts, options)
    assert found.objective is not None
    assert optimum * (1 - 1e-6) <= found.objective <= 1.02 * optimum
    return found


@pytest.mark.parametrize(("name", "every"), [("small", 2), ("default", 3)])
def test_published_cases(rodiu_cases, name, every):
    cases = [case for case in rodiu_cases(name) if not case.options.published]
    assert len(cases) == 6
    for case in cases[every - 1 :: every]:
        check(case.instance, case.options, case.uncertainty, case.expected["objective"])


@pytest.mark.parametrize(
    ("options", "sets"),
    [
        (make_options(replicas=2), budget(50, 50)),
        (make_options(single_placement=True, replicas=2), Uncertainty(Box(0.5), Box(1.0))),
        (make_options(storage_accounting="route", legacy_units=False), budget(1, 0)),
        (make_options(route_limit=True, decision_dependent=True), budget(0.5, 1.5)),
    ],
)
def test_exact_solutions_with_scarce_gpus(options, sets):
    instance = generate("robust", 3, size=(3, 3, 4))
    data = instance.data
    tier_limit = np.array([4.0, 8.0, np.inf, 2.0])
    instance = instance._replace(data=data._replace(tier_limit=tier_limit))
    exact = solve_allocation(instance, options, sets)
    assert exact.objective is not None
    check(instance, options, sets, exact.objective)


def test_the_same_arguments_give_the_same_plan():
    instance = generate("robust", 1, size=(2, 3, 3))
    for options in (CORRECTED, make_options(single_placement=True)):
        first, second = (
            plan_heuristically(instance, options, seconds=60.0, seed=7) for _ in range(2)
        )
        assert first.allocation is not None and second.allocation is not None
        for one, other in zip(first.allocation, second.allocation, strict=True):
            assert np.array_equal(one, other)


def test_no_plan():
    instance = generate("robust", 42, legacy_stream=True)
    data = instance.data
    tight = instance._replace(data=data._replace(error_limit=0.3 * data.error_limit))
    found = plan_heuristically(tight)
    assert found.status == "infeasible" and found.allocation is None and found.objective is None
    # The relaxation has a plan for 300 $, whole GPUs have none.
    poor = instance._replace(data=data._replace(budget_usd=np.array(300.0)))
    assert plan_heuristically(poor).status == "time_limit"
    assert plan_heuristically(instance, seconds=1e-9).status == "time_limit"


def test_nothing_fits():
    instance = generate("robust", 42, legacy_stream=True)
    data = instance.data._replace(memory_gb=np.full(10, 0.5))
    assert plan_heuristically(instance._replace(data=data)).status == "infeasible"
    data = data._replace(unmet_cap=np.ones(6))
    found = plan_heuristically(instance._replace(data=data))
    assert found.status == "feasible"
    assert found.objective == pytest.approx(np.sum(data.unmet_usd * data.arrivals_per_hour))


def test_bad_input():
    instance = generate("robust", 42, legacy_stream=True)
    with pytest.raises(InputError, match="corrected profile"):
        plan_heuristically(instance, make_options(profile="reference"))
    with pytest.raises(InputError, match="ellipsoids"):
        plan_heuristically(instance, CORRECTED, Uncertainty(Ellipsoid(1.0), Box(1.0)))
    with pytest.raises(InputError, match="`seconds`"):
        plan_heuristically(instance, seconds=-1.0)
