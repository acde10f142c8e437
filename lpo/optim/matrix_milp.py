"""Mixed-integer programs given as matrices, solved by Gurobi or HiGHS. docs/milp.md."""

import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial
from time import perf_counter
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.optim import gurobi, highs
from lpo.optim.conflict import irreducible
from lpo.optim.matrix_program import (
    MatrixProgram,
    absorb,
    drop_fixed,
    feasibility,
    feasible_point,
    fix,
    rows_hold_at_zero,
    whole_bounds,
    without_rows,
)
from lpo.optim.outcome import Incumbent, Interrupted, LicenceRefused, MilpStatus, Outcome

SOLVERS = ("auto", "gurobi", "highs")
_BACKENDS: dict[str, Callable[..., Outcome]] = {"gurobi": gurobi.solve, "highs": highs.solve}

Conflict = Callable[[Callable[[MatrixProgram], Outcome]], tuple[tuple[str, ...], tuple[str, ...]]]
"""Given a way to solve, the names of groups that cannot hold together, and notes."""


class MatrixResult(NamedTuple):
    """Solution of a `MatrixProgram`; the fields are those of `MilpResult`, with x [n] or None.

    size: columns and rows that the solver was given. incumbents: each better point as HiGHS found
    it, by seconds since it was given the program, the completion of a start included; () of Gurobi.
    """

    status: MilpStatus
    x: np.ndarray | None
    objective: float | None
    bound: float | None
    gap: float | None
    solver: str
    seconds: float
    nodes: int
    conflict: tuple[str, ...]
    notes: tuple[str, ...]
    size: tuple[int, int]
    incumbents: tuple[Incumbent, ...] = ()


class _Settings(NamedTuple):
    time_limit_s: float | None
    gap: float
    threads: int | None


def solve_matrix(
    program: MatrixProgram,
    *,
    solver: str = "auto",
    time_limit_s: float | None = None,
    gap: float = 1e-4,
    start: np.ndarray | None = None,
    groups: Mapping[str, np.ndarray] | None = None,
    conflict: Conflict | None = None,
    threads: int | None = None,
) -> MatrixResult:
    """Minimise a program of matrices; the arguments are those of `solve_milp`.

    Columns whose bounds are equal and rows of one entry never reach the solver, whose licence
    counts both.

    **Other arguments:**

    - `start`: x [n], NaN where unknown. One that is known everywhere and breaks nothing is used as
      it is; otherwise its whole variables are kept and the rest completed at its best.
    - `groups`: indices of rows by name, for the report on an infeasible program; rows in no group
      and bounds always hold. None: no report.
    - `conflict`: another way to find the report; excludes `groups`.

    **Raises:** InputError on arguments outside their ranges and on a program that the solver cannot
    take; Interrupted, with what was found, when the user stops it.
    """
    settings = check_settings(solver, time_limit_s, gap, threads)
    if groups is not None:
        conflict = partial(_conflict_of_rows, program, groups)
    smaller, kept, fixed = drop_fixed(whole_bounds(program))
    known = None if start is None else start[kept]
    if start is not None and _contradicts(start, kept, fixed):
        known = None
    smaller = whole_bounds(absorb(smaller))

    def expanded(outcome: Outcome) -> Outcome:
        if outcome.x is None:
            return outcome
        x = fixed.copy()
        x[kept] = outcome.x
        return outcome._replace(x=np.where(program.integer, np.rint(x), x))

    notes: list[str] = []
    if start is not None and known is None:
        notes.append("The start is not used: it breaks a bound.")
    names = ["gurobi", "highs"] if solver == "auto" else [solver]
    for name in names:
        clock = perf_counter()
        run = _BACKENDS[name]
        try:
            # A back end that refuses does so at once, so the start is completed by the one that
            # solves.
            outcome = expanded(_solve(run, smaller, known, settings, notes))
        except LicenceRefused as refusal:
            notes.append(f"Gurobi refused: {refusal}")
            if solver == "auto":
                _warn_once(str(refusal))
                continue
            outcome = Outcome(MilpStatus.LICENCE_REFUSED, None, None, None, 0)
        except Interrupted as stopped:
            raise Interrupted(expanded(stopped.outcome), name) from None
        seconds = perf_counter() - clock
        found: tuple[str, ...] = ()
        if outcome.status is MilpStatus.INFEASIBLE and conflict is not None:
            found, more = conflict(partial(_run, run, settings=settings, start=None))
            notes.extend(more)
        return result_of(outcome, name, seconds, found, tuple(notes), smaller.matrix.shape)
    raise AssertionError("HiGHS refuses no licence")


