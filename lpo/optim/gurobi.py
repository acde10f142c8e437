"""Gurobi as a back end of `solve_milp`, by its matrix interface."""

from typing import Any

import numpy as np

from lpo.optim.matrix_program import MatrixProgram
from lpo.optim.outcome import TOLERANCE, Interrupted, LicenceRefused, MilpStatus, Outcome

# Error codes: no licence found; problem beyond a size-limited licence.
_REFUSALS = {10009, 10010}


def solve(
    program: MatrixProgram,
    *,
    time_limit_s: float | None,
    gap: float,
    start: np.ndarray | None,
    threads: int | None,
) -> Outcome:
    """Solve `program`; start [n] is a MIP start, NaN where unknown, which Gurobi completes.

    Raises LicenceRefused when gurobipy is missing or its licence refuses, Interrupted, with
    what was found, when the user stops it.
    """
    try:
        import gurobipy as gp
    except ImportError:
        raise LicenceRefused("gurobipy is not installed") from None
    try:
        with gp.Env(empty=True) as environment:
            environment.setParam("OutputFlag", 0)
            environment.start()
            with gp.Model(env=environment) as model:
                return _solve(gp, model, program, time_limit_s, gap, start, threads)
    except gp.GurobiError as error:
        if error.errno in _REFUSALS:
            raise LicenceRefused(f"{error} (error {error.errno})") from None
        note = f"Gurobi: {error} (error {error.errno})"
        return Outcome(MilpStatus.ERROR, None, None, None, 0, note)


def _solve(
    gp: Any,
    model: Any,
    program: MatrixProgram,
    time_limit_s: float | None,
    gap: float,
    start: np.ndarray | None,
    threads: int | None,
) -> Outcome:
    parameters = model.Params
    parameters.Seed = 0
    parameters.MIPGap, parameters.MIPGapAbs = gap, 1e-10
    parameters.IntFeasTol = parameters.FeasibilityTol = TOLERANCE
    if time_limit_s is not None:
        parameters.TimeLimit = time_limit_s
    if threads is not None:
        parameters.Threads = threads
    kinds = np.where(program.integer, gp.GRB.INTEGER, gp.GRB.CONTINUOUS)
    x = model.addMVar(len(kinds), lb=program.lower, ub=program.upper, vtype=kinds)
    objective = program.cost @ x + program.offset
    if program.quadratic is not None:
        objective += x @ (0.5 * program.quadratic) @ x
    model.setObjective(objective)
    equal = program.row_lower == program.row_upper
    below, above = np.isfinite(program.row_upper), np.isfinite(program.row_lower) & ~equal
    for rows, senses, right in (  # a row with two ends is two rows
        (below, np.where(equal, gp.GRB.EQUAL, gp.GRB.LESS_EQUAL), program.row_upper),
        (above, np.full(len(equal), gp.GRB.GREATER_EQUAL), program.row_lower),
    ):
        if rows.any():
            model.addMConstr(program.matrix[np.flatnonzero(rows)], x, senses[rows], right[rows])
    if start is not None:
        x.Start = np.where(np.isnan(start), gp.GRB.UNDEFINED, start)
    model.optimize()

    status, mixed = model.Status, bool(model.IsMIP)
    found = model.SolCount > 0
    values = np.asarray(x.X) if found else None
    value = float(model.ObjVal) if found else None
    bound = float(model.ObjBound) if mixed else value if status == gp.GRB.OPTIMAL else None
    if bound is not None and abs(bound) >= gp.GRB.INFINITY:
        bound = None
    nodes = int(model.NodeCount)
    if status == gp.GRB.INTERRUPTED:
        kind = MilpStatus.FEASIBLE if found else MilpStatus.TIME_LIMIT
        raise Interrupted(Outcome(kind, values, value, bound, nodes))
    if status in (gp.GRB.INFEASIBLE,):
        return Outcome(MilpStatus.INFEASIBLE, None, None, None, nodes)
    if status in (gp.GRB.INF_OR_UNBD, gp.GRB.UNBOUNDED):
        return Outcome(None, None, None, None, nodes)  # of UNBOUNDED only a ray is certain
    if status == gp.GRB.OPTIMAL:
        return Outcome(MilpStatus.OPTIMAL, values, value, bound, nodes)
    if mixed and found:
        return Outcome(MilpStatus.FEASIBLE, values, value, bound, nodes)
    if status == gp.GRB.TIME_LIMIT:
        return Outcome(MilpStatus.TIME_LIMIT, None, None, bound, nodes)
    return Outcome(MilpStatus.ERROR, None, None, bound, nodes, f"Gurobi stopped with {status}")
