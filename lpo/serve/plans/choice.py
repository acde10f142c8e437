"""Which of several optimal steady states is taken. docs/serve.md, "Which optimum"."""

from collections.abc import Iterable, Mapping

import cvxpy as cp
import numpy as np

from lpo.optim.compiled import compile_problem
from lpo.optim.linear import LinearResult, solve_linear
from lpo.optim.matrix_program import MatrixProgram

_ZERO = 1e-9  # a dual below it is none; HiGHS computes them to this


def lexicographic_optimum(
    problem: cp.Problem, criteria: Iterable[Mapping[cp.Variable, np.ndarray]]
) -> dict[cp.Variable, np.ndarray]:
    """Return values of the variables that are optimal and, among those, least in each criterion.

    criteria: coefficients of the variables, the first counts before the second. Exact: after each
    solve the rows and bounds with a dual are held, which leaves its optimal points and no others
    (complementary slackness). The linear problem must have an optimum.
    """
    compiled = compile_problem(problem)
    program = compiled.program
    found = _solved(program)
    for coefficients in criteria:
        cost = np.zeros_like(program.cost)
        for variable, values in coefficients.items():
            cost[compiled.columns[variable]] = values
        program = _face(program, found)._replace(cost=cost)
        found = _solved(program)
    assert found.x is not None
    return {variable: found.x[columns] for variable, columns in compiled.columns.items()}


def _solved(program: MatrixProgram) -> LinearResult:
    found = solve_linear(program)
    if found.x is None:
        raise RuntimeError(f"HiGHS ended with {found.status} on a program with an optimum.")
    return found


def _face(program: MatrixProgram, found: LinearResult) -> MatrixProgram:
    """The program with every row and bound that has a dual held at its end."""
    assert found.row_dual is not None and found.column_dual is not None
    at_upper, at_lower = found.row_dual < -_ZERO, found.row_dual > _ZERO
    from_above, from_below = found.column_dual < -_ZERO, found.column_dual > _ZERO
    return program._replace(
        row_lower=np.where(at_upper, program.row_upper, program.row_lower),
        row_upper=np.where(at_lower, program.row_lower, program.row_upper),
        lower=np.where(from_above, program.upper, program.lower),
        upper=np.where(from_below, program.lower, program.upper),
    )
