"""Mixed-integer programs stated in cvxpy, solved by Gurobi or HiGHS. docs/milp.md."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np

from lpo.errors import InputError
from lpo.optim.compiled import Compiled, compile_problem
from lpo.optim.conflict import BOUNDS, constraint_groups, irreducible
from lpo.optim.matrix_milp import MatrixResult, check_settings, conflict_notes, solve_matrix
from lpo.optim.matrix_program import MatrixProgram, absorb, feasibility
from lpo.optim.outcome import MilpStatus, Outcome


class MilpResult(NamedTuple):
    """Solution of a mixed-integer program and how it ended.

    status: equal to its word, such as "optimal". objective: of `values`, None without them. bound:
    no solution is better than this (below it when minimising, above it when maximising), None when
    unknown. gap: |objective - bound| / |objective|, None without both. solver: which one ran,
    "gurobi" or "highs". seconds: of the solver. nodes: of branch and bound. values: the variables'
    arrays, whole numbers exactly whole; empty without a point. conflict: groups of constraints that
    cannot hold together and can without any one of them; empty unless infeasible. notes: what
    else there is to know (a fall-back, a start that was refused).
    """

    status: MilpStatus
    objective: float | None
    bound: float | None
    gap: float | None
    solver: str
    seconds: float
    nodes: int
    values: dict[cp.Variable, np.ndarray]
    conflict: tuple[str, ...]
    notes: tuple[str, ...]


def solve_milp(
    problem: cp.Problem,
    *,
    solver: str = "auto",
    time_limit_s: float | None = None,
    gap: float = 1e-4,
    start: Mapping[cp.Variable, Any] | None = None,
    groups: Mapping[str, Sequence[cp.Constraint]] | None = None,
    threads: int | None = None,
) -> MilpResult:
    """Solve a mixed-integer linear program, or one with a quadratic objective.

    The problem is left as it was: values are returned, not written into variables. The parameters
    have their present values; solving again with others is cheap when the problem is DPP.

    **Arguments:**

    - `solver`: "gurobi", "highs" or "auto": Gurobi, and HiGHS where Gurobi is not installed or its
      licence does not take the problem, which is warned of once and noted in the result. Quadratic
      objectives with whole variables need Gurobi.
    - `time_limit_s`: of the search, None for none; the search for a conflict gets as much for each
      group.
    - `gap`: relative distance of objective and bound at which a point counts as optimal.
    - `start`: values of some variables to begin from, NaN where unknown. Its whole variables count,
      the others are completed at their best, which takes part of the time limit. One that breaks a
      constraint is noted and not used.
    - `groups`: constraints by name, for the report on an infeasible problem; None: every
      constraint by its label or number. Constraints in no group always hold. The bounds of
      variables are the group "variable bounds".
    - `threads`: None for the solver's choice. Same threads, same solver: same result, unless a
      time limit strikes.

    **Raises:** InputError on arguments outside these ranges, a solver that cannot take this kind of
    problem, and a problem that is not linear or convex quadratic.
    """
    check_settings(solver, time_limit_s, gap, threads)
    named = constraint_groups(problem, groups)
    compiled = compile_problem(problem)
    result = solve_matrix(
        compiled.program,
        solver=solver,
        time_limit_s=time_limit_s,
        gap=gap,
        start=None if start is None else _known(compiled, start),
        conflict=partial(_conflict, problem, named),
        threads=threads,
    )
    return _result(compiled, result)


def _known(compiled: Compiled, start: Mapping[cp.Variable, Any]) -> np.ndarray:
    """x [n] of a start, NaN where it says nothing."""
    x = np.full(len(compiled.program.cost), np.nan)
    for variable, given in start.items():
        values = np.asarray(given, np.float64)
        if variable not in compiled.columns:
            raise InputError(f"`start` names {variable.name()}, which the problem has not.")
        if values.shape != variable.shape:
            raise InputError(
                f"The start of {variable.name()} must have shape {variable.shape}, "
                f"got {values.shape}."
            )
        if np.isinf(values).any():
            raise InputError(f"The start of {variable.name()} must be finite, or NaN if unknown.")
        x[compiled.columns[variable]] = values
    return x


def _conflict(
    problem: cp.Problem,
    named: Mapping[str, Sequence[cp.Constraint]],
    run: Callable[[MatrixProgram], Outcome],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    grouped = {constraint.id for members in named.values() for constraint in members}
    always = [constraint for constraint in problem.constraints if constraint.id not in grouped]
    # Every variable stays in the problem, whichever constraints are left out.
    nothing = cp.Minimize(sum(0.0 * cp.sum(variable) for variable in problem.variables()))
    unfinished = []

    def feasible(kept: frozenset[str]) -> bool:
        members = [each for name in named if name in kept for each in named[name]]
        program = compile_problem(cp.Problem(nothing, [*always, *members])).program
        outcome = run(absorb(feasibility(program, bounds=BOUNDS in kept)))
        if outcome.status not in (MilpStatus.OPTIMAL, MilpStatus.FEASIBLE, MilpStatus.INFEASIBLE):
            unfinished.append(outcome)
        return outcome.status is not MilpStatus.INFEASIBLE

    names = irreducible([*named, BOUNDS], feasible)
    notes = conflict_notes(bool(unfinished))
    if not names:
        notes += ("Constraints outside the groups conflict by themselves.",)
    return names, notes


def _result(compiled: Compiled, result: MatrixResult) -> MilpResult:
    sign, values = compiled.sign, {}
    if result.x is not None:
        values = {
            variable: np.asarray(result.x[index]) for variable, index in compiled.columns.items()
        }
    objective, bound = (
        None if value is None else sign * value for value in (result.objective, result.bound)
    )
    return MilpResult(
        result.status,
        objective,
        bound,
        result.gap,
        result.solver,
        result.seconds,
        result.nodes,
        values,
        result.conflict,
        result.notes,
    )
