"""Linear programs of matrices with their duals, by HiGHS."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import highspy
import numpy as np

from lpo.errors import InputError
from lpo.optim.highs import loaded as loaded
from lpo.optim.matrix_program import MatrixProgram, feasibility, rows_hold_at_zero
from lpo.optim.outcome import TOLERANCE, MilpStatus


class LinearResult(NamedTuple):
    """Solution of a linear program with n columns and m rows; all None unless optimal.

    status: optimal, infeasible, unbounded, time_limit or error. x: [n]. objective: offset included.
    row_dual [m], column_dual [n]: what the objective rises by for a unit that the active end of the
    row, or the active bound of the column, moves up: negative where an upper end holds (a higher
    one makes a minimum lower), positive where a lower one does, 0 where neither. note: what went
    wrong.
    """

    status: MilpStatus
    x: np.ndarray | None = None
    objective: float | None = None
    row_dual: np.ndarray | None = None
    column_dual: np.ndarray | None = None
    note: str = ""


def solve_linear(program: MatrixProgram, *, time_limit_s: float | None = None) -> LinearResult:
    r"""Minimise a program without whole columns; return a basic solution and its duals.

    With row duals y, column duals d, cost c and matrix A, at the optimum

    $$ d = c - A'y, \qquad c'x = \sum_r y_r b_r + \sum_j d_j l_j , $$

    b_r the end of row r that holds, l_j the bound of column j that holds: strong duality (Dantzig
    and Thapa, "Linear programming 2", 2003, chapter 2). y is the derivative of the optimum in b
    where there is one; at a degenerate vertex y is one of several, and the one-sided derivatives of
    the optimum in b_r are the least and the largest y_r among them.

    Raises InputError on whole columns, a quadratic objective and a time limit that is not positive.
    """
    solver = _prepared(program, time_limit_s)
    return _solved(solver, program, time_limit_s)


def solve_each(
    program: MatrixProgram, row_ends: Iterable[tuple[np.ndarray, np.ndarray]]
) -> Iterator[LinearResult]:
    """Yield the solution of `program` with other ends of its rows, lower [m] and upper [m] each.

    Every solve begins at the basis of the one before, which stays dual feasible: a few steps of the
    dual simplex method where the ends differ little. Raises InputError as `solve_linear`.
    """
    solver = _prepared(program, None)
    rows = np.arange(len(program.row_upper), dtype=np.int32)
    for lower, upper in row_ends:
        solver.changeRowsBounds(len(rows), rows, lower, upper)
        yield _solved(solver, program._replace(row_lower=lower, row_upper=upper), None)


def _prepared(program: MatrixProgram, time_limit_s: float | None) -> Any:
    if program.integer.any():
        raise InputError("A linear program has no whole columns; fix them first.")
    if program.quadratic is not None:
        raise InputError("A linear program has no quadratic objective.")
    if time_limit_s is not None and not time_limit_s > 0:
        raise InputError(f"`time_limit_s` must be positive or None, got {time_limit_s}.")
    solver = loaded(program)
    for tolerance in ("primal", "dual"):
        solver.setOptionValue(f"{tolerance}_feasibility_tolerance", TOLERANCE)
    if time_limit_s is not None:
        solver.setOptionValue("time_limit", float(time_limit_s))
    highspy.Highs.resetGlobalScheduler(True)
    return solver


def _solved(solver: Any, program: MatrixProgram, time_limit_s: float | None) -> LinearResult:
    kind = highspy.HighsModelStatus
    if not len(program.cost) and not rows_hold_at_zero(program):
        return LinearResult(MilpStatus.INFEASIBLE)  # HiGHS calls it empty, whatever its rows
    solver.run()
    status = solver.getModelStatus()
    if status in (kind.kOptimal, kind.kModelEmpty):
        solution = solver.getSolution()
        return LinearResult(
            MilpStatus.OPTIMAL,
            np.array(solution.col_value),
            float(solver.getInfo().objective_function_value),
            np.array(solution.row_dual),
            np.array(solution.col_dual),
        )
    if status == kind.kUnboundedOrInfeasible:
        # without its objective the program is one of the two no more
        found = solve_linear(feasibility(program), time_limit_s=time_limit_s)
        optimal = found.status is MilpStatus.OPTIMAL
        return found if not optimal else LinearResult(MilpStatus.UNBOUNDED)
    known = {
        kind.kInfeasible: MilpStatus.INFEASIBLE,
        kind.kUnbounded: MilpStatus.UNBOUNDED,
        kind.kTimeLimit: MilpStatus.TIME_LIMIT,
    }
    if status in known:
        return LinearResult(known[status])
    note = f"HiGHS stopped with {solver.modelStatusToString(status)}"
    return LinearResult(MilpStatus.ERROR, note=note)
