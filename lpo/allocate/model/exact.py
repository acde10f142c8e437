"""The cheapest allocation, exactly: branch and bound by Gurobi or HiGHS. docs/allocate.md."""

from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance, InstanceData
from lpo.allocate.model import rows
from lpo.allocate.model.columns import make_columns
from lpo.allocate.model.program import Program, build
from lpo.allocate.model.rows import Block, at_risk, barred, ellipsoid_cuts
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Ellipsoid, Uncertainty
from lpo.optim.matrix_milp import MatrixResult, result_of, solve_matrix
from lpo.optim.outcome import Interrupted, MilpStatus


class Solved(NamedTuple):
    """An allocation and how good it is known to be.

    status: how the search ended. objective, bound: $; no allocation costs less than the bound.
    gap: (objective - bound) / objective. allocation, objective, gap: None without a plan. solver:
    "gurobi" or "highs". seconds: of the solver. nodes: of branch and bound. notes: a fall-back, a
    start that was refused. conflict: limits that cannot hold together and can without any one of
    them; () unless infeasible. variables, rows: that the solver was given,
    without those that are fixed or plain bounds.
    """

    allocation: Allocation | None
    status: MilpStatus
    objective: float | None
    bound: float | None
    gap: float | None
    solver: str
    seconds: float
    nodes: int
    notes: tuple[str, ...]
    conflict: tuple[str, ...]
    variables: int
    rows: int


Start = Callable[[Instance], Allocation | None]
"""An instance -> where its search begins, None for nowhere: yesterday's plan, a learned one."""


class AllocationInterrupted(KeyboardInterrupt):
    """The user stopped the search; `solved` is what it had found."""

    def __init__(self, solved: Solved):
        super().__init__("the search was stopped")
        self.solved = solved


def solve_allocation(
    instance: Instance,
    options: Options = CORRECTED,
    uncertainty: Uncertainty | None = None,
    *,
    solver: str = "auto",
    time_limit_s: float | None = None,
    gap: float = 1e-4,
    start: Allocation | Start | None = None,
    threads: int | None = None,
) -> Solved:
    """Return the cheapest allocation of an instance, within `gap`.

    uncertainty: None for the instance's own budgets. start: an allocation to begin from, or what
    makes one of the instance, within the time limit. A bad one costs time; where the time limit
    ends the search, any start may also lead to a dearer plan than none, as another seed may. The
    rest is as in `lpo.optim.solve_milp`. Raises InputError as that does, AllocationInterrupted with
    what was found when the user stops it.
    """
    return solve_program(
        build(instance, options, uncertainty),
        solver=solver,
        time_limit_s=time_limit_s,
        gap=gap,
        start=start,
        threads=threads,
    )


def solve_program(
    program: Program,
    data: InstanceData | None = None,
    *,
    solver: str = "auto",
    time_limit_s: float | None = None,
    gap: float = 1e-4,
    start: Allocation | Start | None = None,
    threads: int | None = None,
    explain: bool = True,
) -> Solved:
    """Solve a built program with the numbers `data`, None for its own.

    explain: find the conflict of limits when there is no allocation. The rest as
    `solve_allocation`.
    """
    data = program.instance.data if data is None else data
    clock, nodes = perf_counter(), 0
    given = start(program.instance._replace(data=data)) if callable(start) else start
    begin = None if given is None else program.point(given, data)
    cuts = [first_cuts(program, data, place) for place in ellipsoids(program)]
    while True:
        matrix = program.matrix(data, cuts=cuts)
        left = None
        if time_limit_s is not None:
            left = max(time_limit_s - (perf_counter() - clock), 1e-3)
        try:
            result = solve_matrix(
                matrix, solver=solver, time_limit_s=left, gap=gap, start=begin, threads=threads
            )
        except Interrupted as stopped:
            found = result_of(stopped.outcome, stopped.solver, perf_counter() - clock)
            found = _allowed(program, data, found)
            raise AllocationInterrupted(solved_from(program, found, nodes)) from None
        nodes += result.nodes
        result = result._replace(seconds=perf_counter() - clock)
        if result.x is None:
            break
        further = violated_cuts(program, data, result.x)
        if not further:
            break
        if time_limit_s is not None and perf_counter() - clock > time_limit_s:
            result = _allowed(program, data, result)
            break
        cuts.extend(further)
    if result.status is MilpStatus.INFEASIBLE and explain:
        result = _explained(program, data, cuts, result, time_limit_s)
    return solved_from(program, result, nodes)


def solved_from(program: Program, result: MatrixResult, nodes: int = 0) -> Solved:
    """What a search of the program's matrices found; nodes: of searches before it."""
    return Solved(
        None if result.x is None else program.allocation(result.x),
        result.status,
        result.objective,
        result.bound,
        result.gap,
        result.solver,
        result.seconds,
        nodes or result.nodes,
        result.notes,
        result.conflict,
        *result.size,
    )


