# pyright: reportArgumentType=false, reportOptionalOperand=false, reportOperatorIssue=false
# cvxpy types a comparison as maybe a bool.
"""MILPs against brute force over all whole points, both back ends, and how each ending is told."""

import itertools
import warnings

import cvxpy as cp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.optim import highs, matrix_milp
from lpo.optim.conflict import BOUNDS
from lpo.optim.milp import MilpStatus, solve_milp
from lpo.optim.outcome import LicenceRefused
from tests.solvers import BACKENDS

solvers = pytest.mark.parametrize("solver", BACKENDS)
needs_gurobi = pytest.mark.skipif("gurobi" not in BACKENDS, reason="gurobipy is not installed")


@solvers
@pytest.mark.parametrize("maximise", [False, True])
def test_optimum_is_that_of_brute_force(solver, maximise):
    rng = np.random.default_rng(0)
    points = np.array(list(itertools.product(range(4), repeat=4)), float)
    cost, limit = cp.Parameter(4), cp.Parameter(3)
    matrix = rng.integers(0, 6, (3, 4))
    x = cp.Variable(4, integer=True, bounds=[0, 3])
    value = cost @ x + cp.abs(x[0] - 2) * (-1 if maximise else 1) + 7.5
    problem = cp.Problem((cp.Maximize if maximise else cp.Minimize)(value), [matrix @ x <= limit])
    for _ in range(6):  # the same problem at other values of its parameters
        cost.value, limit.value = rng.normal(size=4), rng.integers(3, 20, 3).astype(float)
        allowed = points[(points @ matrix.T <= limit.value).all(axis=1)]
        sign = -1.0 if maximise else 1.0
        costs = allowed @ cost.value + sign * np.abs(allowed[:, 0] - 2) + 7.5
        result = solve_milp(problem, solver=solver, gap=0.0)
        assert result.status == "optimal" and result.solver == solver
        assert result.objective == pytest.approx(sign * (sign * costs).min(), abs=1e-9)
        assert result.bound == pytest.approx(result.objective, abs=1e-9)
        found = result.values[x]
        assert (matrix @ found <= limit.value).all()
        np.testing.assert_array_equal(found, np.rint(found))
    assert x.value is None  # the problem itself is left alone


@solvers
@pytest.mark.parametrize(
    ("constraints", "status"),
    [
        (lambda x, y: [], MilpStatus.UNBOUNDED),
        (lambda x, y: [x + y <= 2.5], MilpStatus.UNBOUNDED),
        (lambda x, y: [x >= 0.2, x <= 0.8], MilpStatus.INFEASIBLE),
        (lambda x, y: [x >= -1.5, y >= -1.5], MilpStatus.OPTIMAL),
    ],
    ids=["free", "ray", "no whole number", "bounded"],
)
def test_infeasible_and_unbounded_are_told_apart(solver, constraints, status):
    x, y = cp.Variable(integer=True), cp.Variable(2)
    problem = cp.Problem(cp.Minimize(x + cp.sum(y)), constraints(x, y))
    result = solve_milp(problem, solver=solver)
    assert result.status is status
    if status is MilpStatus.OPTIMAL:
        assert result.objective == pytest.approx(-4.0)
    else:
        assert (result.objective, result.bound, result.gap, result.values) == (None, None, None, {})


@solvers
def test_a_ray_without_a_whole_point_is_infeasible(solver):
    x, y = cp.Variable(integer=True), cp.Variable(integer=True)
    z = cp.Variable()
    problem = cp.Problem(cp.Minimize(z), [2 * x - 2 * y == 1, x >= 0, x <= 3, y >= 0])
    assert solve_milp(problem, solver=solver).status is MilpStatus.INFEASIBLE


@solvers
def test_linear_and_quadratic_programs_have_their_closed_forms(solver):
    y = cp.Variable(3, nonneg=True)
    linear = cp.Problem(cp.Maximize(3 - cp.max(y)), [cp.sum(y) == 2])
    assert solve_milp(linear, solver=solver).objective == pytest.approx(3 - 2 / 3)
    target = np.array([2.0, -1.0, 0.5])
    quadratic = cp.Problem(cp.Minimize(cp.sum_squares(y - target) + 4), [cp.sum(y) <= 1.5])
    result = solve_milp(quadratic, solver=solver)
    # Projection on {y >= 0, sum = 1.5}: shift by 1/2, the second coordinate at its bound.
    np.testing.assert_allclose(result.values[y], [1.5, 0.0, 0.0], atol=1e-4)
    assert result.objective == pytest.approx(4 + 0.25 + 1 + 0.25, abs=1e-6)


