"""One run of `python -m lpo.allocate`: read, solve, write."""

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from lpo.allocate.allocation import Allocation
from lpo.allocate.command.checks import analysis_of
from lpo.allocate.command.config import AllocateConfig
from lpo.allocate.command.infeasible import give_up
from lpo.allocate.command.plan import show_plan, write_plan
from lpo.allocate.command.problem import Problem, load_problem
from lpo.allocate.command.results import write_results
from lpo.allocate.command.solving import calibrated, solve
from lpo.allocate.command.sweeping import run_sweep
from lpo.allocate.instances.files import read_solution
from lpo.allocate.model.exact import AllocationInterrupted, Solved
from lpo.errors import InputError
from lpo.optim.outcome import MilpStatus
from lpo.runs import RunFolder, source_of, tracking


def job(cfg: AllocateConfig, folder: RunFolder) -> Mapping[str, Any]:
    """Solve and write the plan, then everything that is said about it.

    The plan and its tables are written as soon as there is one, also when the user stops the
    search. Raises Infeasible with the limits to blame.
    """
    clock = perf_counter()
    problem = load_problem(cfg)
    before = None
    if cfg.against is not None:
        before = read_solution(cfg.against, problem.instance)
        problem.sources.append(source_of(cfg.against))
    folder.record(data=problem.sources, timings_s={"loading": perf_counter() - clock})

    analysis = analysis_of(cfg)
    with tracking(cfg.tracking, folder.path, folder.read_config(), cfg.command) as log:
        if analysis is not None:
            parts = run_sweep(folder, cfg, problem, analysis)
            log(parts["metrics"], 0)
            return parts
        clock = perf_counter()
        try:
            if cfg.violation_probability is None:
                solved = solve(cfg, problem, _start(folder, problem))
            else:
                problem, solved = calibrated(cfg, problem, _start(folder, problem))
        except AllocationInterrupted as stopped:
            if stopped.solved.allocation is not None:
                show_plan(write_plan(folder, problem, stopped.solved))
            raise
        finally:
            folder.record(timings_s={"solving": perf_counter() - clock})
        plan = write_plan(folder, problem, _with_plan(folder, cfg, problem, solved))
        show_plan(plan)
        metrics = write_results(folder, cfg, problem, plan, before)
        log(metrics, 0)
    return {"result": plan.result, "metrics": metrics}


def _start(folder: RunFolder, problem: Problem) -> Allocation | None:
    """The plan that an interrupted run left in its folder."""
    path = folder.path / "solution.json"
    return read_solution(path, problem.instance) if Path(path).is_file() else None


def _with_plan(folder: RunFolder, cfg: AllocateConfig, problem: Problem, solved: Solved) -> Solved:
    """The same if there is a plan. Raises what fits where there is none."""
    if solved.allocation is not None:
        return solved
    match solved.status:
        case MilpStatus.LICENCE_REFUSED:
            raise InputError(
                f"solver: {cfg.solver.name} given, but {'; '.join(solved.notes)}; "
                "allowed: auto, highs"
            )
        case MilpStatus.TIME_LIMIT:
            raise InputError(
                f"time_limit: {cfg.time_limit:g} given, and no plan was found in it; "
                "allowed: more seconds, or method=heuristic"
            )
        case MilpStatus.INFEASIBLE:
            give_up(folder, cfg, problem, solved)
    raise RuntimeError(f"the solver ended as {solved.status}: {'; '.join(solved.notes)}")
