"""Several objectives: one after another, or weighed against each other. docs/allocate.md."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from time import perf_counter
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance
from lpo.allocate.model.exact import Solved, ellipsoids, solved_from
from lpo.allocate.model.program import Program, build
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.errors import InputError
from lpo.optim.matrix_milp import solve_matrix
from lpo.optim.matrix_program import MatrixProgram

PARTS = ("rental", "storage", "delay", "unmet")


class Goal(StrEnum):
    """unmet: mean dropped share of the query types. cost: dollars. gpus: GPUs that are rented."""

    UNMET = "unmet"
    COST = "cost"
    GPUS = "gpus"


class Stage(NamedTuple):
    """One goal of a lexicographic search: its best value and what it can at best be."""

    goal: Goal
    value: float
    bound: float | None


class Lexicographic(NamedTuple):
    """The plan of the last goal, whose `objective` is in the unit of that goal; all stages."""

    solved: Solved
    stages: tuple[Stage, ...]


def solve_lexicographic(
    instance: Instance,
    options: Options = CORRECTED,
    uncertainty: Uncertainty | None = None,
    order: Sequence[Goal] = (Goal.UNMET, Goal.COST, Goal.GPUS),
    *,
    tolerance: float = 1e-6,
    solver: str = "auto",
    time_limit_s: float | None = None,
    gap: float = 1e-4,
    threads: int | None = None,
) -> Lexicographic:
    """Minimise the first goal, then the second among the best plans of the first, and so on.

    tolerance: how much worse than the value found a goal may become for the sake of later ones,
    relative, absolute for values below 1 (that value is within `gap` of its best). time_limit_s: of
    each goal. The search ends at the first goal without a plan. Raises InputError for no goal, one
    named twice, and ellipsoids.
    """
    goals = [Goal(goal) for goal in order]
    if not goals or len(set(goals)) < len(goals):
        raise InputError("`order` must name each goal at most once, and at least one.")
    program = _plain(instance, options, uncertainty)
    matrix, start, stages = program.matrix(), None, []
    solved: Solved | None = None
    for goal in goals:
        row = goal_costs(program, goal)
        clock = perf_counter()
        result = solve_matrix(
            matrix._replace(cost=row),
            solver=solver,
            time_limit_s=time_limit_s,
            gap=gap,
            start=start,
            threads=threads,
        )
        solved = solved_from(program, result._replace(seconds=perf_counter() - clock))
        if result.x is None or result.objective is None:
            break
        stages.append(Stage(goal, result.objective, result.bound))
        start = result.x
        allowed = result.objective + tolerance * max(abs(result.objective), 1.0)
        matrix = _with_row(matrix, row, allowed)
    assert solved is not None
    return Lexicographic(solved, tuple(stages))


def solve_weighted(
    instance: Instance,
    weights: Mapping[str, float],
    options: Options = CORRECTED,
    uncertainty: Uncertainty | None = None,
    *,
    solver: str = "auto",
    time_limit_s: float | None = None,
    gap: float = 1e-4,
    start: Allocation | None = None,
    threads: int | None = None,
) -> Solved:
    """Minimise the cost with its parts (rental, storage, delay, unmet) times `weights`.

    A part that is not named has weight 1; `objective` and `bound` are of the weighted cost. The
    budget stays in plain dollars. Raises InputError on an unknown part, a weight that is negative
    or not finite, and ellipsoids.
    """
    for part, weight in weights.items():
        if part not in PARTS:
            raise InputError(f"`weights` must be of {', '.join(PARTS)}, got {part!r}.")
        if not 0.0 <= weight < np.inf:
            raise InputError(f"The weight of {part} must be finite and at least 0, got {weight}.")
    program = _plain(instance, options, uncertainty)
    result = solve_matrix(
        program.matrix()._replace(cost=program.costs(instance.data, weights)),
        solver=solver,
        time_limit_s=time_limit_s,
        gap=gap,
        start=None if start is None else program.point(start),
        threads=threads,
    )
    return solved_from(program, result)


def goal_costs(program: Program, goal: Goal) -> np.ndarray:
    """[n] what a unit of every variable adds to a goal."""
    layout, columns = program.layout, program.columns
    if goal is Goal.COST:
        return program.costs(program.instance.data)
    row, types = np.zeros(layout.n), len(program.instance.query_types)
    if goal is Goal.UNMET:
        row[layout.unmet : layout.unmet + types] = 1.0 / types
    else:
        row[layout.replicas : layout.replicas + len(columns.degree)] = columns.degree
    return row


def _plain(instance: Instance, options: Options, uncertainty: Uncertainty | None) -> Program:
    program = build(instance, options, uncertainty)
    if ellipsoids(program):
        raise InputError("Several objectives take budgets and boxes, not ellipsoids.")
    return program


def _with_row(matrix: MatrixProgram, row: np.ndarray, most: float) -> MatrixProgram:
    return matrix._replace(
        matrix=sp.vstack([matrix.matrix, sp.csr_matrix(row)], format="csr"),
        row_lower=np.append(matrix.row_lower, -np.inf),
        row_upper=np.append(matrix.row_upper, most),
    )
