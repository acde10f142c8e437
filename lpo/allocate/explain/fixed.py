"""The linear program that is left when a plan's deployments are fixed. docs/allocate_explain.md.

Shares, dropped shares and the duals of the worst cases stay free; replicas, placements and what is
active are as in the plan. Its duals are the shadow prices of the plan's limits.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance, InstanceData
from lpo.allocate.model.coefficients import stored_by_route
from lpo.allocate.model.columns import make_columns
from lpo.allocate.model.exact import ellipsoids as cones
from lpo.allocate.model.exact import first_cuts as first_cuts
from lpo.allocate.model.exact import violated_cuts as violated_cuts
from lpo.allocate.model.program import Program, build
from lpo.allocate.model.rows import Block
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.allocate.validate.performance import USED, check_shapes
from lpo.optim.linear import LinearResult, solve_each, solve_linear
from lpo.optim.matrix_program import MatrixProgram
from lpo.optim.outcome import MilpStatus

_ACTIVE = 1e-7  # of a row of about 1


class Fixed(NamedTuple):
    """program: of the plan's deployments alone. linear: what is left of its matrices [m, n].

    rows [m], columns [n]: their places among those of `program.matrix`. point: x of the plan in
    `program`. cuts: tangents of ellipsoids that are among the rows. solution: of `linear`.
    """

    program: Program
    point: np.ndarray
    linear: MatrixProgram
    rows: np.ndarray
    columns: np.ndarray
    cuts: tuple[Block, ...]
    solution: LinearResult


def solve_fixed(
    instance: Instance, allocation: Allocation, options: Options, uncertainty: Uncertainty
) -> Fixed:
    """Return the cheapest shares for the deployments of a plan, and the duals of its limits.

    Rows that tie shares to whole variables are replaced by what they say once those are fixed: no
    share off a deployment of the plan and, where the plan chooses its routes (single placement,
    storage by route), off a route of the plan. Bounds x <= 1 that the balance implies are left out,
    so that no dual is spent on them. Infeasible where the plan breaks a limit that shares cannot
    mend. Raises InputError on a plan of other shapes than the instance's.
    """
    check_shapes(instance, allocation)
    running = allocation.replicas > 0
    routes = np.broadcast_to(running, allocation.share.shape)
    if options.single_placement:
        routes = allocation.share > USED
    elif stored_by_route(options):  # a placement is a query type, a model and a tier
        routes = running & np.any(allocation.share > USED, axis=-1, keepdims=True)
    columns = make_columns(instance, deployments=running, routes=routes)
    program = build(instance, options, uncertainty, columns=columns)
    point = program.point(allocation)
    cuts = [first_cuts(program, instance.data, place) for place in cones(program)]
    while True:
        linear, rows, kept = matrices(program, point, instance.data, cuts)
        solution = solve_linear(linear)
        if solution.x is None:
            break
        x = point.copy()
        x[kept] = solution.x
        further = violated_cuts(program, instance.data, x)
        if not further:
            break
        cuts.extend(further)
    return Fixed(program, point, linear, rows, kept, tuple(cuts), solution)


def matrices(
    program: Program, point: np.ndarray, data: InstanceData, cuts: Sequence[Block] = ()
) -> tuple[MatrixProgram, np.ndarray, np.ndarray]:
    """Matrices for `data` with the whole variables of `point` fixed, their rows and columns."""
    whole_program = program.matrix(data, cuts=cuts, tight=False)
    whole = whole_program.integer
    free, matrix = np.flatnonzero(~whole), whole_program.matrix
    named = np.zeros(matrix.shape[0], bool)
    for rows_of_limit in program.limits().values():
        named[rows_of_limit] = True
    ties = np.diff(matrix[:, np.flatnonzero(whole)].tocsr().indptr) > 0
    rows = np.flatnonzero(named | ~ties)
    moved = matrix @ np.where(whole, point, 0.0)
    upper = np.where(whole_program.upper > 0.0, np.inf, 0.0)  # 0: a route beyond its own limit
    linear = MatrixProgram(
        cost=whole_program.cost[free],
        offset=float(whole_program.cost[whole] @ point[whole]),
        quadratic=None,
        matrix=matrix[rows][:, free],
        row_lower=(whole_program.row_lower - moved)[rows],
        row_upper=(whole_program.row_upper - moved)[rows],
        lower=whole_program.lower[free],
        upper=upper[free],
        integer=np.zeros(len(free), bool),
        binary=np.zeros(len(free), bool),
    )
    return linear, rows, free


def slopes(linear: MatrixProgram, x: np.ndarray, upward: Sequence[np.ndarray]) -> list[float]:
    r"""Derivatives of the optimum along changes of right sides, one-sided, at a solution x [n].

    upward: each v [m], how fast both ends of every row move up. A derivative is the optimum of the
    program that the linear one is in the small,

    $$ \min c'h \;:\; A_r h \ge v_r \text{ or } A_r h \le v_r \text{ on rows at that end of theirs},
       \; h_j \ge 0 \text{ or } h_j \le 0 \text{ at bounds}, $$

    the largest of y'v over all optimal duals y (Gal, "Postoptimal analyses, parametric programming,
    and related topics", 1995): what one dual gives where it is the only one. Infinite where no
    step along the change is possible; NaN where the solver fails.
    """
    left = linear.matrix @ x
    low, high = _at(left, linear.row_lower), _at(left, linear.row_upper)
    step = linear._replace(
        offset=0.0,
        lower=np.where(_at(x, linear.lower), 0.0, -np.inf),
        upper=np.where(_at(x, linear.upper), 0.0, np.inf),
    )
    sizes = [float(np.abs(v).max(initial=0.0, where=low | high)) for v in upward]
    moved = [at for at, size in enumerate(sizes) if size > 0.0]
    ends = (
        (np.where(low, v, -np.inf), np.where(high, v, np.inf))
        for v in (upward[at] / sizes[at] for at in moved)
    )
    found = np.zeros(len(sizes))
    for at, each in zip(moved, solve_each(step, ends), strict=True):
        if each.status is MilpStatus.INFEASIBLE:
            found[at] = np.inf
        else:
            found[at] = np.nan if each.objective is None else each.objective * sizes[at]
    return found.tolist()


def _at(value: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Whether values are at an end of theirs."""
    finite = np.where(np.isfinite(end), end, 0.0)
    return np.isfinite(end) & (np.abs(value - finite) <= _ACTIVE * (1.0 + np.abs(finite)))
