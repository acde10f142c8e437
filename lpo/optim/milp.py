"""Mixed-integer programs stated in cvxpy, solved by Gurobi or HiGHS. docs/milp.md."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from time import perf_counter
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np

from lpo.errors import InputError
from lpo.optim import gurobi, highs
from lpo.optim.conflict import BOUNDS, constraint_groups, irreducible
from lpo.optim.matrix_program import (
    Compiled,
    MatrixProgram,
    absorb,
    compile_problem,
    feasibility,
    fix,
)
from lpo.optim.outcome import LicenceRefused, MilpStatus, Outcome

SOLVERS = ("auto", "gurobi", "highs")
_BACKENDS: dict[str, Callable[..., Outcome]] = {"gurobi": gurobi.solve, "highs": highs.solve}


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


class _Settings(NamedTuple):
    time_limit_s: float | None
    gap: float
    threads: int | None


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
    if solver not in SOLVERS:
        raise InputError(f"`solver` must be one of {', '.join(SOLVERS)}, got {solver!r}.")
    if time_limit_s is not None and not time_limit_s > 0:
        raise InputError(f"`time_limit_s` must be positive or None, got {time_limit_s}.")
    if not 0.0 <= gap < 1.0:
        raise InputError(f"`gap` must be in [0, 1), got {gap}.")
    if threads is not None and (threads != int(threads) or threads < 1):
        raise InputError(f"`threads` must be a whole number of at least 1 or None, got {threads}.")
    named = constraint_groups(problem, groups)
    compiled = compile_problem(problem)
    program = absorb(compiled.program)
    known = None if start is None else _known(compiled, start)
    settings = _Settings(time_limit_s, gap, threads)
    notes: list[str] = []
    names = ["gurobi", "highs"] if solver == "auto" else [solver]
    for name in names:
        clock = perf_counter()
        try:
            # A back end that refuses does so at once, so the start is completed by the one that
            # solves.
            outcome = _solve(_BACKENDS[name], program, known, settings, notes)
        except LicenceRefused as refusal:
            notes.append(f"Gurobi refused: {refusal}")
            if solver == "auto":
                _warn_once(str(refusal))
                continue
            status, seconds = MilpStatus.LICENCE_REFUSED, perf_counter() - clock
            return MilpResult(status, None, None, None, name, seconds, 0, {}, (), tuple(notes))
        seconds = perf_counter() - clock
        conflict: tuple[str, ...] = ()
        if outcome.status is MilpStatus.INFEASIBLE:
            conflict = _conflict(_BACKENDS[name], problem, named, settings, notes)
        return _result(compiled, outcome, name, seconds, conflict, notes)
    raise AssertionError("HiGHS refuses no licence")


def _solve(
    backend: Callable[..., Outcome],
    program: MatrixProgram,
    known: np.ndarray | None,
    settings: _Settings,
    notes: list[str],
) -> Outcome:
    begin, clock = None, perf_counter()
    if known is not None:
        begin, note = _completed(backend, program, known, settings)
        if note:
            notes.append(note)
        if settings.time_limit_s is not None:
            left = settings.time_limit_s - (perf_counter() - clock)
            settings = settings._replace(time_limit_s=max(left, 0.0))
    outcome = backend(program, **settings._asdict(), start=begin)
    if outcome.status is None:
        # Infeasible or unbounded: without its objective the problem is one of the two no more.
        free = backend(feasibility(program), **settings._asdict(), start=None)
        if free.status in (MilpStatus.OPTIMAL, MilpStatus.FEASIBLE):
            outcome = outcome._replace(status=MilpStatus.UNBOUNDED)
        elif free.status is MilpStatus.INFEASIBLE:
            outcome = outcome._replace(status=MilpStatus.INFEASIBLE)
        else:
            note = "Infeasible or unbounded: the search for a point did not finish."
            outcome = outcome._replace(status=MilpStatus.ERROR, note=note)
    if outcome.note:
        notes.append(outcome.note)
    return outcome


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


def _completed(
    backend: Callable[..., Outcome], program: MatrixProgram, known: np.ndarray, settings: _Settings
) -> tuple[np.ndarray | None, str]:
    """Return a start for the back end, None when it is of no use, and a note."""
    whole = program.integer & ~np.isnan(known)
    if not program.integer.any():
        return None, "The start is not used: the problem has no whole variables."
    if not whole.any():
        return known, ""
    nearest = np.where(whole, np.rint(known), known)
    if np.abs(nearest - known)[whole].max() > 1e-6:
        return None, "The start is not used: a whole variable is not whole in it."
    fixed = fix(program, nearest, whole)
    if not (fixed.lower <= fixed.upper).all():
        return None, "The start is not used: it breaks a bound."
    if fixed.integer.any():  # a search in itself, of which the first points are enough
        settings = settings._replace(gap=max(settings.gap, 0.1))
    if settings.time_limit_s is not None:
        settings = settings._replace(time_limit_s=0.2 * settings.time_limit_s)
    outcome = backend(fixed, **settings._asdict(), start=None)
    if outcome.x is not None:
        return np.where(whole, nearest, outcome.x), ""
    if outcome.status is MilpStatus.INFEASIBLE:
        return None, "The start is not used: it breaks a constraint."
    return None, "The start is not used: it could not be completed."


def _conflict(
    backend: Callable[..., Outcome],
    problem: cp.Problem,
    named: Mapping[str, Sequence[cp.Constraint]],
    settings: _Settings,
    notes: list[str],
) -> tuple[str, ...]:
    grouped = {constraint.id for members in named.values() for constraint in members}
    always = [constraint for constraint in problem.constraints if constraint.id not in grouped]
    # Every variable stays in the problem, whichever constraints are left out.
    nothing = cp.Minimize(sum(0.0 * cp.sum(variable) for variable in problem.variables()))
    unfinished = []

    def feasible(kept: frozenset[str]) -> bool:
        members = [each for name in named if name in kept for each in named[name]]
        program = compile_problem(cp.Problem(nothing, [*always, *members])).program
        program = absorb(feasibility(program, bounds=BOUNDS in kept))
        outcome = backend(program, **settings._asdict(), start=None)
        if outcome.status not in (MilpStatus.OPTIMAL, MilpStatus.FEASIBLE, MilpStatus.INFEASIBLE):
            unfinished.append(outcome)
        return outcome.status is not MilpStatus.INFEASIBLE

    names = irreducible([*named, BOUNDS], feasible)
    if unfinished:
        notes.append("The conflict may name too many groups: the time limit stopped a check.")
    if not names:
        notes.append("Constraints outside the groups conflict by themselves.")
    return names


def _result(
    compiled: Compiled,
    outcome: Outcome,
    solver: str,
    seconds: float,
    conflict: tuple[str, ...],
    notes: Sequence[str],
) -> MilpResult:
    sign, values = compiled.sign, {}
    if outcome.x is not None:
        x = np.where(compiled.program.integer, np.rint(outcome.x), outcome.x)
        values = {variable: np.asarray(x[index]) for variable, index in compiled.columns.items()}
    objective, bound = (
        None if value is None else sign * value for value in (outcome.objective, outcome.bound)
    )
    distance = None
    if objective is not None and bound is not None:
        distance = abs(objective - bound) / max(abs(objective), 1e-10)
    assert outcome.status is not None
    return MilpResult(
        outcome.status,
        objective,
        bound,
        distance,
        solver,
        seconds,
        outcome.nodes,
        values,
        conflict,
        tuple(notes),
    )


@cache
def _warn_once(reason: str) -> None:
    warnings.warn(f"HiGHS instead of Gurobi: {reason}", stacklevel=3)