@needs_gurobi
def test_quadratic_objective_with_whole_variables_needs_gurobi():
    x = cp.Variable(2, integer=True)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(x - np.array([1.4, 2.6]))), [cp.sum(x) == 5])
    result = solve_milp(problem, solver="gurobi")
    np.testing.assert_array_equal(result.values[x], [2, 3])
    with pytest.raises(InputError, match="whole variables"):
        solve_milp(problem, solver="highs")


def knapsack(items: int = 60) -> tuple[cp.Problem, cp.Variable]:
    rng = np.random.default_rng(1)
    weights, x = rng.integers(1000, 9999, (5, items)), cp.Variable(items, boolean=True)
    values = weights.sum(axis=0) + rng.integers(0, 500, items)
    room = [weights @ x <= weights.sum(axis=1) // 3]
    return cp.Problem(cp.Maximize(values @ x), room), x


@solvers
def test_a_time_limit_leaves_a_bound_and_the_start(solver):
    problem, x = knapsack()
    begin = np.zeros(60)
    begin[:3] = 1.0
    value = float(problem.objective.expr.args[0].value @ begin)
    result = solve_milp(problem, solver=solver, time_limit_s=0.05, gap=0.0, start={x: begin})
    assert result.status in ("feasible", "optimal")
    assert value <= result.objective <= result.bound * (1 + 1e-9)
    assert result.gap == pytest.approx((result.bound - result.objective) / result.objective)


@solvers
def test_a_loose_gap_is_kept(solver):
    problem, x = knapsack()
    result = solve_milp(problem, solver=solver, gap=0.05)
    assert result.status == "optimal" and 0.0 <= result.gap <= 0.05
    assert set(np.unique(result.values[x])) <= {0.0, 1.0}


@solvers
def test_starts_are_completed_refused_or_in_part(solver):
    x, y = cp.Variable((2, 2), integer=True), cp.Variable(nonneg=True)
    problem = cp.Problem(cp.Minimize(cp.sum(x) + y), [x >= 0, x <= 4, x[0] + x[1] + y >= 2.5])
    best = solve_milp(problem, solver=solver).objective
    part = np.array([[1.0, np.nan], [np.nan, 2.0]])
    for begin in (np.ones((2, 2)), part, np.full((2, 2), np.nan)):
        result = solve_milp(problem, solver=solver, start={x: begin})
        assert (result.status, result.notes) == ("optimal", ())
        assert result.objective == pytest.approx(best)
    for begin in (np.full((2, 2), 9.0), np.full((2, 2), 0.5)):
        result = solve_milp(problem, solver=solver, start={x: begin})
        assert result.objective == pytest.approx(best)
        assert len(result.notes) == 1 and "start is not used" in result.notes[0]
    crossed = cp.Problem(problem.objective, [*problem.constraints, cp.sum(x) >= 9])
    result = solve_milp(crossed, solver=solver, start={x: np.ones((2, 2))})
    assert "breaks a constraint" in result.notes[0] and result.status == "optimal"


@solvers
def test_conflict_is_irreducible_by_brute_force(solver):
    rng = np.random.default_rng(2)
    points = np.array(list(itertools.product(range(-6, 7), repeat=2)), float)
    seen = 0
    for _ in range(12):
        rows, limit = rng.integers(-3, 4, (5, 2)), rng.integers(-5, 2, 5)
        x = cp.Variable(2, integer=True, bounds=[-1, 2])
        members = [rows[i] @ x <= limit[i] for i in range(5)]
        box = [x >= -6, x <= 6]  # in no group: always holds, and makes brute force possible
        groups = {f"row {i}": [members[i]] for i in range(5)}
        problem = cp.Problem(cp.Minimize(cp.sum(x)), [*members, *box])

        holds = {f"row {i}": points @ rows[i] <= limit[i] for i in range(5)}
        holds[BOUNDS] = ((points >= -1) & (points <= 2)).all(axis=1)

        def feasible(names, holds=holds):
            return np.logical_and.reduce(
                [np.ones(len(points), bool), *(holds[n] for n in names)]
            ).any()

        result = solve_milp(problem, solver=solver, groups=groups)
        assert (result.status == "infeasible") == (not feasible(holds))
        if result.status == "infeasible":
            seen += 1
            assert not feasible(result.conflict)
            for name in result.conflict:
                assert feasible([other for other in result.conflict if other != name])
    assert seen >= 4


def test_constraints_are_named_by_label_or_place():
    x = cp.Variable(integer=True)
    labelled = x >= 3
    labelled.set_label("floor")
    problem = cp.Problem(cp.Minimize(x), [labelled, x >= 0, x <= 2])
    assert solve_milp(problem, solver="highs").conflict == ("floor", "constraint 2")
    result = solve_milp(problem, solver="highs", groups={"sign": [problem.constraints[1]]})
    assert result.conflict == () and "outside the groups" in result.notes[0]


def test_auto_falls_back_once_warned_and_says_so(monkeypatch):
    def refuse(*args, **kwargs):
        raise LicenceRefused("too large (error 10010)")

    monkeypatch.setitem(matrix_milp._BACKENDS, "gurobi", refuse)
    matrix_milp._warn_once.cache_clear()
    x = cp.Variable(integer=True)
    problem = cp.Problem(cp.Minimize(x), [x >= 1.5])
    with pytest.warns(UserWarning, match="HiGHS instead of Gurobi"):
        result = solve_milp(problem)
    assert (result.solver, result.status, result.objective) == ("highs", "optimal", 2.0)
    assert "10010" in result.notes[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert solve_milp(problem).solver == "highs"
    refused = solve_milp(problem, solver="gurobi")
    assert refused.status is MilpStatus.LICENCE_REFUSED and "10010" in refused.notes[0]


def test_a_missing_gurobipy_is_a_refusal(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gurobipy", None)
    x = cp.Variable(integer=True)
    result = solve_milp(cp.Problem(cp.Minimize(x), [x >= 1.5]), solver="gurobi")
    assert result.status == "licence_refused" and "not installed" in result.notes[0]


def test_an_interrupt_stops_highs_and_is_not_swallowed():
    class Solver:
        HandleUserInterrupt = False
        cancelled = False

        def startSolve(self):  # noqa: N802
            pass

        def cancelSolve(self):  # noqa: N802
            self.cancelled = True

        def wait(self, timeout):
            if not self.cancelled:
                raise KeyboardInterrupt
            return True, None

    solver = Solver()
    with pytest.raises(KeyboardInterrupt):
        highs._run(solver)
    assert solver.cancelled and solver.HandleUserInterrupt


X = cp.Variable(2, integer=True, name="x")
PROBLEM = cp.Problem(cp.Minimize(cp.sum(X)), [X >= 0.5])
UNSET = cp.Parameter(name="p")


@pytest.mark.parametrize(
    ("problem", "arguments"),
    [
        (PROBLEM, {"solver": "cplex"}),
        (PROBLEM, {"gap": -0.1}),
        (PROBLEM, {"time_limit_s": 0.0}),
        (PROBLEM, {"threads": 0}),
        (PROBLEM, {"start": {X: np.ones(3)}}),
        (PROBLEM, {"start": {X: [np.inf, 0.0]}}),
        (PROBLEM, {"start": {cp.Variable(): 0.0}}),
        (PROBLEM, {"groups": {"a": [X <= 1]}}),
        (PROBLEM, {"groups": {BOUNDS: []}}),
        (cp.Problem(cp.Minimize(cp.sum(X)), [cp.norm(X) <= 1]), {}),
        (cp.Problem(cp.Maximize(cp.sum_squares(X))), {}),
        (cp.Problem(cp.Minimize(cp.sum(X)), [UNSET <= X]), {}),
    ],
)
def test_bad_input_is_refused_in_one_line(problem, arguments):
    with pytest.raises(InputError) as error:
        solve_milp(problem, **{"solver": "highs", **arguments})
    assert "\n" not in str(error.value)
