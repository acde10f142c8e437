"""HiGHS as a back end of `solve_milp`, by the matrix interface of highspy."""

from time import perf_counter
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp

from lpo.errors import InputError
from lpo.optim.matrix_program import MatrixProgram
from lpo.optim.outcome import TOLERANCE, Incumbent, Interrupted, MilpStatus, Outcome


def solve(
    program: MatrixProgram,
    *,
    time_limit_s: float | None,
    gap: float,
    start: np.ndarray | None,
    threads: int | None,
) -> Outcome:
    """Solve `program`; start [n] is a MIP start, NaN where unknown, which HiGHS completes.

    Raises InputError on a quadratic objective with whole variables, which HiGHS cannot solve, and
    Interrupted, with what was found, when the user stops it.
    """
    clock = perf_counter()
    mixed = bool(program.integer.any())
    if mixed and program.quadratic is not None:
        raise InputError("HiGHS solves no quadratic objective with whole variables; use Gurobi.")
    solver = loaded(program)
    solver.setOptionValue("random_seed", 0)
    solver.setOptionValue("mip_rel_gap", gap)
    solver.setOptionValue("mip_abs_gap", 1e-10)
    for tolerance in ("mip", "primal"):
        solver.setOptionValue(f"{tolerance}_feasibility_tolerance", TOLERANCE)
    if time_limit_s is not None:
        solver.setOptionValue("time_limit", float(time_limit_s))
    # Threads belong to the process: those of an earlier solve stay unless they are let go.
    highspy.Highs.resetGlobalScheduler(True)
    if threads is not None:
        solver.setOptionValue("threads", threads)
    if start is not None and mixed:
        known = np.flatnonzero(~np.isnan(start))
        solver.setSolution(len(known), known.astype(np.int32), start[known])
    incumbents: list[Incumbent] = []
    if mixed:
        solver.cbMipImprovingSolution += lambda event: incumbents.append(
            Incumbent(perf_counter() - clock, float(event.data_out.objective_function_value))
        )
    try:
        _run(solver)
    except KeyboardInterrupt:
        found = _outcome(solver, mixed)._replace(incumbents=tuple(incumbents))
        raise Interrupted(found) from None
    return _outcome(solver, mixed)._replace(incumbents=tuple(incumbents))


def loaded(program: MatrixProgram) -> Any:
    """Return a silent HiGHS with the program in it."""
    solver = highspy.Highs()
    solver.silent()
    model = highspy.HighsModel()
    lp: Any = model.lp_
    lp.num_row_, lp.num_col_ = len(program.row_upper), len(program.cost)
    lp.offset_ = program.offset
    lp.col_cost_ = program.cost
    lp.col_lower_, lp.col_upper_ = program.lower, program.upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = program.matrix.indptr
    lp.a_matrix_.index_ = program.matrix.indices
    lp.a_matrix_.value_ = program.matrix.data
    if program.integer.any():
        whole, any_number = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
        lp.integrality_ = [whole if each else any_number for each in program.integer]
    if program.quadratic is not None:
        triangle: Any = sp.tril(program.quadratic, format="csc")
        hessian: Any = model.hessian_
        hessian.dim_ = lp.num_col_
        hessian.format_ = highspy.HessianFormat.kTriangular
        hessian.start_, hessian.index_ = triangle.indptr, triangle.indices
        hessian.value_ = triangle.data
    solver.passModel(model)
    return solver


def _run(solver: Any) -> None:
    """Run in a thread, so that an interrupt reaches this one, stops the solver and goes on."""
    solver.HandleUserInterrupt = True
    solver.startSolve()
    try:
        while not solver.wait(0.1)[0]:
            pass
    except KeyboardInterrupt:
        solver.cancelSolve()
        while not solver.wait(0.1)[0]:
            pass
        raise


def _outcome(solver: Any, mixed: bool) -> Outcome:
    kind = highspy.HighsModelStatus
    status, info = solver.getModelStatus(), solver.getInfo()
    nodes = max(int(info.mip_node_count), 0) if mixed else 0
    if status == kind.kInfeasible:
        return Outcome(MilpStatus.INFEASIBLE, None, None, None, nodes)
    if status in (kind.kUnbounded, kind.kUnboundedOrInfeasible):
        return Outcome(None, None, None, None, nodes)
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    values = np.array(solver.getSolution().col_value) if found else None
    value = float(info.objective_function_value) if found else None
    bound = float(info.mip_dual_bound) if mixed else value if status == kind.kOptimal else None
    if bound is not None and not np.isfinite(bound):
        bound = None
    if status in (kind.kOptimal, kind.kModelEmpty):
        return Outcome(MilpStatus.OPTIMAL, values, value, bound, nodes)
    if mixed and found:
        return Outcome(MilpStatus.FEASIBLE, values, value, bound, nodes)
    if status in (kind.kTimeLimit, kind.kInterrupt):
        return Outcome(MilpStatus.TIME_LIMIT, None, None, bound, nodes)
    note = f"HiGHS stopped with {solver.modelStatusToString(status)}"
    return Outcome(MilpStatus.ERROR, None, None, bound, nodes, note)
