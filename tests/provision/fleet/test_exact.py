"""Exact fleets: solvers against each other and brute force, and tightening against optima."""

import importlib.util
import itertools

import cvxpy as cp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.optim.milp import solve_milp
from lpo.provision.fleet.catalogue import default_catalogue, to_fleet
from lpo.provision.fleet.cost import fleet_cost
from lpo.provision.fleet.dominance import replacements
from lpo.provision.fleet.exact import exact_plan, tightening
from lpo.provision.fleet.parameters import Fleet, make_fleet
from lpo.provision.fleet.program import fleet_program, set_values
from lpo.provision.fleet.units import normalise


def random_fleet(rng, K: int, **fields) -> Fleet:
    """Comparable prices of a token, so that several configurations are of use."""
    capacity = rng.uniform(2.0, 12.0, K)
    price = capacity * rng.uniform(0.08, 0.13, K)
    given = {"initial": rng.integers(0, 3, K), **fields}
    return make_fleet(
        capacity, price, rng.uniform(0.0, 0.02, K), price * rng.uniform(0, 3, K), 1.5, **given
    )


def diurnal_day(fleet: Fleet, replicas: float) -> np.ndarray:
    """A day of hours [24] whose peak keeps about so many average replicas busy."""
    hour, rng = np.arange(24), np.random.default_rng(0)
    wave = 0.55 - 0.4 * np.cos(2 * np.pi * (hour - 3) / 24)
    return replicas * fleet.capacity.mean() * wave * np.exp(0.1 * rng.standard_normal(24))


def optimum(fleet: Fleet, demand: np.ndarray, *, integer: bool = True, tight: bool = False):
    program = fleet_program(fleet, len(demand), integer=integer)
    set_values(program, fleet, demand)
    extra = tightening(program, fleet, demand) if tight else []
    problem = cp.Problem(program.problem.objective, [*program.problem.constraints, *extra])
    result = solve_milp(problem, solver="highs", gap=0.0)
    assert result.status == "optimal" and result.objective is not None
    return result.objective


def test_gurobi_and_highs_agree_on_fifty_instances():
    pytest.importorskip("gurobipy")
    rng = np.random.default_rng(0)
    for _ in range(50):
        fleet, demand = random_fleet(rng, 3), rng.uniform(0, 40, 4)
        ours = exact_plan(fleet, demand, solver="gurobi", gap=0.0)
        theirs = exact_plan(fleet, demand, solver="highs", gap=0.0)
        assert (ours.solver, theirs.solver) == ("gurobi", "highs")
        assert (ours.status, theirs.status) == ("optimal", "optimal")
        assert ours.objective == pytest.approx(theirs.objective, rel=1e-6)
        assert max(ours.gap, theirs.gap) <= 1e-6


@pytest.mark.parametrize("limit", [np.inf, 2.0])
def test_exact_is_the_best_of_all_whole_fleets(limit):
    rng = np.random.default_rng(1)
    fleets = np.array(list(itertools.product(range(5), repeat=4)), float).reshape(-1, 2, 2)
    for _ in range(8):
        fleet, demand = random_fleet(rng, 2, limit=[limit, np.inf]), rng.uniform(0, 8, 2)
        allowed = fleets[(fleets <= fleet.limit).all(axis=(1, 2))]
        costs = fleet_cost(fleet, allowed, demand).total
        plan = exact_plan(fleet, demand, solver="highs", gap=0.0)
        assert plan.objective == pytest.approx(costs.min(), rel=1e-9)
        assert plan.n.dtype == np.int64
        assert fleet_cost(fleet, plan.n, demand).total == plan.objective


def test_the_relaxation_is_below_every_whole_fleet():
    rng = np.random.default_rng(2)
    for _ in range(15):
        fleet, demand = random_fleet(rng, 3), rng.uniform(0, 40, 4)
        relaxed = optimum(fleet, demand, integer=False)
        whole = rng.integers(0, 8, (500, 4, 3)).astype(float)
        slack = 1e-9 * (1 + abs(relaxed))
        assert relaxed <= fleet_cost(fleet, whole, demand).total.min() + slack
        plan = exact_plan(fleet, demand, solver="highs")
        assert relaxed <= plan.objective + slack
        assert plan.bound >= relaxed - 1e-3 * relaxed


