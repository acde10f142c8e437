"""The plan, by the method that the configuration asks for."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.command.checks import plain_cost
from lpo.allocate.command.config import AllocateConfig, MethodKind
from lpo.allocate.command.goals import solve_goals
from lpo.allocate.command.problem import Problem, uncertainty_of
from lpo.allocate.heuristic.bound import lower_bound
from lpo.allocate.heuristic.planner import plan_heuristically
from lpo.allocate.heuristic.routing_table import check_heuristic
from lpo.allocate.model.exact import AllocationInterrupted, Solved, solve_allocation
from lpo.allocate.uncertainty import gamma_for
from lpo.allocate.validate.cost import cost, objective
from lpo.allocate.validate.performance import USED
from lpo.errors import InputError
from lpo.optim.outcome import MilpStatus

SOLVER_NAMES = {"gurobi": "Gurobi", "highs": "HiGHS", "heuristic": "heuristic"}
BOUND_S = 300.0  # for the lower bound of the heuristic's plan where there is no time limit
LARGE = 20_000  # routes of an instance for which the exact method begins from the heuristic


def solve(cfg: AllocateConfig, problem: Problem, start: Allocation | None = None) -> Solved:
    """The plan for a problem: `method`, `solver`, `mip_gap`, `time_limit` as configured.

    start: a plan to begin from. Raises AllocationInterrupted with what was found when the user
    stops it.
    """
    if cfg.method is MethodKind.heuristic:
        return _heuristic(cfg, problem)
    if not plain_cost(cfg):
        with without_warnings():
            return solve_goals(cfg, problem, start)
    if start is None and _begins_heuristically(cfg, problem):
        start = _quick(cfg, problem).allocation
    try:
        with without_warnings():
            solved = solve_allocation(
                problem.instance,
                problem.options,
                problem.uncertainty,
                solver=cfg.solver.name,
                time_limit_s=cfg.time_limit,
                gap=cfg.mip_gap,
                start=start,
                threads=cfg.threads,
            )
    except AllocationInterrupted as stopped:
        raise AllocationInterrupted(_or_plan(stopped.solved, problem, start)) from None
    if solved.status is not MilpStatus.TIME_LIMIT:
        return solved
    if start is None and knows_heuristic(problem):
        start = _quick(cfg, problem).allocation
    return _or_plan(solved, problem, start)


def calibrated(
    cfg: AllocateConfig, problem: Problem, start: Allocation | None = None
) -> tuple[Problem, Solved]:
    """The problem with the least budget for `violation_probability`, and its plan.

    The bound on the probability depends on how many routes a query type uses, which is known with
    the plan: the budget begins with that of one route and grows until it is enough for the routes
    that the plan uses (`lpo.allocate.uncertainty.gamma_for`, deviations in [0, 1]).
    """
    assert cfg.violation_probability is not None
    routes = 1
    while True:
        gamma = gamma_for(cfg.violation_probability, routes, one_sided=True)
        problem = problem._replace(uncertainty=uncertainty_of(cfg, problem.instance, gamma))
        solved = solve(cfg, problem, start)
        used = 0 if solved.allocation is None else most_pairs(solved.allocation)
        if used <= routes:
            note = f"gamma {gamma:g}: each limit is kept but for a probability of "
            note += f"{cfg.violation_probability:g} (at most {routes} routes a query type; "
            note += "independent deviations, as often below as above the middle of their range)"
            return problem._replace(notes=(*problem.notes, note)), solved
        routes, start = used, solved.allocation


def most_pairs(allocation: Allocation) -> int:
    """Most pairs of model and tier that serve one query type."""
    return int(np.max(np.sum(np.any(allocation.share > USED, axis=-1), axis=(1, 2))))


@contextmanager
def without_warnings() -> Iterator[None]:
    """The fall-back to HiGHS is among the notes of the result, which the command prints."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="HiGHS instead of Gurobi")
        yield


def knows_heuristic(problem: Problem) -> bool:
    """Whether the heuristic knows the profile and the uncertainty sets."""
    try:
        check_heuristic(problem.options, problem.uncertainty)
    except InputError:
        return False
    return True


def _begins_heuristically(cfg: AllocateConfig, problem: Problem) -> bool:
    wanted = cfg.heuristic_start
    if wanted is None:
        wanted = np.prod(problem.instance.shape) > LARGE
    return bool(wanted) and knows_heuristic(problem)


def _quick(cfg: AllocateConfig, problem: Problem) -> Solved:
    """The heuristic's plan, without a bound."""
    found = plan_heuristically(
        problem.instance,
        problem.options,
        problem.uncertainty,
        seconds=cfg.heuristic_s,
        seed=cfg.seed,
    )
    return Solved(
        found.allocation,
        found.status,
        found.objective,
        bound=None,
        gap=None,
        solver="heuristic",
        seconds=found.seconds,
        nodes=0,
        notes=(),
        conflict=(),
        variables=0,
        rows=0,
    )


def _heuristic(cfg: AllocateConfig, problem: Problem) -> Solved:
    """The heuristic's plan and, timed apart, a lower bound."""
    solved = _quick(cfg, problem)
    if solved.objective is None:
        return solved
    try:
        bound = lower_bound(
            problem.instance,
            problem.options,
            problem.uncertainty,
            seconds=BOUND_S if cfg.time_limit is None else cfg.time_limit,
        )
    except KeyboardInterrupt:
        raise AllocationInterrupted(solved) from None
    gap = max(solved.objective - bound.value, 0.0) / solved.objective if solved.objective else 0.0
    said = f"the lower bound ({bound.kind}) took {bound.seconds:.2g} s"
    return solved._replace(
        status=MilpStatus.OPTIMAL if gap <= cfg.mip_gap else MilpStatus.FEASIBLE,
        bound=bound.value,
        gap=gap,
        notes=(said, *bound.notes),
    )


def _or_plan(solved: Solved, problem: Problem, plan: Allocation | None) -> Solved:
    """The same if it has a plan, else with this one."""
    if solved.allocation is not None or plan is None:
        return solved
    parts = cost(problem.instance, plan, problem.options, problem.uncertainty)
    return solved._replace(
        allocation=plan,
        status=MilpStatus.FEASIBLE,
        objective=objective(parts, problem.options),
        notes=(*solved.notes, "the solver found no plan in time: this is the one it began from"),
    )
