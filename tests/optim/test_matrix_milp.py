"""Programs given as matrices: brute force, rows with two ends, fixed columns, starts, conflicts."""

import itertools
import os
import signal
import threading

import numpy as np
import pytest
import scipy.sparse as sp

from lpo.optim.matrix_milp import solve_matrix
from lpo.optim.matrix_program import (
    MatrixProgram,
    drop_fixed,
    feasible_point,
    without_rows,
)
from lpo.optim.outcome import Interrupted
from tests.solvers import BACKENDS

solvers = pytest.mark.parametrize("solver", BACKENDS)


def program(cost, matrix, row_lower, row_upper, lower, upper, integer=True) -> MatrixProgram:
    n = len(cost)
    return MatrixProgram(
        np.asarray(cost, float),
        0.0,
        None,
        sp.csr_matrix(np.asarray(matrix, float)),
        np.asarray(row_lower, float),
        np.asarray(row_upper, float),
        np.full(n, lower, float) if np.ndim(lower) == 0 else np.asarray(lower, float),
        np.full(n, upper, float) if np.ndim(upper) == 0 else np.asarray(upper, float),
        np.full(n, integer),
        np.zeros(n, bool),
    )


def best(given: MatrixProgram) -> float:
    """The optimum by trying every whole point."""
    ranges = [range(int(a), int(b) + 1) for a, b in zip(given.lower, given.upper, strict=True)]
    points = np.array(list(itertools.product(*ranges)), float)
    left = points @ given.matrix.toarray().T
    allowed = ((left >= given.row_lower - 1e-9) & (left <= given.row_upper + 1e-9)).all(axis=1)
    return float((points[allowed] @ given.cost).min()) if allowed.any() else np.inf


@solvers
def test_rows_with_one_end_either_way_or_two(solver):
    rng = np.random.default_rng(1)
    for _ in range(12):
        matrix = rng.integers(-4, 6, (4, 4))
        low = np.array([-np.inf, -2.0, 3.0, -3.0])
        high = np.array([7.0, np.inf, 3.0, 6.0])
        given = program(rng.normal(size=4), matrix, low, high, 0, 3)
        result = solve_matrix(given, solver=solver, gap=0.0)
        expected = best(given)
        if np.isinf(expected):
            assert result.status == "infeasible" and result.x is None
        else:
            assert result.objective == pytest.approx(expected, abs=1e-8)
            assert result.bound == pytest.approx(expected, abs=1e-8)


@solvers
def test_fixed_columns_come_back_and_do_not_count(solver):
    rng = np.random.default_rng(2)
    lower, upper = np.array([0, 2, 0, 1, 0]), np.array([3, 2, 3, 1, 3])
    given = program(
        rng.normal(size=5), rng.integers(0, 5, (3, 5)), [-np.inf] * 3, [20, 25, 30], lower, upper
    )
    result = solve_matrix(given, solver=solver, gap=0.0)
    assert result.size[0] == 3
    assert result.objective == pytest.approx(best(given), abs=1e-8)
    assert result.x is not None
    np.testing.assert_array_equal(result.x[[1, 3]], [2, 1])
    assert given.cost @ result.x == pytest.approx(result.objective)


def test_a_row_of_fixed_columns_that_is_broken_stays():
    given = program([1.0, 1.0], [[1, 0], [0, 1]], [-np.inf, 0], [1.0, 5], [2, 0], [2, 5])
    smaller, kept, values = drop_fixed(given)
    assert smaller.matrix.shape == (2, 1) and kept.tolist() == [False, True] and values[0] == 2
    assert solve_matrix(given, solver="highs").status == "infeasible"


@solvers
@pytest.mark.parametrize(
    ("row", "status"), [((-np.inf, 9.0), "optimal"), ((-np.inf, 7.0), "infeasible")]
)
def test_a_program_without_free_columns_is_decided_by_its_rows(solver, row, status):
    given = program([2.0, 1.0], [[1, 1]], [row[0]], [row[1]], [7, 1], [7, 1])
    result = solve_matrix(given, solver=solver)
    assert result.status == status
    if status == "optimal":
        assert result.objective == result.bound == 15.0
        assert result.x is not None and result.x.tolist() == [7.0, 1.0]


