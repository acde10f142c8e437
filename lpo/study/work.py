"""The work of the study in units that one process does: score models, cells, floors."""

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lpo import diffusion, provision, robust, workload
from lpo.optim import Diverged
from lpo.runs import Checkpoints
from lpo.study.cells import Cell, Outcome, digest, save
from lpo.study.floors import floors, usual_candidates
from lpo.study.trainer import CellStages
from lpo.train.config import (
    IMAGINING,
    MethodKind,
    ProtocolKind,
    RobustConfig,
    TrainConfig,
)
from lpo.train.inner import ScoreTrained
from lpo.train.methods import (
    Trained,
    make_setting,
    predictor_of,
    train_method,
    train_score,
    untrained_score,
)
from lpo.train.problem import load_workload, make_protocol, make_task
from lpo.train.scoring import predict

VALIDATION = "validation"  # prefix of the sets by which variants and defaults are chosen


@dataclass(frozen=True)
class Group:
    """Cells that share the data, the network and the DFL that they continue: one task."""

    cells: tuple[Cell, ...]
    dfl: Cell


def problem_of(config: TrainConfig, max_windows: int | None) -> workload.Problem:
    """Training windows and all sets that a cell is judged on."""
    problem = workload.build(
        load_workload(config.workload),
        make_protocol(config.protocol, config.provision),
        seed=config.seed,
        suite="full" if config.protocol.name is ProtocolKind.lead_time else "standard",
        max_windows=max_windows,
    )
    kept = workload.evenly(len(problem.validation), max_windows)
    return problem._replace(validation=problem.validation[kept])


def judged_sets(problem: workload.Problem) -> dict[str, np.ndarray]:
    """Test sets by name, and `validation`, `validation:<shift>` for choices."""
    sets = dict(problem.tests)
    if len(problem.validation):
        sets[VALIDATION] = problem.validation
    return sets | {f"{VALIDATION}:{k}": windows for k, windows in problem.validation_shifts.items()}


def score_of(config: TrainConfig, problem: workload.Problem, folder: Path) -> ScoreTrained:
    """The score model of a setting, trained once for all its architectures."""
    cfg = config.diffusion
    shared = (config.workload, config.protocol, config.provision.name, cfg)
    name = f"score-{digest(*shared, config.seed, config.seeds)}"
    untrained = untrained_score(cfg, problem)
    stages = CellStages(config.seed, config.seeds)
    theta = jax.eval_shape(jax.vmap(untrained.model.init), stages.keys)
    row: Any = jax.ShapeDtypeStruct((config.seeds, cfg.grid_steps), jnp.float32)
    with Checkpoints(folder / "trained") as checkpoints:
        found = checkpoints.latest(name, (theta, diffusion.Coefficients(row, row, row, row)))
        if found is not None:
            windows = untrained.nominal.windows
            return untrained._replace(nominal=robust.Nominal(*found[1], windows))
        score = train_score(cfg, stages, problem)
        checkpoints.save(name, 1, (score.nominal.theta, score.nominal.coefs))
    return score


def needs_score(cell: Cell) -> bool:
    """Whether the cell's method imagines demand."""
    return MethodKind[cell.method] in IMAGINING


def train_score_of(config: TrainConfig, max_windows: int, folder: Path) -> str:
    """Task: train a setting's score model if it is missing."""
    clock = perf_counter()
    score_of(config, problem_of(config, max_windows), folder)
    return f"score model of {config.protocol.bin_s:g} s: {perf_counter() - clock:.0f} s"


