"""Shifted and two-sided sets against what they are to describe."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from lpo.allocate.instances.shifted import shift_nominal
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Box, Budget, Uncertainty, budget, worst_case
from lpo.allocate.validate.performance import performance
from lpo.errors import InputError

BOX = Uncertainty(Box(), Box())


@pytest.mark.parametrize("dependent", [False, True])
@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_the_box_stays_and_nominal_is_the_mean(tiny, shift, dependent):
    instance, plan = tiny
    options = Options(decision_dependent=dependent)
    moved = shift_nominal(instance, shift, decision_dependent=dependent)
    before = performance(instance, plan, options, BOX)
    after = performance(moved, plan, options, BOX)
    assert after.delay_ms + after.delay_added_ms == pytest.approx(
        before.delay_ms + before.delay_added_ms
    )
    assert after.error + after.error_added == pytest.approx(before.error + before.error_added)
    # xi has mean `shift` of its interval: so much of what the box adds is now nominal
    assert after.delay_ms - before.delay_ms == pytest.approx(shift * before.delay_added_ms)
    assert after.error - before.error == pytest.approx(shift * before.error_added)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=6), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_a_budget_of_the_shifted_set_is_covered_by_a_larger_one_before(a, shift, part):
    at_risk, m = np.array(a), len(a)
    gamma = part * m
    shifted = shift * at_risk.sum() + worst_case((1 - shift) * at_risk, Budget(gamma))
    before = worst_case(at_risk, Budget(shift * m + (1 - shift) * gamma))
    assert shifted <= before + 1e-9


def test_a_two_sided_set_has_the_same_worst_case():
    a = np.array([0.3, 1.0, 0.7, 0.2])
    # xi = plus - minus, both in [0, 1], sum of plus + minus <= gamma
    for gamma in (0.5, 1.6, 3.0):
        both = linprog(np.r_[-a, a], np.ones((1, 8)), [gamma], bounds=(0, 1))
        assert worst_case(a, Budget(gamma)) == pytest.approx(-both.fun, rel=1e-12)


def test_a_shifted_plan_of_one_route_by_hand(tiny):
    instance, plan = tiny
    met = performance(shift_nominal(instance, 0.25), plan, Options(), budget(1.0, 1.0))
    assert met.delay_ms[1] == pytest.approx(200 * (0.8 + 0.25 * 0.2) / 2)
    assert met.delay_added_ms[1] == pytest.approx(200 * 0.75 * 0.2 / 2)


@pytest.mark.parametrize("shift", [-0.1, 1.1, float("nan")])
def test_a_shift_outside_the_interval_is_refused(tiny, shift):
    with pytest.raises(InputError, match="shift"):
        shift_nominal(tiny[0], shift)