@solvers
def test_whole_columns_have_whole_bounds(solver):
    none = program([1.0, 1.0], [[1, 1]], [1.0], [np.inf], [0.5, 0.0], [0.5, 3.0])
    assert solve_matrix(none, solver=solver).status == "infeasible"
    given = program([-1.0], [[1.0]], [-np.inf], [9.0], [-3.0], [-0.5])
    assert solve_matrix(given, solver=solver).objective == pytest.approx(1.0)
    absorbed = program([1.0, 0.0], [[3, 0], [1, 1]], [1, -np.inf], [np.inf, 9], -5, 5)
    assert solve_matrix(absorbed, solver=solver).objective == pytest.approx(1.0)


@solvers
def test_starts_are_used_completed_or_refused(solver):
    given = program([-3.0, -2.0, -4.0], [[2, 1, 3], [1, 3, 1]], [-np.inf] * 2, [9, 8], 0, 5)
    for start, note in (
        ([1.0, 1.0, 2.0], False),
        ([1.0, np.nan, np.nan], False),
        ([5.0, 5.0, 5.0], True),
        ([0.5, 0.0, 0.0], True),
    ):
        result = solve_matrix(given, solver=solver, gap=0.0, start=np.array(start))
        assert result.objective == pytest.approx(best(given))
        assert any("start is not used" in each for each in result.notes) == note
    assert feasible_point(given, np.array([1.0, 1.0, 2.0]))
    assert not feasible_point(given, np.array([1.0, 1.0, np.nan]))


@solvers
def test_conflict_is_irreducible(solver):
    given = program(
        [1.0, 1.0], [[1, 0], [0, 1], [1, 1], [1, -1]], [3, 3, -np.inf, -9], [9, 9, 4, 9], 0, 9
    )
    groups = {"first": np.array([0]), "second": np.array([1]), "sum": np.array([2])}
    groups["difference"] = np.array([3])
    result = solve_matrix(given, solver=solver, groups=groups)
    assert set(result.conflict) == {"first", "second", "sum"}
    for name in result.conflict:
        assert solve_matrix(without_rows(given, groups[name]), solver=solver).status == "optimal"


def test_an_interrupt_keeps_the_incumbent():
    """A knapsack with an equation that HiGHS does not finish in the time it is given here."""
    rng = np.random.default_rng(0)
    weight = rng.integers(10**4, 10**5, (5, 60)).astype(float)
    limit = weight.sum(axis=1) // 2
    given = program(-weight.mean(axis=0) - rng.random(60), weight, [-np.inf] * 5, limit, 0, 1)
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt) as stopped:
            solve_matrix(given, solver="highs", gap=0.0, threads=1)
    finally:
        timer.cancel()
    assert isinstance(stopped.value, Interrupted)
    outcome = stopped.value.outcome
    assert outcome.x is not None and feasible_point(given, outcome.x, 1e-6)
    assert outcome.bound is None or outcome.bound <= given.cost @ outcome.x + 1e-6


def test_highs_reports_every_better_point_and_begins_with_the_start():
    rng = np.random.default_rng(4)
    matrix, weight = rng.integers(1, 30, (6, 40)), rng.integers(1, 20, 40)
    given = program(-weight, matrix, np.full(6, -np.inf), matrix.sum(1) // 3, 0, 1)
    given = given._replace(offset=100.0)
    cold = solve_matrix(given, solver="highs", gap=0.0, threads=1)
    values = [each.objective for each in cold.incumbents]
    assert values == sorted(values, reverse=True) and len(values) > 1
    assert values[-1] == pytest.approx(cold.objective)
    times = [each.seconds for each in cold.incumbents]
    assert times == sorted(times) and times[0] > 0.0 and times[-1] <= cold.seconds
    assert cold.x is not None
    warm = solve_matrix(given, solver="highs", gap=0.0, threads=1, start=cold.x)
    assert warm.objective == pytest.approx(cold.objective)
    assert [each.objective for each in warm.incumbents] == pytest.approx([cold.objective])
    bad = solve_matrix(given, solver="highs", gap=0.0, threads=1, start=np.zeros(40))
    assert bad.objective == pytest.approx(cold.objective)
    assert bad.incumbents[0].objective == pytest.approx(100.0)
