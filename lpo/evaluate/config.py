"""Typed configuration of `python -m lpo.evaluate`, and the checks that types cannot express."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from lpo.errors import InputError
from lpo.runs import CommandConfig, check
from lpo.train.config import WorkloadConfig, WorkloadKind

DecisionKind = Enum("DecisionKind", ["relaxed", "rounded", "exact"])
SolverKind = Enum("SolverKind", ["auto", "gurobi", "highs"])
StartKind = Enum("StartKind", ["rounded", "linear", "nearest", "regression", "diffusion"])


@dataclass
class EvaluateConfig(CommandConfig):
    """Everything `python -m lpo.evaluate` can be told.

    run: folder of a finished run of lpo.train, of a sweep of them, or a list of such folders.
    workload: another demand to judge on, each of its series whole (default: the run's own test
    sets). test_sets: a name or several, all for every set, null for the run's own test part (every
    series of `workload`). methods: names of trained methods and rules, all for every one, null for
    the trained ones and the best rules. seeds: how many of the run's seeds, null for all. replan:
    slots that are committed before the fleet is planned again, null for the whole horizon.
    demand_scale: multiplies demand and forecasts, for a fleet that serves so many times the trace.
    gap and time_limit_s: of each exact plan. start: where the search of a fleet's exact plan
    begins: the task's relaxation rounded, the linear one rounded, or what is learned from the run's
    training windows.
    """

    command: str = "evaluate"
    run: Any = None
    workload: WorkloadConfig | None = None
    test_sets: Any = None
    methods: Any = None
    decisions: list[DecisionKind] = field(default_factory=lambda: list(DecisionKind))
    seeds: int | None = None
    replan: int | None = None
    demand_scale: float = 1.0
    solver: SolverKind = SolverKind.auto
    gap: float = 1e-3
    time_limit_s: float = 10.0
    start: StartKind = StartKind.rounded


def listed(value: Any) -> list[str]:
    """A name, or a list of names, as a list."""
    return [str(name) for name in (value if isinstance(value, list) else [value])]


def run_folders(cfg: EvaluateConfig) -> list[Path]:
    """Folders of trained runs that `run` names; a sweep's folder stands for the runs in it.

    Raises `InputError` for a folder that holds no run of lpo.train.
    """
    folders: list[Path] = []
    for name in listed(cfg.run):
        path = Path(name)
        if (path / "config.yaml").is_file():
            folders.append(path)
            continue
        inside = sorted(each.parent for each in path.glob("*/config.yaml"))
        if not inside:
            raise InputError(f"run: {path} holds no run (no config.yaml); {RUN_ALLOWED}")
        folders += inside
    return folders


RUN_ALLOWED = "allowed: the folder of a run of lpo.train, of a sweep, or a list of folders"


def validate(cfg: EvaluateConfig) -> None:
    """Refuse values that have the right type and no meaning.

    Raises `InputError` with the key, what was given and what is allowed.
    """
    if not cfg.run:
        raise InputError(f"run: {cfg.run} given; {RUN_ALLOWED}")
    run_folders(cfg)
    positive: Callable[[Any], bool] = lambda value: value is None or value > 0  # noqa: E731
    for key in ("seeds", "replan", "demand_scale", "time_limit_s"):
        check(cfg, key, positive, "> 0")
    check(cfg, "gap", lambda gap: 0 <= gap < 1, "in [0, 1)")
    check(cfg, "decisions", bool, f"some of {', '.join(DecisionKind.__members__)}")
    if cfg.start is not StartKind.rounded and DecisionKind.exact not in cfg.decisions:
        raise InputError(
            f"start: {cfg.start.name} given without exact in decisions; allowed: rounded"
        )
    demand = cfg.workload
    if demand is not None and demand.name is WorkloadKind.trace and not demand.path:
        raise InputError("workload.path: None given; allowed: the file of a trace (docs/data.md)")