def dominated_fleet(rng, limit=np.inf) -> Fleet:
    """Two configurations of use, one worse than one of them, one worse than a mixture."""
    fleet = random_fleet(rng, 2)
    capacity, price, energy, startup = fleet[:4]
    sums = [float(x.sum()) for x in (capacity, price, startup)]
    return make_fleet(
        [*capacity, 0.9 * capacity[0], 0.95 * sums[0]],
        [*price, 1.1 * price[0], 1.2 * sums[1]],
        [*energy, energy[0], energy.max()],
        # The last starts for less than the mixture, and loses that in its first slot.
        [*startup, startup[0], max(sums[2] - 0.1 * sums[1], 0.0)],
        1.5,
        initial=rng.integers(0, 3, 4),
        limit=limit,
    )


def test_tightening_keeps_an_optimal_fleet():
    rng = np.random.default_rng(3)
    for _ in range(12):
        fleet, demand = dominated_fleet(rng), rng.uniform(0, 30, 3)
        assert len(replacements(fleet)) >= 2
        plain, tight = (optimum(fleet, demand, tight=tight) for tight in (False, True))
        assert tight == pytest.approx(plain, rel=1e-7)


def test_one_day_of_the_built_in_catalogue():
    solvers = ["highs", "gurobi"] if importlib.util.find_spec("gurobipy") else ["highs"]
    fleet = to_fleet(default_catalogue(), 3600.0)
    assert len(fleet.price) == 10
    demand = diurnal_day(fleet, 10.0)
    scaled, units = normalise(fleet)
    relaxed = units.usd * optimum(scaled, demand / units.tokens, integer=False)
    plans = [exact_plan(fleet, demand, solver=name, time_limit_s=60.0) for name in solvers]
    for plan in plans:
        assert plan.status == "optimal" and plan.gap <= 1e-3
        assert plan.bound >= relaxed * (1 - 1e-9)
        assert all(plan.bound <= other.objective for other in plans)


def test_a_start_is_kept_when_nothing_better_is_found():
    rng = np.random.default_rng(5)
    fleet, demand = random_fleet(rng, 3), rng.uniform(0, 40, 4)
    best = exact_plan(fleet, demand, solver="highs", gap=0.0)
    again = exact_plan(fleet, demand, start=best.n, solver="highs", gap=0.0)
    assert again.objective == pytest.approx(best.objective, rel=1e-12)
    over = exact_plan(fleet, demand, start=best.n + 50, solver="highs", gap=0.0)
    assert over.objective == pytest.approx(best.objective, rel=1e-9)


def test_a_start_may_be_made_of_fleet_and_demand():
    rng = np.random.default_rng(5)
    fleet, demand = random_fleet(rng, 3), rng.uniform(0, 40, 4)
    best = exact_plan(fleet, demand, solver="highs", gap=0.0)
    asked = []

    def stub(given, tokens):
        asked.append((given, tokens))
        return best.n

    warm = exact_plan(fleet, demand, start=stub, solver="highs", gap=0.0)
    assert warm.objective == pytest.approx(best.objective, rel=1e-12)
    np.testing.assert_array_equal(asked[0][1], demand)
    np.testing.assert_array_equal(asked[0][0].price, fleet.price)
    nothing = exact_plan(fleet, demand, start=lambda *_: None, solver="highs", gap=0.0)
    assert nothing.objective == pytest.approx(best.objective, rel=1e-9)


def test_silence_needs_no_fleet():
    fleet = make_fleet([10.0, 5.0], 1.0, 0.01, 5.0, 2.0)
    plan = exact_plan(fleet, np.zeros(3), solver="highs")
    assert (plan.objective, plan.gap, plan.n.sum()) == (0.0, 0.0, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"demand": np.ones((2, 3))},
        {"demand": np.zeros(0)},
        {"demand": np.array([1.0, -1.0])},
        {"demand": np.ones(2), "start": np.zeros((3, 2))},
        {"demand": np.ones(2), "start": np.full((2, 2), 0.5)},
        {"demand": np.ones(2), "solver": "scip"},
    ],
)
def test_bad_input_is_refused(arguments):
    fleet = make_fleet([10.0, 5.0], 1.0, 0.01, 5.0, 2.0)
    with pytest.raises(InputError):
        exact_plan(fleet, **arguments)
