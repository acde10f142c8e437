"""Columns that no plan cheaper than a known one can use.

docs/allocate_sweeps.md, "Fewer columns".
"""

from typing import Any, NamedTuple

import numpy as np

from lpo.allocate.instance import InstanceData
from lpo.allocate.model.program import Program
from lpo.allocate.narrowing.rounds import Rounds
from lpo.allocate.narrowing.set_costs import SLACK, parts_of
from lpo.optim.matrix_program import MatrixProgram, feasible_point

MOST_TYPES = 8  # 3^I sums for two deployments


class Narrowed(NamedTuple):
    """A program in which no plan is lost that is cheaper than `point`.

    matrix: the program, with the bound 0 for what cannot be in such a plan. point: x [n] of the
    cheapest plan known, None without one. bound: $, no plan costs less; infinite if there is none.
    """

    matrix: MatrixProgram
    point: np.ndarray | None
    bound: float


def can_narrow(program: Program) -> bool:
    """Whether placement is single, there are no replicas, and types are few."""
    options, types = program.options, len(program.instance.query_types)
    return options.single_placement and options.replicas == 1 and types <= MOST_TYPES


def narrow(
    program: Program, matrix: MatrixProgram, data: InstanceData, known: np.ndarray | None = None
) -> Narrowed:
    """Rule out places that no plan cheaper than the best known one can have.

    Nothing happens to a program that `can_narrow` refuses.

    **Arguments:**

    - `matrix`: of `program` with the numbers `data`, tight.
    - `known`: x [n] of a plan; one that breaks a row is not used.
    """
    if known is not None and not feasible_point(matrix, known):
        known = None
    if not can_narrow(program):
        return Narrowed(matrix, known, -np.inf)
    rounds = Rounds(program, matrix, data)
    best = np.inf if known is None else float(matrix.cost @ known)
    placed, rented, bound = -np.inf, -np.inf, -np.inf
    for each in rounds:
        if np.isinf(each.bound):
            return Narrowed(matrix, known, np.inf)
        cost = float(matrix.cost @ each.point)
        if cost < best and feasible_point(matrix, each.point):
            known, best = each.point, cost
        if each.bound > bound:
            bound = each.bound
            through = rounds.through(each)
            placed, rented = np.maximum(placed, through[0]), np.maximum(rented, through[1])
        if bound >= best * (1.0 - SLACK):
            break
    if np.isinf(best):
        return Narrowed(matrix, None, bound)
    return Narrowed(_without(program, matrix, placed, rented, best * (1.0 + SLACK)), known, bound)


def plan_exists(program: Program, matrix: MatrixProgram, data: InstanceData) -> bool | None:
    """Whether the program has a plan, None where the bounds of `narrow` do not tell."""
    for each in Rounds(program, matrix, data):
        if np.isinf(each.bound):
            return False
        if feasible_point(matrix, each.point):
            return True
    return None


def _without(
    program: Program, matrix: MatrixProgram, placed: Any, rented: Any, most: float
) -> MatrixProgram:
    """The program without what makes a plan cost more than `most`, by bounds [C, I] and [C]."""
    parts, columns, upper = parts_of(program), program.columns, matrix.upper.copy()
    dear = placed[columns.route_deployment, columns.route_type] > most
    for part, out in ((parts.place, dear), (parts.share, dear), (parts.rent, rented > most)):
        upper[part] = np.where(out, 0.0, upper[part])
    return matrix._replace(upper=upper)
