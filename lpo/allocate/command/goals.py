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
    """The plan for `objective` and `weights`.

    Its `objective`, `bound` and `gap` are of the weighted cost where there are weights, else of the
    cost in dollars among the plans that earlier goals leave.
    """
    settings = {
        "solver": cfg.solver.name,
        "time_limit_s": cfg.time_limit,
        "gap": cfg.mip_gap,
        "threads": cfg.threads,
    }
    given = (problem.options, problem.uncertainty)
    if cfg.objective is ObjectiveKind.cost:
        return solve_weighted(
            problem.instance, asdict(cfg.weights), *given, start=start, **settings
        )
    found = solve_lexicographic(problem.instance, *given, **settings)
    solved = found.solved
    if solved.allocation is None:
        return solved
    note = "; then ".join(f"{UNITS[each.goal]} {each.value:.6g}" for each in found.stages)
    bound = next((each.bound for each in found.stages if each.goal is Goal.COST), None)
    usd = objective(cost(problem.instance, solved.allocation, *given), problem.options)
    gap = None if bound is None else max(usd - bound, 0.0) / usd if usd else 0.0
    return solved._replace(objective=usd, bound=bound, gap=gap, notes=(*solved.notes, note))
