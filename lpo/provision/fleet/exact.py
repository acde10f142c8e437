"""Whole replicas at least cost: the fleet problem as a MILP, tightened and started well.

What is added to the program, and why it is allowed: docs/milp.md.
"""

from collections.abc import Callable
from typing import NamedTuple

import cvxpy as cp
import numpy as np

from lpo.errors import InputError
from lpo.optim.milp import MilpResult, MilpStatus, solve_milp
from lpo.provision.fleet.cost import fleet_cost
from lpo.provision.fleet.dominance import replace, replacements
from lpo.provision.fleet.parameters import Fleet, check, services
from lpo.provision.fleet.program import FleetProgram, fleet_program, set_values
from lpo.provision.fleet.rounding import round_fleet
from lpo.provision.fleet.units import normalise


class ExactPlan(NamedTuple):
    """A fleet of whole replicas and how good it is known to be.

    n: [H, K] whole replicas (int64). objective: what it costs, $. bound: no fleet costs less, $.
    gap: (objective - bound) / objective, 0 where both are 0. status: "optimal" within the gap asked
    for, else "feasible". solver: "gurobi" or "highs". seconds: of the whole call's solver runs.
    nodes: of branch and bound. notes: as in `MilpResult`.
    """

    n: np.ndarray
    objective: float
    bound: float
    gap: float
    status: MilpStatus
    solver: str
    seconds: float
    nodes: int
    notes: tuple[str, ...]


Start = Callable[[Fleet, np.ndarray], np.ndarray | None]
"""(fleet, demand [H] tokens) -> whole replicas [H, K] to begin from, None for nowhere."""


def tightening(program: FleetProgram, fleet: Fleet, demand: np.ndarray) -> list[cp.Constraint]:
    """Return constraints that some cheapest whole fleet satisfies, to be added to `program`.

    program: of one service and one demand [H], with the variables n and s [H, K] of `fleet` in the
    same units. No configuration has more replicas than serve the largest demand alone, and none of
    `replacements` is started. Both may cut optimal fleets, never all of them.
    """
    H, _ = program.n.shape
    most = np.tile(_most(fleet, demand), (H, 1))
    constraints: list[cp.Constraint] = [program.n <= most]
    never = sorted(replacements(fleet))
    if never:
        constraints.append(program.s[:, never] <= 0)
    return constraints


def exact_plan(
    fleet: Fleet,
    demand: np.ndarray,
    *,
    start: np.ndarray | Start | None = None,
    solver: str = "auto",
    time_limit_s: float | None = None,
    gap: float = 1e-3,
    threads: int | None = None,
) -> ExactPlan:
    """Return whole replicas that serve `demand` [H] tokens at least cost.

    fleet: of one service. start: [H, K] whole replicas to begin from, or what makes them of the
    fleet and the demand, such as a learned plan; None for the rounded relaxation. The better
    of the search's and the start's fleets is returned. solver, time_limit_s, gap, threads: as in
    `solve_milp`.

    The problem is solved in the units of `normalise`, with `tightening`.
    Raises InputError on wrong shapes, a demand that is negative or not finite, several services,
    and a licence that Gurobi, asked for by name, refuses.
    """
    checked = check(fleet)
    if services(checked) is not None:
        raise InputError("An exact plan has one service, got a fleet with an axis of services.")
    wanted = np.asarray(demand, np.float64)
    if wanted.ndim != 1 or wanted.size == 0:
        raise InputError(f"`demand` must be [H], got shape {wanted.shape}.")
    scaled, units = normalise(checked)
    tokens = wanted / units.tokens
    start = start(checked, wanted) if callable(start) else start
    program = fleet_program(scaled, len(wanted), integer=True)
    set_values(program, scaled, tokens)
    if start is None:
        relaxed = fleet_program(scaled, len(wanted))
        set_values(relaxed, scaled, tokens)
        fraction = solve_milp(relaxed.problem, solver="highs", threads=threads)
        start = round_fleet(scaled, fraction.values[relaxed.n], tokens)
    elif np.shape(start) != program.n.shape or not _whole(start):
        raise InputError(f"`start` must be {program.n.shape} whole replicas, not negative.")
    constraints = tightening(program, scaled, tokens)
    begin = np.minimum(replace(scaled, np.asarray(start)), _most(scaled, tokens))
    problem = cp.Problem(program.problem.objective, [*program.problem.constraints, *constraints])
    result = solve_milp(
        problem,
        solver=solver,
        time_limit_s=time_limit_s,
        gap=gap,
        start={program.n: begin},
        threads=threads,
    )
    return _plan(checked, wanted, result, program, begin, gap, units.usd)


def _plan(
    fleet: Fleet,
    demand: np.ndarray,
    result: MilpResult,
    program: FleetProgram,
    begin: np.ndarray,
    gap: float,
    usd: float,
) -> ExactPlan:
    if result.status is MilpStatus.LICENCE_REFUSED:
        raise InputError(result.notes[-1])
    candidates = [begin]
    if program.n in result.values:
        candidates.append(result.values[program.n])
    costs = [float(fleet_cost(fleet, each, demand).total) for each in candidates]
    best = int(np.argmin(costs))
    objective = costs[best]
    # No cost is negative; and the solver's tolerances may lift its bound above a cost by a hair.
    bound = 0.0 if result.bound is None else min(result.bound * usd, objective)
    distance = (objective - bound) / objective if objective > 0.0 else 0.0
    done = distance <= gap or result.status is MilpStatus.OPTIMAL
    return ExactPlan(
        np.rint(candidates[best]).astype(np.int64),
        objective,
        bound,
        distance,
        MilpStatus.OPTIMAL if done else MilpStatus.FEASIBLE,
        result.solver,
        result.seconds,
        result.nodes,
        result.notes,
    )


def _most(fleet: Fleet, demand: np.ndarray) -> np.ndarray:
    """[K] replicas that serve the largest demand alone, or the limit."""
    # Not one more for a quotient that is whole up to rounding, where a hair stays unserved.
    enough = np.ceil(demand.max() / fleet.capacity * (1.0 - 1e-12))
    return np.minimum(enough, np.floor(fleet.limit))


def _whole(start: np.ndarray) -> bool:
    array = np.asarray(start, np.float64)
    return bool((np.isfinite(array) & (array >= 0) & (array == np.rint(array))).all())
