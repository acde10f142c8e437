"""Costs of plans against published breakdowns and against sums by hand."""

import numpy as np
import pytest

from lpo.allocate.options import Options, Profile, StorageAccounting, make_options
from lpo.allocate.uncertainty import Box, Uncertainty, budget
from lpo.allocate.validate.cost import cost, objective, stored_gb
from lpo.allocate.validate.performance import performance
from lpo.errors import InputError


@pytest.mark.parametrize("name", ["small", "default"])
def test_breakdown_and_objective_of_every_solved_case(rodiu_cases, name):
    cases = rodiu_cases(name)
    assert len(cases) == 8
    for case in cases:
        found = cost(case.instance, case.allocation, case.options, case.uncertainty)
        for part, dollars in case.expected["breakdown"].items():
            assert getattr(found, part) == pytest.approx(dollars, rel=1e-6, abs=1e-6)
        assert objective(found, case.options) == pytest.approx(case.expected["objective"], rel=1e-9)


def test_costs_by_hand(tiny):
    instance, plan = tiny
    found = cost(instance, plan, Options(), budget(1.0, 1.0))
    assert found.rental == 10.0 * (1 * 1.0 + 2 * 2.0)
    assert found.storage_model == pytest.approx(10.0 * 0.01 * (4.0 + 8.0))
    # chat: .95 of 10 queries of 100 tokens; code: 20 queries of 200 tokens
    data = 0.95 * 10 * 100 * 0.001 + 20 * 200 * 0.002
    assert found.storage_data == pytest.approx(10.0 * 0.01 * data)
    # chat: .5 at .8 ms, .45 at .8 / 2 ms a token; code: .8 / 2 ms
    chat, code = 100 * (0.5 * 0.8 + 0.45 * 0.4), 200 * 0.4
    assert found.delay_nominal == pytest.approx(10 * 0.01 * chat + 20 * 0.02 * code)
    # at risk: chat .5 of .2 ms and .45 of .2 / 2 ms, of which gamma 1 counts the larger one
    assert found.delay_robust == pytest.approx(
        10 * 0.01 * 100 * 0.5 * 0.2 + 20 * 0.02 * 200 * 0.2 / 2
    )
    assert found.unmet == pytest.approx(0.05 * 10 * 5.0)


def test_physical_units_horizon_and_storage_by_route(tiny):
    instance, plan = tiny
    base = cost(instance, plan, Options(), budget(1.0, 1.0))
    physical = cost(instance, plan, Options(legacy_units=False), budget(1.0, 1.0))
    assert physical.storage_data == pytest.approx(base.storage_data / 1000)
    whole = cost(instance, plan, Options(horizon_consistent=True), budget(1.0, 1.0))
    assert whole[:3] == base[:3]
    assert whole[3:] == pytest.approx([10.0 * part for part in base[3:]])
    by_route = Options(storage_accounting=StorageAccounting.ROUTE)
    assert stored_gb(instance, plan, by_route) == 4.0 + 2 * 8.0
    twice = plan._replace(replicas=2 * plan.replicas)
    assert stored_gb(instance, twice, Options(replicas=2)) == 2 * (4.0 + 8.0)


def test_a_dropped_type_is_placed_at_the_lightest_model_under_single_placement(tiny):
    instance, plan = tiny
    share = plan.share.copy()
    share[0] = 0.0
    dropped = plan._replace(share=share, unmet=np.array([1.0, 0.0]))
    published = make_options(profile=Profile.REFERENCE)
    assert stored_gb(instance, dropped, published) == 8.0 + 4.0


def test_published_profiles_do_not_divide_delay_and_leave_parts_out(tiny):
    instance, plan = tiny
    reference = make_options(profile=Profile.REFERENCE)
    found = cost(instance, plan, reference, budget(1.0, 1.0))
    chat, code = 100 * (0.5 * 0.8 + 0.45 * 0.8), 200 * 0.8
    assert found.delay_nominal == pytest.approx(10 * 0.01 * chat + 20 * 0.02 * code)
    assert objective(found, reference) == pytest.approx(sum(found) - found.delay_nominal)
    plain = make_options(profile=Profile.REFERENCE_DETERMINISTIC)
    found = cost(instance, plan, plain, budget(1.0, 1.0))
    assert found.delay_robust == 0.0
    assert objective(found, plain) == pytest.approx(sum(found))


def test_impact_counts_only_in_a_decision_dependent_set(tiny):
    instance, plan = tiny
    box = Uncertainty(Box(), Box())
    plain = performance(instance, plan, Options(), box)
    less = performance(instance, plan, Options(decision_dependent=True), box)
    # delay: old has impact .5 for the small model, new none; error: the large model on new has .25
    assert plain.delay_added_ms[0] == pytest.approx(100 * (0.5 * 0.2 + 0.45 * 0.1))
    assert less.delay_added_ms[0] == pytest.approx(100 * (0.5 * 0.2 * 0.5 + 0.45 * 0.1))
    assert less.error_added[1] == pytest.approx(0.75 * 0.01)


def test_a_plan_of_other_shapes_or_without_numbers_is_refused(tiny):
    instance, plan = tiny
    bad = {
        r"`unmet` of the plan must have shape \(2,\)": plan._replace(unmet=np.zeros(3)),
        "`share` of the plan must be finite": plan._replace(share=plan.share * np.nan),
    }
    for message, allocation in bad.items():
        with pytest.raises(InputError, match=message):
            cost(instance, allocation, Options(), budget(0.0, 0.0))
