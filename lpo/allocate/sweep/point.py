"""One point of a sensitivity analysis: its plan, and its row of the table."""

import warnings
from collections.abc import Mapping
from time import perf_counter
from typing import NamedTuple

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance, InstanceData
from lpo.allocate.instances.scaling import scaled
from lpo.allocate.model.exact import AllocationInterrupted, Solved, solve_program, solved_from
from lpo.allocate.model.program import Program, build
from lpo.allocate.narrowing import can_narrow, narrow
from lpo.allocate.options import Options
from lpo.allocate.sweep.analyses import Analysis
from lpo.allocate.sweep.blame import conflicting_limits
from lpo.allocate.sweep.columns import row_of_plan
from lpo.allocate.uncertainty import Uncertainty
from lpo.optim.matrix_milp import result_of, solve_matrix
from lpo.optim.outcome import Interrupted, MilpStatus


class Point(NamedTuple):
    """A solved point of the grid.

    a, b: values of the two scales. solved: the plan, and how good it is. row: the columns that
    describe it. reason: why there is no plan, "" with one.
    """

    a: float
    b: float
    solved: Solved
    row: Mapping[str, float]
    reason: str


class Settings(NamedTuple):
    """What every point is solved with, the program among it, built once."""

    program: Program
    instance: Instance
    analysis: Analysis
    solver: str
    time_limit_s: float | None
    gap: float


class Task(NamedTuple):
    """A point to solve, from a plan; explain: name the limits that leave no plan."""

    a: float
    b: float
    start: Allocation | None
    explain: bool


def settings(
    instance: Instance,
    analysis: Analysis,
    options: Options,
    uncertainty: Uncertainty | None,
    *,
    solver: str,
    time_limit_s: float | None,
    gap: float,
) -> Settings:
    """Build the program of an analysis, with what fits into the largest memory of its grid."""
    axes = (analysis.a, analysis.b)
    largest = {axis.scale: max(axis.values) for axis in axes if axis.scale == "memory"}
    program = build(scaled(instance, **largest), options, uncertainty)
    return Settings(program, instance, analysis, solver, time_limit_s, gap)


def solve_point(given: Settings, task: Task) -> Point:
    """Solve one point with one thread."""
    analysis, program = given.analysis, given.program
    at = scaled(given.instance, **{analysis.a.scale: task.a, analysis.b.scale: task.b})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "HiGHS instead of Gurobi")  # the notes say so
        solved = (_narrowed if _has_one_place(program) else _plain)(given, at.data, task)
    row = row_of_plan(at, solved.allocation, program.options, program.uncertainty, analysis.extra)
    return Point(task.a, task.b, solved, row, _reason(solved))


def _has_one_place(program: Program) -> bool:
    """Whether both `narrow` and `conflicting_limits` can take the program."""
    return can_narrow(program) and not np.isfinite(program.instance.data.tier_limit).any()


def _plain(given: Settings, data: InstanceData, task: Task) -> Solved:
    return solve_program(
        given.program,
        data,
        solver=given.solver,
        time_limit_s=given.time_limit_s,
        gap=given.gap,
        start=task.start,
        threads=1,
        explain=task.explain,
    )


def _narrowed(given: Settings, data: InstanceData, task: Task) -> Solved:
    """The same, with the columns that no cheaper plan can use left out."""
    program, limit, clock = given.program, given.time_limit_s, perf_counter()
    known = None if task.start is None else program.point(task.start, data)
    matrix, known, _ = narrow(program, program.matrix(data), data, known)
    if limit is not None:
        limit = max(limit - (perf_counter() - clock), 1e-3)
    try:
        result = solve_matrix(
            matrix, solver=given.solver, time_limit_s=limit, gap=given.gap, start=known, threads=1
        )
    except Interrupted as stopped:
        found = result_of(stopped.outcome, stopped.solver, perf_counter() - clock)
        raise AllocationInterrupted(solved_from(program, found)) from None
    result = result._replace(seconds=perf_counter() - clock)
    if task.explain and result.status is MilpStatus.INFEASIBLE:
        conflict = conflicting_limits(program, data, time_limit_s=given.time_limit_s)
        result = result._replace(conflict=conflict)
    return solved_from(program, result)


def _reason(solved: Solved) -> str:
    if solved.allocation is not None:
        return ""
    if solved.conflict:
        return f"cannot hold together on these GPUs: {', '.join(solved.conflict)}"
    return "; ".join((str(solved.status).replace("_", " "), *solved.notes))
