"""A cvxpy problem as the matrices of a mixed-integer linear or quadratic program."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np
import scipy.sparse as sp
from cvxpy.error import DCPError, SolverError

from lpo.errors import InputError
from lpo.optim.matrix_program import MatrixProgram


class Compiled(NamedTuple):
    """program: what the solver minimises. columns: index into x of each entry of each variable.

    sign: -1 where the problem maximises, whose objective is minus the program's.
    """

    program: MatrixProgram
    columns: dict[cp.Variable, np.ndarray]
    sign: float


def compile_problem(problem: cp.Problem) -> Compiled:
    """Return the matrices of `problem` at the present values of its parameters.

    cvxpy canonicalises (absolute values, maxima and norms become rows and columns). It keeps the
    result in the problem when that is DPP: later calls, with other values, multiply one matrix.
    Raises InputError on a parameter without a value, a problem that is not convex, one that is not
    linear up to a quadratic objective, and a variable with an index pattern (symmetric, diagonal).
    """
    unset = [parameter.name() for parameter in problem.parameters() if parameter.value is None]
    if unset:
        raise InputError(f"Parameters of the problem have no value: {', '.join(unset)}.")
    linear = bool(problem.objective.expr.is_pwl())
    quadratic_mixed = not linear and problem.is_mixed_integer()
    try:
        # Of the forms, only Gurobi's has a quadratic objective beside whole variables.
        solver = cp.GUROBI if quadratic_mixed else cp.HIGHS
        data, _, inverse = problem.get_problem_data(solver)
    except DCPError:
        raise InputError("The problem is not convex by cvxpy's rules (DCP).") from None
    except SolverError:
        if quadratic_mixed and cp.GUROBI not in cp.installed_solvers():
            raise InputError(
                "A quadratic objective with whole variables needs Gurobi, which is not installed."
            ) from None
        raise InputError(
            "The problem must be linear, or have a quadratic objective and linear constraints."
        ) from None
    stuffed = next(
        each for each in reversed(inverse) if getattr(each, "var_offsets", None) is not None
    )
    columns = {}
    for variable in problem.variables():
        if variable.size == 0:
            columns[variable] = np.zeros(variable.shape, np.int64)
            continue
        if variable.id not in stuffed.var_offsets:
            raise InputError(
                f"The variable {variable.name()} has an attribute that is an index pattern; state "
                "it as a constraint."
            )
        index = stuffed.var_offsets[variable.id] + np.arange(variable.size)
        columns[variable] = index.reshape(variable.shape, order="F")
    offset = float(inverse[-1]["offset"])
    sign = -1.0 if isinstance(problem.objective, cp.Maximize) else 1.0
    return Compiled(_matrices(data, offset), columns, sign)


def _matrices(data: Mapping[str, Any], offset: float) -> MatrixProgram:
    # The form for cones is A x + s = b, equations first; the one for QPs has two pairs of them.
    quadratic = data.get("P")
    cost = np.asarray(data["c"] if quadratic is None else data["q"], np.float64)
    if "F" in data:
        matrix = sp.vstack([data["A"], data["F"]], format="csr")
        upper_rows = np.concatenate([data["b"], data["G"]])
        equations = len(data["b"])
    else:
        matrix, upper_rows = sp.csr_matrix(data["A"]), np.asarray(data["b"], np.float64)
        equations = data["dims"].zero
    lower_rows = np.where(np.arange(len(upper_rows)) < equations, upper_rows, -np.inf)
    n = len(cost)
    lower, upper = (
        np.full(n, default) if data.get(key) is None else np.array(data[key], np.float64)
        for key, default in (("lower_bounds", -np.inf), ("upper_bounds", np.inf))
    )
    integer, binary = np.zeros(n, bool), np.zeros(n, bool)
    integer[list(data.get("int_vars_idx", []))] = True
    binary[list(data.get("bool_vars_idx", []))] = True
    lower[binary], upper[binary] = np.maximum(lower[binary], 0.0), np.minimum(upper[binary], 1.0)
    return MatrixProgram(
        cost,
        offset,
        None if quadratic is None else sp.csc_matrix(quadratic),
        matrix,
        lower_rows,
        upper_rows,
        lower,
        upper,
        integer | binary,
        binary,
    )
