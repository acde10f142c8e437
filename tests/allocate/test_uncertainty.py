"""Worst cases against linear programs; the bounds on violations against sums over all signs."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from lpo.allocate.uncertainty import (
    Box,
    Budget,
    Ellipsoid,
    gamma_for,
    hoeffding_bound,
    violation_bound,
    worst_case,
)
from lpo.errors import InputError


@pytest.mark.parametrize("gamma", [0.0, 0.4, 1.0, 2.3, 4.9, 5.0, math.inf])
@pytest.mark.parametrize("dependent", [False, True])
def test_budget_is_both_linear_programs(gamma, dependent):
    rng = np.random.default_rng(3)
    a, impact = rng.uniform(size=(4, 5)), rng.uniform(size=5) if dependent else None
    kept = np.ones(5) if impact is None else 1.0 - impact
    found = worst_case(a, Budget(gamma), impact)
    finite = min(gamma, 5.0)
    for row, value in zip(a, found, strict=True):
        primal = linprog(-row, np.ones((1, 5)), [finite], bounds=np.c_[np.zeros(5), kept])
        # variables: tau, sigma; rows: -(tau + sigma_r) <= -a_r
        rows = -np.hstack([np.ones((5, 1)), np.eye(5)])
        dual = linprog(np.r_[finite, kept], rows, -row)
        assert value == pytest.approx(-primal.fun, rel=1e-12, abs=1e-12)
        assert value == pytest.approx(dual.fun, rel=1e-12, abs=1e-12)


def test_box_and_ellipsoid_are_attained_and_not_exceeded():
    rng = np.random.default_rng(4)
    a, impact = rng.uniform(size=6), rng.uniform(size=6)
    inside = rng.uniform(size=(4000, 6)) * 1.5 * (1 - impact)
    corner = 1.5 * (1 - impact)
    assert np.max(inside @ a) < worst_case(a, Box(1.5), impact) == pytest.approx(corner @ a)
    ball = rng.normal(size=(4000, 6))
    ball = 2.0 * ball / np.linalg.norm(ball, axis=1, keepdims=True)
    worst = worst_case(a, Ellipsoid(2.0), impact)
    b = (1 - impact) * a
    steepest = 2.0 * b / np.linalg.norm(b)
    assert np.max((ball * (1 - impact)) @ a) < worst == pytest.approx(steepest @ b)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=6), st.floats(0, 7), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_no_realisation_in_the_set_is_worse(a, gamma, seed):
    xi = np.random.default_rng(seed).uniform(size=len(a))
    xi *= min(1.0, gamma / xi.sum())
    assert xi @ np.array(a) <= worst_case(np.array(a), Budget(gamma)) + 1e-9


def test_an_impact_beyond_one_is_refused():
    with pytest.raises(InputError, match="impact"):
        worst_case(np.ones(2), Budget(1.0), np.array([0.5, 1.5]))


@pytest.mark.parametrize("m", [1, 2, 5, 8])
def test_bound_is_the_tail_of_the_sum_of_signs(m):
    # Equal deviations of plus or minus one: the case in which the theorem is tight.
    sums = np.array([sum(signs) for signs in itertools.product((-1, 1), repeat=m)])
    for gamma in np.arange(0.0, m, 0.25):
        tail = np.mean(sums >= gamma - 1e-12)
        bound = violation_bound(float(gamma), m)
        if (gamma + m) % 2 == 0:
            assert bound == pytest.approx(tail, rel=1e-12)
        assert bound >= np.mean(sums > gamma)
        assert bound <= hoeffding_bound(float(gamma), m) + 1e-12
    assert violation_bound(float(m), m) == 0.0


def test_bound_of_many_routes_is_finite_and_that_of_the_normal_law():
    m, gamma = 10**6, 2500.0  # 2.5 standard deviations
    assert violation_bound(gamma, m) == pytest.approx(0.5 * math.erfc(2.5 / 2**0.5), rel=0.01)


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("law", ["uniform", "signs", "beta"])
def test_plans_are_violated_no_more_often_than_the_bound_says(law, one_sided):
    rng, m, samples = np.random.default_rng(5), 6, 20000
    draws = {
        "uniform": rng.uniform(-1, 1, (samples, m)),
        "signs": rng.choice([-1.0, 1.0], (samples, m)),
        # symmetric when two-sided; one-sided, the law with mean 2/7
        "beta": 2 * rng.beta(2, 5 if one_sided else 2, (samples, m)) - 1,
    }
    xi = draws[law]
    if one_sided:
        xi = (1 + xi) / 2
    for gamma in (0.5, 1.7, 3.0, 4.2, 5.5):
        for a in (np.ones(m), rng.uniform(size=m), np.arange(1.0, m + 1)):
            share = np.mean(xi @ a > worst_case(a, Budget(gamma)) * (1 + 1e-12))
            bound = violation_bound(gamma, m, one_sided=one_sided)
            assert share <= bound + 4 * math.sqrt(0.25 / samples)


@given(st.floats(1e-6, 1.0), st.integers(1, 400), st.booleans())
@settings(max_examples=100, deadline=None)
def test_gamma_for_is_the_least_gamma(probability, m, one_sided):
    gamma = gamma_for(probability, m, one_sided=one_sided)
    assert 0.0 <= gamma <= m
    assert violation_bound(gamma, m, one_sided=one_sided) <= probability * (1 + 1e-9)
    if gamma > 1e-6:
        less = violation_bound(gamma - 1e-6, m, one_sided=one_sided)
        assert less > probability * (1 - 1e-12)


@pytest.mark.parametrize("probability", [0.0, -0.1, 1.1, math.nan])
def test_gamma_for_refuses_what_is_no_probability(probability):
    with pytest.raises(InputError, match="probability"):
        gamma_for(probability, 3)


@pytest.mark.parametrize(("gamma", "m"), [(-1.0, 3), (math.nan, 3), (1.0, 0)])
def test_bounds_refuse_bad_numbers(gamma, m):
    for bound in (violation_bound, hoeffding_bound):
        with pytest.raises(InputError):
            bound(gamma, m)
