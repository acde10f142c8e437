"""Lower bounds: published relaxations, the whole linear program by SciPy, optima, any prices."""

import json

import numpy as np
import pytest

from lpo.allocate.heuristic.bound import BoundKind, lower_bound
from lpo.allocate.heuristic.column_generation import relax
from lpo.allocate.heuristic.lagrangian import price_out
from lpo.allocate.heuristic.routing_table import routing_table
from lpo.allocate.heuristic.share_program import Prices
from lpo.allocate.instances.files import read_instance
from lpo.allocate.instances.generate import generate
from lpo.allocate.model.columns import make_columns
from lpo.allocate.model.program import build
from lpo.allocate.options import CORRECTED, make_options
from lpo.allocate.uncertainty import Box, Ellipsoid, Uncertainty, budget
from lpo.errors import InputError

OPTIMA = {0.0: 326.96506, 1.0: 349.86391, 2.0: 355.79474, 50.0: 356.89331}


def published(seed: int = 42):
    return generate("robust", seed, legacy_stream=True)


@pytest.mark.parametrize("name", ["small", "default"])
def test_published_relaxation(rodiu_root, name):
    path = rodiu_root / f"instance_{name}.json"
    bound = lower_bound(read_instance(path), links=False)
    assert bound.kind == "relaxation"
    assert bound.value == pytest.approx(json.loads(path.read_text())["lp_relaxation_corrected"])


@pytest.mark.parametrize(
    ("options", "uncertainty"),
    [
        (CORRECTED, budget(0.0, 0.5)),
        (CORRECTED, budget(2.0, 1.0)),
        (CORRECTED, Uncertainty(Box(0.5), Box(1.0))),
        (make_options(replicas=2, decision_dependent=True), budget(1.0, 2.0)),
        (
            make_options(legacy_units=False, utilisation=0.5, storage_accounting="route"),
            budget(1, 1),
        ),
        (make_options(route_limit=True, horizon_consistent=True), budget(0.3, 4.0)),
    ],
)
def test_largest_degree_and_cuts_are_the_whole_relaxation(options, uncertainty, by_linprog):
    instance = generate("robust", 5)
    data = instance.data
    tier_limit = np.where(np.arange(10) == 9, 6.0, data.tier_limit)
    delay_limit_ms = 0.1 * data.delay_limit_ms
    data = data._replace(tier_limit=tier_limit, delay_limit_ms=delay_limit_ms)
    instance = instance._replace(data=data)
    bound = lower_bound(instance, options, uncertainty, links=False)
    assert bound.kind is BoundKind.RELAXATION
    assert bound.value == pytest.approx(by_linprog(build(instance, options, uncertainty)), rel=1e-7)


def test_links_are_those_of_the_program_and_more(by_linprog):
    instance, sets = published(), budget(50, 50)
    linked = by_linprog(build(instance, make_options(link_cuts=True), sets))
    assert linked == pytest.approx(338.2752, abs=1e-4)
    bound = lower_bound(instance)
    assert bound.kind is BoundKind.LINKED
    assert linked < bound.value < OPTIMA[50.0]


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_no_bound_exceeds_the_optimum(gamma):
    instance, sets = published(), budget(gamma, gamma)
    relaxed = lower_bound(instance, CORRECTED, sets, links=False)
    linked = lower_bound(instance, CORRECTED, sets)
    assert relaxed.value < linked.value < OPTIMA[gamma]
    early = lower_bound(instance, CORRECTED, sets, seconds=1e-9)
    assert early.value == 0.0 and early.kind is BoundKind.LAGRANGIAN and early.notes


def test_single_placement_is_bounded_more_tightly(rodiu_cases):
    for case in rodiu_cases("small"):
        if case.options.published or not case.options.single_placement:
            continue
        bound = lower_bound(case.instance, case.options, case.uncertainty)
        split = lower_bound(case.instance, CORRECTED, case.uncertainty)
        assert split.value < bound.value <= case.expected["objective"] * (1 + 1e-9)


@pytest.mark.parametrize("links", [False, True])
def test_any_prices_bound_the_optimum(links):
    instance, sets = published(), budget(2, 2)
    table = routing_table(
        instance, CORRECTED, sets, make_columns(instance, largest_degree_only=not links)
    )
    # With one degree a pair, link rows cut off whole plans: prices that only safe arithmetic bears.
    relaxed = relax(instance, table, CORRECTED, links=True, deadline=np.inf)
    assert relaxed.prices is not None and (links or relaxed.bound > OPTIMA[2.0])
    rng, bounds = np.random.default_rng(0), []
    for scale in np.linspace(0.0, 1.0, 200):
        # Prices of the last program with an error, rooms cheap or dear by deployment.
        wrong = [each * np.exp(scale * rng.normal(size=np.shape(each))) for each in relaxed.prices]
        prices = Prices(*wrong)._replace(spent=scale * rng.random(), storage=scale * rng.random())
        bounds.append(price_out(instance, table, list(relaxed.cuts), prices, 1, links=links).bound)
    assert 0.0 < max(bounds) < OPTIMA[2.0]


def test_an_instance_without_a_plan_is_bounded_by_infinity():
    instance = published()
    data = instance.data
    for changed in (
        data._replace(error_limit=0.3 * data.error_limit),
        data._replace(budget_usd=np.array(200.0)),
        data._replace(memory_gb=0.0 * data.memory_gb + 0.5),  # no model fits
    ):
        bound = lower_bound(instance._replace(data=changed))
        assert bound.value == np.inf and bound.kind is BoundKind.INFEASIBLE


def test_bad_input():
    instance = published()
    with pytest.raises(InputError, match="corrected profile"):
        lower_bound(instance, make_options(profile="reference"))
    with pytest.raises(InputError, match="ellipsoids"):
        lower_bound(instance, CORRECTED, Uncertainty(Ellipsoid(1.0), Box(1.0)))
    with pytest.raises(InputError, match="`seconds`"):
        lower_bound(instance, seconds=0.0)
