"""Least relaxations: what is told is enough, a thousandth less is not."""

import math

import numpy as np
import pytest

from lpo.allocate.explain import repair
from lpo.allocate.explain.limits import Relaxation, relaxed, with_limits
from lpo.allocate.explain.repair import least_relaxation
from lpo.allocate.instances.scaling import scaled
from lpo.allocate.model.exact import solve_allocation
from lpo.allocate.options import Options, make_options
from lpo.allocate.uncertainty import Box, Ellipsoid, Uncertainty, budget
from lpo.allocate.validate.audit import audit
from lpo.allocate.validate.cost import cost
from lpo.errors import InputError

TWO = budget(2.0, 2.0)
REFERENCE = make_options(profile="reference")
ROUNDS = Uncertainty(Ellipsoid(1.5), Ellipsoid(1.5))


def feasible(instance, options, sets):
    solved = solve_allocation(instance, options, sets, gap=0.5, threads=1)
    assert solved.status in ("optimal", "infeasible")
    return solved.status == "optimal"


def assert_least(instance, options, sets, found):
    """The relaxed instance has a plan, and a thousandth less of every limit has none."""
    assert feasible(relaxed(instance, found), options, sets)
    less = [each._replace(to=0.999 * each.to) for each in found]
    assert not feasible(relaxed(instance, less), options, sets)


@pytest.mark.parametrize(
    ("options", "sets", "scale"),
    [
        (Options(), TWO, {"budget": 0.02}),
        (Options(), TWO, {"error_limit": 0.2}),
        (Options(), Uncertainty(Box(), Box()), {"delay_limit": 0.0004, "error_limit": 0.7}),
        (Options(), ROUNDS, {"error_limit": 0.3}),
        (Options(single_placement=True), TWO, {"storage": 0.001}),
        (Options(replicas=2, decision_dependent=True), TWO, {"demand": 30.0}),
        (Options(route_limit=True), TWO, {"delay_limit": 0.0003}),
        (REFERENCE, TWO, {"error_limit": 0.3}),
        (REFERENCE, TWO, {"delay_limit": 0.0005}),
        (REFERENCE, TWO, {"delay_limit": 0.0002, "budget": 0.1}),
    ],
    ids=[
        "budget", "error", "delay", "ellipsoid", "storage", "demand", "route limit",
        "reference error", "reference delay", "reference budget",
    ],
)  # fmt: skip
def test_what_is_told_is_enough_and_least(rodiu_cases, options, sets, scale):
    instance = scaled(rodiu_cases("small")[-1].instance, **scale)
    assert not feasible(instance, options, sets)
    found = least_relaxation(instance, options, sets, threads=1)
    assert found.status == "optimal" and found.together
    assert sum(each.relative for each in found.together) == pytest.approx(found.total, rel=1e-3)
    assert found.bound == pytest.approx(found.total, rel=1e-3)
    assert_least(instance, options, sets, found.together)
    assert found.allocation is not None
    report = audit(relaxed(instance, found.together), found.allocation, options, sets)
    assert report.ok, report.violated


def test_one_limit_alone(rodiu_cases):
    instance = scaled(rodiu_cases("small")[-1].instance, error_limit=0.3)
    solved = solve_allocation(instance, REFERENCE, TWO, threads=1)
    tried = (*solved.conflict, "budget", "memory of H100_80GB_INT8")
    found = least_relaxation(instance, REFERENCE, TWO, alone=tried, threads=1)
    alone = {each.limit: each for each in found.alone}
    assert found.total is not None
    assert set(alone) == {*solved.conflict, "budget"} and len(alone) == 3
    assert math.isinf(alone["budget"].to)  # it is in no conflict
    for limit in solved.conflict:
        assert alone[limit].relative >= found.total - 1e-4
        assert_least(instance, REFERENCE, TWO, [alone[limit]])


def test_the_least_budget_is_the_cheapest_rent_and_storage(rodiu_cases):
    instance = scaled(rodiu_cases("small")[-1].instance, budget=0.02)
    limits = ["budget"]
    found = least_relaxation(instance, Options(), TWO, limits=limits, alone=limits, threads=1)
    assert found.alone == found.together
    free = scaled(instance, budget=1e6, delay_price=1e-9, unmet_price=1e-9)
    cheapest = solve_allocation(free, Options(), TWO, gap=1e-7, threads=1)
    assert cheapest.allocation is not None
    parts = cost(free, cheapest.allocation, Options(), TWO)
    spent = parts.rental + parts.storage_model + parts.storage_data
    assert found.together[0].to == pytest.approx(spent, rel=1e-4)


def test_no_gpus_at_all(rodiu_cases):
    case = rodiu_cases("small")[-1]
    none = {f"GPUs of {tier}": 0.0 for tier in case.instance.tiers}
    instance = with_limits(case.instance, none)
    found = least_relaxation(instance, Options(), TWO, limits=list(none), threads=1)
    assert found.total == pytest.approx(sum(each.to for each in found.together))  # GPUs
    for each in found.together:
        assert each.to == round(each.to) and each.record()["relative"] is None
        assert each.words == f"{each.limit}: 0 -> {each.to:.0f} GPUs"
    assert_least(instance, Options(), TWO, found.together)


def test_a_cap_of_nothing_counts_in_points_and_ends_at_all(rodiu_cases):
    case = rodiu_cases("small")[-1]
    caps = [f"unmet cap of {name}" for name in case.instance.query_types]
    no_drops = with_limits(scaled(case.instance, budget=0.001), dict.fromkeys(caps, 0.0))
    found = least_relaxation(no_drops, Options(), TWO, limits=caps, threads=1)
    assert [each.to for each in found.together] == [1.0, 1.0, 1.0]  # no GPU is that cheap
    assert found.total == pytest.approx(300.0)


def test_what_cannot_be_repaired_is_said_and_what_needs_none(rodiu_cases):
    instance = rodiu_cases("small")[-1].instance
    found = least_relaxation(scaled(instance, budget=0.02), Options(), TWO, limits=["storage"])
    assert (found.status, found.together, found.total) == ("infeasible", (), None)
    found = least_relaxation(instance, Options(), TWO)
    assert (found.status, found.together, found.total) == ("optimal", (), 0.0)
    found = least_relaxation(instance, Options(), TWO, solver="highs", time_limit_s=1e-6)
    assert found.status == "time_limit" and found.together == ()


def test_words_and_records():
    told = Relaxation("error of Math_Solving", 0.1, 0.112, "fraction", 0.12)
    assert told.words == "error of Math_Solving: 0.1 -> 0.112 (+12 %)"
    assert told.record() == {
        "limit": "error of Math_Solving", "from": 0.1, "to": 0.112, "unit": "fraction",
        "relative": 0.12,
    }  # fmt: skip
    assert told._replace(to=math.inf).words.endswith("no relaxation of it alone is enough")
    assert told._replace(to=math.inf, relative=math.inf).record()["to"] is None


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (["memory of H100_80GB_INT8"], "hardware"),
        (["GPUs of H100_80GB_INT8"], "no limit on"),
        (["speed of light"], "Unknown limit"),
        (["budget", "budget"], "twice"),
    ],
)
def test_names_that_cannot_be_relaxed_are_refused(rodiu_cases, limits, message):
    with pytest.raises(InputError, match=message):
        least_relaxation(rodiu_cases("small")[-1].instance, limits=limits)


def test_what_is_told_is_never_below_the_least():
    rng = np.random.default_rng(0)
    for value in rng.uniform(1e-3, 1e4, 3000):
        told = repair._rounded_up(float(value))
        assert value * (1 - 1e-9) <= told <= value * (1 + 1e-5)
