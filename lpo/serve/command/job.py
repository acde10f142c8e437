"""One run of `python -m lpo.serve`: plan, simulate, write."""

from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any

from lpo.runs import Findings, Infeasible, RunFolder, carry_out
from lpo.serve.command.analyses import analysis_named
from lpo.serve.command.config import ServeConfig, searching
from lpo.serve.command.policies import compare_policies
from lpo.serve.command.problem import Problem, load_problem
from lpo.serve.plans.plan import Infeasible as LevelsConflict


def job(cfg: ServeConfig, folder: RunFolder) -> Mapping[str, Any]:
    """Plan, simulate what is asked for, and write what came out.

    Raises Infeasible with the service levels that exclude each other.
    """
    clock = perf_counter()
    try:
        problem = load_problem(cfg)
    except LevelsConflict as conflict:
        priced = f"give it a price (levels.{conflict.conflict[0]}={{limit: 1, price: 5}})"
        words = str(conflict).replace("make it `Penalised`", priced)
        raise Infeasible(words, conflict=list(conflict.conflict)) from conflict
    folder.record(data=sources_of(problem), timings_s={"planning": perf_counter() - clock})
    title, find = _task(cfg)
    return carry_out(cfg, folder, title, partial(find, cfg, problem), timing="simulating")


def sources_of(problem: Problem) -> list[dict[str, Any]]:
    """The files that were read, for `summary.json`."""
    return [] if problem.trace is None else problem.trace.sources


def _task(cfg: ServeConfig) -> tuple[str, Callable[[ServeConfig, Problem], Findings]]:
    """What is asked for: an experiment, the least fleet, a replay, or policies on an instance."""
    if cfg.analysis.name is not None:
        return cfg.analysis.name.name.replace("_", " "), analysis_named(cfg.analysis.name)
    if searching(cfg):
        from lpo.serve.command.least_fleet import find_least_fleet

        return "least fleet", find_least_fleet
    if cfg.trace.path is not None:
        from lpo.serve.command.replaying import replay_trace

        return "trace replay", replay_trace
    return cfg.instance.name, compare_policies