def _explained(
    program: Program,
    data: InstanceData,
    cuts: list[Block],
    result: MatrixResult,
    time_limit_s: float | None,
) -> MatrixResult:
    """The same result with the limits to blame, found among rows alone.

    By HiGHS, which has no licence to refuse the program before anything is left out of it.
    """
    # degrees above the GPUs there are have no column, so that their row could not be blamed; routes
    # that are too slow by themselves have no row
    counted = np.isfinite(program.instance.data.tier_limit).any()
    wide = program
    if counted or program.options.route_limit:
        free = data._replace(tier_limit=np.full_like(data.tier_limit, np.inf))
        everything = make_columns(program.instance._replace(data=free))
        options = program.options._replace(route_limit=False)
        wide = build(program.instance, options, program.uncertainty, columns=everything)
        cuts = [first_cuts(wide, data, place) for place in ellipsoids(wide)]
    if not len(wide.columns.degree):
        note = "No model fits the memory of any tier at any degree."
        return result._replace(notes=(*result.notes, note))
    groups = wide.limits()
    if program.options.route_limit:
        slow = np.flatnonzero(~wide.within_limit(data))
        blocks = [*wide.rows(data, wide.numbers(data), tight=False), *cuts]
        at = sum(block.count for block in blocks) + np.arange(len(slow))
        cuts = [*cuts, barred(wide.layout, slow)]
        for type_, name in enumerate(program.instance.query_types):
            own = at[wide.columns.route_type[slow] == type_]
            groups[f"delay of {name}"] = np.append(groups[f"delay of {name}"], own)
    again = solve_matrix(
        wide.matrix(data, cuts=cuts, tight=False),
        solver="highs",
        time_limit_s=time_limit_s,
        groups=groups,
        threads=1,
    )
    return result._replace(
        conflict=again.conflict, notes=tuple(dict.fromkeys([*result.notes, *again.notes]))
    )


# --- ellipsoids: their cone is cut out by tangents until none is violated -------------------------

_CONE_TOLERANCE = 1e-7  # of the largest deviation of a type


def ellipsoids(program: Program) -> list[int]:
    """Which worst cases (0 delay, 1 error) are cones."""
    return [place for place in (0, 1) if _is_cone(program, place)]


def _is_cone(program: Program, place: int) -> bool:
    return program.layout.tau[place] is not None and program.layout.sigma[place] is None


def _radius(program: Program, place: int) -> float:
    uncertainty = program.uncertainty[place]
    assert isinstance(uncertainty, Ellipsoid)
    return uncertainty.radius


def first_cuts(program: Program, data: InstanceData, place: int) -> Block:
    """Rows that begin a cone: what each exposure risks alone is at most the worst case of all."""
    return rows.first_cuts(
        place,
        _radius(program, place),
        data,
        program.columns,
        program.layout,
        program.numbers(data),
    )


def _cuts(program: Program, data: InstanceData, place: int, direction: np.ndarray) -> Block:
    return ellipsoid_cuts(
        place,
        _radius(program, place),
        direction,
        data,
        program.columns,
        program.layout,
        program.numbers(data),
    )


def _norms(
    program: Program, data: InstanceData, x: np.ndarray, place: int
) -> tuple[np.ndarray, np.ndarray]:
    """Exposure of each type at x, [I, S], and its norm [I]."""
    numbers, columns, layout = program.numbers(data), program.columns, program.layout
    share = x[layout.share : layout.share + len(columns.route_type)]
    kept = (numbers.kept_delay, numbers.kept_error)[place]
    risk = kept * at_risk(place, share, columns, layout, numbers)
    types = np.arange(len(program.instance.query_types))
    own = np.where(columns.exposure_type == types[:, None], risk, 0.0)
    return own, np.linalg.norm(own, axis=1)


def violated_cuts(program: Program, data: InstanceData, x: np.ndarray) -> list[Block]:
    """Tangents of the cones at x, where x lies outside them."""
    found = []
    for place in ellipsoids(program):
        own, norm = _norms(program, data, x, place)
        tau = program.layout.tau[place]
        assert tau is not None
        short = x[tau + np.arange(len(norm))] < _radius(program, place) * norm - _CONE_TOLERANCE
        if short.any():
            direction = own[short] / norm[short, None]
            found.append(_cuts(program, data, place, direction))
    return found


def _allowed(program: Program, data: InstanceData, result: MatrixResult) -> MatrixResult:
    """A result that was stopped: its point counts only inside the cones."""
    if result.x is None or not violated_cuts(program, data, result.x):
        return result
    note = "The time was up before the point lay in the ellipsoids: only the bound holds."
    return result._replace(
        status=MilpStatus.TIME_LIMIT,
        x=None,
        objective=None,
        gap=None,
        notes=(*result.notes, note),
    )