def result_of(
    outcome: Outcome,
    solver: str,
    seconds: float,
    conflict: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    size: tuple[int, ...] = (0, 0),
) -> MatrixResult:
    """What a back end found, with the gap between its objective and its bound."""
    distance = None
    if outcome.objective is not None and outcome.bound is not None:
        distance = abs(outcome.objective - outcome.bound) / max(abs(outcome.objective), 1e-10)
    assert outcome.status is not None
    return MatrixResult(
        outcome.status,
        outcome.x,
        outcome.objective,
        outcome.bound,
        distance,
        solver,
        seconds,
        outcome.nodes,
        conflict,
        notes,
        (size[1], size[0]),
        outcome.incumbents,
    )


def check_settings(
    solver: str, time_limit_s: float | None, gap: float, threads: int | None
) -> _Settings:
    """Return the settings of a search. Raises InputError on one outside its range."""
    if solver not in SOLVERS:
        raise InputError(f"`solver` must be one of {', '.join(SOLVERS)}, got {solver!r}.")
    if time_limit_s is not None and not time_limit_s > 0:
        raise InputError(f"`time_limit_s` must be positive or None, got {time_limit_s}.")
    if not 0.0 <= gap < 1.0:
        raise InputError(f"`gap` must be in [0, 1), got {gap}.")
    if threads is not None and (threads != int(threads) or threads < 1):
        raise InputError(f"`threads` must be a whole number of at least 1 or None, got {threads}.")
    return _Settings(time_limit_s, gap, threads)


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
    before = perf_counter() - clock
    outcome = _run(backend, program, settings, begin)
    later = (Incumbent(before + each.seconds, each.objective) for each in outcome.incumbents)
    outcome = outcome._replace(incumbents=tuple(later))
    if outcome.status is None:
        # Infeasible or unbounded: without its objective the problem is one of the two no more.
        free = _run(backend, feasibility(program), settings, None)
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


def _run(
    backend: Callable[..., Outcome],
    program: MatrixProgram,
    settings: _Settings,
    start: np.ndarray | None,
) -> Outcome:
    """Solve by a back end, which is given no program that is decided without it."""
    if (program.lower > program.upper).any():
        return Outcome(MilpStatus.INFEASIBLE, None, None, None, 0)
    if not len(program.cost):
        if not rows_hold_at_zero(program):
            return Outcome(MilpStatus.INFEASIBLE, None, None, None, 0)
        value = program.offset
        return Outcome(MilpStatus.OPTIMAL, np.zeros(0), value, value, 0)
    return backend(program, **settings._asdict(), start=start)


def _completed(
    backend: Callable[..., Outcome], program: MatrixProgram, known: np.ndarray, settings: _Settings
) -> tuple[np.ndarray | None, str]:
    """Return a start for the back end, None when it is of no use, and a note."""
    if feasible_point(program, known):
        return known, ""
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
    outcome = _run(backend, fixed, settings, None)
    if outcome.x is not None:
        return np.where(whole, nearest, outcome.x), ""
    if outcome.status is MilpStatus.INFEASIBLE:
        return None, "The start is not used: it breaks a constraint."
    return None, "The start is not used: it could not be completed."


def _contradicts(start: np.ndarray, kept: np.ndarray, fixed: np.ndarray) -> bool:
    away = np.abs(start[~kept] - fixed[~kept]) > 1e-6  # unknown is not away
    return bool(away.any())


def _conflict_of_rows(
    program: MatrixProgram,
    groups: Mapping[str, np.ndarray],
    run: Callable[[MatrixProgram], Outcome],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    plain = feasibility(program)
    unfinished: list[Outcome] = []

    def feasible(kept: frozenset[str]) -> bool:
        left_out = [groups[name] for name in groups if name not in kept]
        rows = np.concatenate([np.zeros(0, np.int64), *left_out])
        outcome = run(absorb(without_rows(plain, rows)))
        if outcome.status not in (MilpStatus.OPTIMAL, MilpStatus.FEASIBLE, MilpStatus.INFEASIBLE):
            unfinished.append(outcome)
        return outcome.status is not MilpStatus.INFEASIBLE

    return irreducible(list(groups), feasible), conflict_notes(bool(unfinished))


def conflict_notes(unfinished: bool) -> tuple[str, ...]:
    """What there is to say about a search for a conflict."""
    if unfinished:
        return ("The conflict may name too many groups: the time limit stopped a check.",)
    return ()


@cache
def _warn_once(reason: str) -> None:
    warnings.warn(f"HiGHS instead of Gurobi: {reason}", stacklevel=3)
