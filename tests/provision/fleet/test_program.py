"""The cvxpy formulation against the shared instance, closed forms and brute force."""

import itertools
import json
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.provision.fleet import (
    fleet_cost,
    fleet_program,
    make_fleet,
    normalise,
    parameter_values,
    set_values,
    solution,
)

TIGHT: dict[str, Any] = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
FLEET = make_fleet([10.0, 4.0], [1.0, 0.6], [0.02, 0.05], [0.7, 0.1], 1.0, initial=[1.0, 0.0])
DEMAND = np.array([12.0, 30.0, 5.0])


def optimum(program, **options) -> Any:
    value = program.problem.solve(solver=cp.HIGHS, **options)
    assert program.problem.status == cp.OPTIMAL
    return value


def best_of(program, fleet, demand, **values):
    set_values(program, fleet, demand, **values)
    return optimum(program)


def cheapest_whole_fleet(fleet, demand, most, allowed=lambda n: True):
    """Brute force over whole fleets with at most `most` replicas of a configuration."""
    H, K = len(demand), len(fleet.price)
    n = np.array(list(itertools.product(range(most + 1), repeat=H * K)), float).reshape(-1, H, K)
    n = n[[allowed(each) for each in n]]
    return fleet_cost(fleet, n, np.broadcast_to(demand, (len(n), H))).total.min()


@pytest.mark.parametrize("row", [0, 5])
def test_relaxation_of_the_shared_instance(azure_root: Path, row):
    path = azure_root / "fleet" / "instance_h12_k10.json"
    if not path.exists():
        pytest.skip("skipped: no data")
    data = json.loads(path.read_text())
    fleet = make_fleet(
        data["capacity_tokens_per_slot"],
        data["price_usd_per_slot"],
        data["energy_usd_per_token"],
        data["startup_usd"],
        data["unserved_usd_per_token"],
        initial=data["initial_fleet"],
    )
    program = fleet_program(
        fleet, data["H"], ridge_n=data["ridge_n"], ridge_other=data["ridge_other"]
    )
    assert program.problem.is_dpp()
    assert sum(variable.size for variable in program.problem.variables()) == 12 * 31
    set_values(program, fleet, np.array(data["demand"][row]))
    value: Any = program.problem.solve(solver=cp.CLARABEL, **TIGHT)
    assert value == pytest.approx(data["relaxed_objective"][row], rel=1e-10)
    found = solution(program)
    assert found is not None
    np.testing.assert_allclose(found.n, data["relaxed_n"][row], atol=1e-7)


def test_exact_problem_is_brute_force_and_the_relaxation_is_below_it():
    exact = fleet_program(FLEET, 2, integer=True)
    relaxed = fleet_program(FLEET, 2)
    rng = np.random.default_rng(0)
    for _ in range(4):
        demand = rng.uniform(0, 25, 2)
        value = best_of(exact, FLEET, demand)
        assert value == pytest.approx(cheapest_whole_fleet(FLEET, demand, 7), abs=1e-6)
        assert best_of(relaxed, FLEET, demand) <= value + 1e-9


def test_objective_is_the_cost_of_the_fleet_found():
    program = fleet_program(FLEET, 3)
    value = best_of(program, FLEET, DEMAND)
    found = solution(program)
    assert found is not None
    assert fleet_cost(FLEET, found.n, DEMAND).total == pytest.approx(value)
    started = np.maximum(np.diff(found.n, axis=0, prepend=FLEET.initial[None]), 0)
    np.testing.assert_allclose(found.s, started, atol=1e-7)


def test_limits_and_stock_bind_and_an_infinite_limit_does_not():
    limited = FLEET._replace(limit=np.array([1.0, np.inf]))
    value = best_of(fleet_program(limited, 2, integer=True), limited, DEMAND[:2])
    fewer = lambda n: (n[:, 0] <= 1).all()  # noqa: E731
    assert value == pytest.approx(cheapest_whole_fleet(FLEET, DEMAND[:2], 8, fewer), abs=1e-6)
    assert value > best_of(fleet_program(FLEET, 2, integer=True), FLEET, DEMAND[:2]) + 0.01
    free = fleet_program(2, 3, limits=True)
    assert best_of(free, FLEET, DEMAND) == pytest.approx(
        best_of(fleet_program(FLEET, 3), FLEET, DEMAND)
    )

    takes = np.array([[2.0, 1.0]])  # one tier: two GPUs for a replica of 0, one for one of 1
    program = fleet_program(2, 2, integer=True, tiers=takes)
    value = best_of(program, FLEET, DEMAND[:2], stock=np.array([5.0]))
    few = lambda n: (n @ takes[0] <= 5).all()  # noqa: E731
    assert value == pytest.approx(cheapest_whole_fleet(FLEET, DEMAND[:2], 5, few), abs=1e-6)


