"""Scenario programs: the objective by hand, CVaR by its definition, limits of the weight."""

from typing import Any

import cvxpy as cp
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.provision.fleet import (
    conditional_value_at_risk,
    fleet_cost,
    fleet_program,
    make_fleet,
    scenario_cost,
    set_values,
    solution,
)

FLEET = make_fleet([10.0, 4.0], [1.0, 0.6], [0.02, 0.05], [0.7, 0.1], 1.0, initial=[1.0, 0.0])
SCENARIOS = np.array([[12.0, 30.0], [5.0, 8.0], [20.0, 60.0], [15.0, 22.0]])
CHANCE = np.array([0.4, 0.3, 0.1, 0.2])


def solve(program, demand):
    set_values(program, FLEET, demand)
    value: Any = program.problem.solve(solver=cp.HIGHS)
    found = solution(program)
    assert found is not None
    return value, found


@pytest.mark.parametrize("level", [0.0, 0.25, 0.9])
def test_cvar_is_the_minimum_of_rockafellar_and_uryasev(level):
    costs = np.array([3.0, -1.0, 10.0, 4.0])
    # Piecewise linear and convex in a: the minimum is at one of the outcomes.
    excess = np.maximum(costs - costs[:, None], 0.0) @ CHANCE
    expected = (costs + excess / (1.0 - level)).min()
    assert conditional_value_at_risk(costs, CHANCE, level) == pytest.approx(expected)
    stacked = conditional_value_at_risk(jnp.stack([costs, costs[::-1]]), CHANCE, level)
    assert stacked.shape == (2,) and float(stacked[0]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("weight", "level"), [(0.0, 0.9), (0.5, 0.7), (1.0, 0.95)])
def test_the_program_minimises_the_scenario_cost(weight, level):
    risk = {"cvar_weight": weight, "cvar_level": level}
    program = fleet_program(FLEET, 2, probabilities=CHANCE, **risk)
    assert program.problem.is_dpp()
    value, found = solve(program, SCENARIOS)
    assert found.q.shape == (4, 2, 2) and found.u.shape == (4, 2)
    cost = lambda n: scenario_cost(FLEET, n, SCENARIOS, probabilities=CHANCE, **risk)  # noqa: E731
    assert cost(found.n) == pytest.approx(value)
    others = np.abs(found.n + np.random.default_rng(0).normal(0, 0.5, (200, 2, 2)))
    assert (cost(others) >= value - 1e-9).all()


def test_alike_scenarios_are_the_point_forecast():
    plain, alone = solve(fleet_program(FLEET, 2), SCENARIOS[0])
    program = fleet_program(FLEET, 2, probabilities=CHANCE, cvar_weight=0.3)
    value, found = solve(program, np.tile(SCENARIOS[0], (4, 1)))
    assert value == pytest.approx(plain)
    np.testing.assert_allclose(fleet_cost(FLEET, found.n, SCENARIOS[0]).total, plain)
    np.testing.assert_allclose(fleet_cost(FLEET, alone.n, SCENARIOS[0]).total, plain)


def test_more_weight_on_the_tail_lowers_the_tail():
    tails = []
    for weight in (0.0, 0.5, 1.0):
        _, found = solve(
            fleet_program(FLEET, 2, probabilities=CHANCE, cvar_weight=weight), SCENARIOS
        )
        risk = {"cvar_weight": 1.0, "cvar_level": 0.9}
        tails.append(scenario_cost(FLEET, found.n, SCENARIOS, probabilities=CHANCE, **risk))
    assert tails[0] > tails[2] + 0.1 and tails[0] >= tails[1] - 1e-9 >= tails[2] - 2e-9


def test_scenarios_of_several_services():
    both = make_fleet(np.stack([FLEET.capacity] * 2), *FLEET[1:4], FLEET.unserved)
    program = fleet_program(both, 2, probabilities=CHANCE, cvar_weight=0.5)
    demand = np.stack([0.25 * SCENARIOS, 0.75 * SCENARIOS], axis=1)  # [S, I, H]
    set_values(program, both, demand)
    value: Any = program.problem.solve(solver=cp.HIGHS)
    plain = fleet_program(2, 2, probabilities=CHANCE, cvar_weight=0.5)
    set_values(plain, FLEET._replace(initial=np.zeros(2)), SCENARIOS)
    assert value == pytest.approx(plain.problem.solve(solver=cp.HIGHS))