def share_compiled(folder: Path) -> None:
    """Keep compiled programs in `folder`: cells of one shape compile the same ones."""
    jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def train_group(group: Group, folder: Path) -> str:
    """Task: train and judge the cells of a group that are missing. Returns a line on them."""
    share_compiled(folder)
    clock = perf_counter()
    missing = [cell for cell in group.cells if not cell.path(folder).is_file()]
    if not missing:
        return ""
    config = group.dfl.config
    problem = problem_of(config, group.dfl.max_windows)
    task = make_task(config.provision, problem, throw=False)
    judged = problem._replace(tests=judged_sets(problem))
    start = _dfl_params(group.dfl, problem, task, folder)
    for cell in missing:
        cell_clock = perf_counter()
        jax.clear_caches()  # compiled programs of finished cells are not used again
        score = score_of(cell.config, problem, folder) if needs_score(cell) else None
        outcome = _train_cell(cell, problem, judged, task, score, start)
        outcome.facts["seconds"]["total"] = perf_counter() - cell_clock
        save(cell.path(folder), outcome)
    first = missing[0]
    return (
        f"{first.setting}, {first.architecture}: {len(missing)} cells in "
        f"{perf_counter() - clock:.0f} s ({', '.join(cell.method for cell in missing)})"
    )


def _dfl_params(cell: Cell, problem: workload.Problem, task: provision.Task, folder: Path) -> Any:
    """Parameters of DFL, seeds leading, that the methods of a group continue."""
    stages = CellStages(cell.config.seed, cell.config.seeds)
    setting = make_setting(cell.config, cell.config.forecast, problem, task, None)
    with Checkpoints(folder / "trained") as checkpoints:
        like = jax.eval_shape(jax.vmap(setting.forecaster.init), stages.keys)
        found = checkpoints.latest(cell.name, like)
        if found is not None:
            return found[1]
        state = train_method(MethodKind.dfl, cell.config, stages, setting)
        params = predictor_of(state).best
        checkpoints.save(cell.name, 1, params)
    return params


def _train_cell(
    cell: Cell,
    problem: workload.Problem,
    judged: workload.Problem,
    task: provision.Task,
    score: ScoreTrained | None,
    start: Any,
) -> Outcome:
    config, method = cell.config, MethodKind[cell.method]
    stages = CellStages(config.seed, config.seeds)
    setting = make_setting(config, config.forecast, problem, task, score)
    facts: dict[str, Any] = {"setting": cell.setting, "architecture": cell.architecture}
    facts |= {"method": cell.method, "n_train": len(problem.train), "seconds": stages.seconds}
    if method is MethodKind.dfl:
        params = start
    else:
        try:
            state = train_method(method, config, stages, setting, start)
        except Diverged as diverged:
            return Outcome({}, facts | {"diverged": str(diverged)})
        params = predictor_of(state).best
    clock = perf_counter()
    prediction = predict(cell.method, Trained(setting.forecaster, params), judged, task)
    stages.seconds["evaluation"] = perf_counter() - clock
    by_set = {name: np.asarray(values) for name, values in prediction.by_set.items()}
    return Outcome(by_set, facts | {"last": stages.curves.get(cell.method, {})})


def floors_path(config: TrainConfig, max_windows: int, setting: str, folder: Path) -> Path:
    """File of the floors of a setting."""
    shared = (config.workload, config.protocol, config.provision, config.seed, max_windows)
    return folder / f"floors-{setting}-{digest(*shared)}.npz"


def fit_floors(config: TrainConfig, max_windows: int, setting: str, folder: Path) -> str:
    """Task: fit the floors of all test sets of a setting, if they are missing.

    Trained on every window of a set; kept are the forecasts of those that the cells are judged on.
    """
    path = floors_path(config, max_windows, setting, folder)
    if path.is_file():
        return ""
    clock = perf_counter()
    problem = problem_of(config, None)
    task = make_task(config.provision, problem, throw=False)
    found = floors(problem.tests, problem.layout, task, usual_candidates(problem.layout))
    by_set = {
        name: floor.predictions[floor.best][workload.evenly(len(problem.tests[name]), max_windows)]
        for name, floor in found.items()
        if floor is not None
    }
    costs = {name: floor and floor.costs for name, floor in found.items()}
    save(path, Outcome({name: values[None] for name, values in by_set.items()}, {"costs": costs}))
    return f"{setting}: floors of {len(by_set)} sets in {perf_counter() - clock:.0f} s"


def canonical(config: TrainConfig) -> TrainConfig:
    """Without settings that the method does not depend on, so that equal cells have one file."""
    method = config.robust.method
    if method in (MethodKind.mse, MethodKind.dfl):
        return replace(config, robust=RobustConfig(method=method))
    return config