def test_a_service_level_can_be_out_of_reach_and_the_group_is_named():
    limited = FLEET._replace(limit=np.array([1.0, 1.0]))
    program = fleet_program(limited, 3, least_served=0.9)
    set_values(program, limited, DEMAND)
    program.problem.solve(solver=cp.HIGHS)
    assert program.problem.status == cp.INFEASIBLE and solution(program) is None
    assert {"service level", "limit", "capacity", "demand"} <= set(program.groups)
    listed = [constraint for group in program.groups.values() for constraint in group]
    assert len(listed) == len(program.problem.constraints)
    served = fleet_program(FLEET._replace(unserved=np.array(0.01)), 3, least_served=0.5)
    cheap = FLEET._replace(unserved=np.array(0.01))  # cheaper not to serve, but half must be
    set_values(served, cheap, DEMAND)
    optimum(served)
    found = solution(served)
    assert found is not None
    np.testing.assert_allclose(found.u, DEMAND / 2, atol=1e-7)


def test_solutions_do_not_depend_on_the_units():
    scaled, units = normalise(FLEET, demand=40.0)
    value = best_of(fleet_program(FLEET, 3), FLEET, DEMAND)
    other = best_of(fleet_program(2, 3), scaled, DEMAND / units.tokens)
    assert value == pytest.approx(other * units.usd)


def test_one_service_with_an_axis_is_the_plain_problem():
    by_service = FLEET._replace(
        capacity=FLEET.capacity[None], energy=FLEET.energy[None], unserved=FLEET.unserved[None]
    )
    ridges: dict[str, Any] = {"ridge_n": 1e-2, "ridge_other": 1e-3}
    programs = [fleet_program(each, 3, **ridges) for each in (FLEET, by_service)]
    set_values(programs[0], FLEET, DEMAND)
    set_values(programs[1], by_service, DEMAND[None])
    values = [each.problem.solve(solver=cp.CLARABEL, **TIGHT) for each in programs]
    assert values[0] == pytest.approx(values[1], rel=1e-9)
    found = solution(programs[1])
    assert found is not None and found.q.shape == (1, 3, 2) and found.u.shape == (1, 3)


def test_services_that_cannot_share_are_separate_problems():
    # Service 0 runs on configuration 0 alone, service 1 on configuration 1 alone.
    both = make_fleet(
        [[10.0, 0.0], [0.0, 4.0]], FLEET.price, FLEET.energy, FLEET.startup, [1.0, 1.5]
    )
    demand = np.stack([DEMAND, DEMAND[::-1]])
    value = best_of(fleet_program(both, 3), both, demand)
    alone = 0.0
    for i in range(2):
        c, p, e, s = (field[i : i + 1] for field in FLEET[:4])
        one = make_fleet(c, p, e, s, both.unserved[i])
        alone += best_of(fleet_program(one, 3), one, demand[i])
    assert value == pytest.approx(alone)


def test_services_that_are_alike_share_the_sum_of_their_demands():
    alike = make_fleet(np.stack([FLEET.capacity] * 2), *FLEET[1:4], FLEET.unserved)
    plain = FLEET._replace(initial=np.zeros(2))
    demand = np.stack([DEMAND, DEMAND[::-1]])
    program = fleet_program(alike, 3, integer=True)
    assert program.problem.is_dpp()
    together = best_of(fleet_program(plain, 3, integer=True), plain, demand.sum(axis=0))
    assert best_of(program, alike, demand) == pytest.approx(together)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"horizon": 0}, "`horizon`"),
        ({"ridge_n": -1.0}, "`ridge_n`"),
        ({"n_services": 0}, "`n_services`"),
        ({"probabilities": [0.5, 0.6]}, "`probabilities`"),
        ({"probabilities": [1.0], "cvar_weight": 2.0}, "`cvar_weight`"),
        ({"probabilities": [1.0], "cvar_level": 1.0}, "`cvar_level`"),
        ({"cvar_weight": 0.5}, "needs `probabilities`"),
        ({"tiers": np.ones((1, 3))}, "`tiers`"),
        ({"least_served": 1.5}, "`least_served`"),
    ],
)
def test_meaningless_options_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        fleet_program(2, **({"horizon": 3} | wrong))


def test_meaningless_values_are_refused():
    program = fleet_program(2, 3)
    for demand, message in ((np.ones(2), "shape"), (-DEMAND, "negative"), (DEMAND * np.nan, "fin")):
        with pytest.raises(InputError, match=message):
            parameter_values(program, FLEET, demand)
    with pytest.raises(InputError, match="`stock`"):
        parameter_values(program, FLEET, DEMAND, stock=np.ones(1))
    with pytest.raises(InputError, match="`capacity` must have shape"):
        parameter_values(fleet_program(3, 3), FLEET, DEMAND)
