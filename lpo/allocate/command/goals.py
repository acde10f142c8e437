"""Objectives other than the cost in dollars: one after another, or weighed."""

from dataclasses import asdict

from lpo.allocate.allocation import Allocation
from lpo.allocate.command.config import AllocateConfig, ObjectiveKind
from lpo.allocate.command.problem import Problem
from lpo.allocate.model.exact import Solved
from lpo.allocate.model.objectives import Goal, solve_lexicographic, solve_weighted
from lpo.allocate.validate.cost import cost, objective

UNITS = {Goal.UNMET: "mean dropped share", Goal.COST: "cost in $", Goal.GPUS: "GPUs"}


def solve_goals(cfg: AllocateConfig, problem: Problem, start: Allocation | None) -> Solved:
    """The plan for `objective` and `weights`; its `objective` is the cost in dollars as ever.

    bound: of the cost among the plans that earlier goals leave; None for weighed costs.
    """
    settings = {
        "solver": cfg.solver.name,
        "time_limit_s": cfg.time_limit,
        "gap": cfg.mip_gap,
        "threads": cfg.threads,
    }
    given = (problem.options, problem.uncertainty)
    if cfg.objective is ObjectiveKind.cost:
        solved = solve_weighted(
            problem.instance, asdict(cfg.weights), *given, start=start, **settings
        )
        if solved.objective is None:
            return solved
        note = f"weighed cost {solved.objective:.6g}, bound {solved.bound or 0.0:.6g}"
        bound = None
    else:
        found = solve_lexicographic(problem.instance, *given, **settings)
        solved = found.solved
        if solved.allocation is None:
            return solved
        note = "; then ".join(f"{UNITS[each.goal]} {each.value:.6g}" for each in found.stages)
        bound = next((each.bound for each in found.stages if each.goal is Goal.COST), None)
    assert solved.allocation is not None
    usd = objective(cost(problem.instance, solved.allocation, *given), problem.options)
    gap = None if bound is None else max(usd - bound, 0.0) / usd
    return solved._replace(objective=usd, bound=bound, gap=gap, notes=(*solved.notes, note))
