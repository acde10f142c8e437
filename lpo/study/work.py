"""The work of the study in tasks that one process does: score models, cells, floors."""

import os
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import numpy as np

from lpo import diffusion, provision, robust, workload
from lpo.optim import Diverged
from lpo.runs import Checkpoints, environment
from lpo.runs.stages import TrainingFailed
from lpo.study.cells import Cell, Outcome, digest, save
from lpo.study.floors import floors, shifted_pasts, usual_candidates
from lpo.study.plan import Group
from lpo.study.problem import judged_sets, problem_of
from lpo.study.trainer import CellStages
from lpo.train.config import IMAGINING, MethodKind, TrainConfig
from lpo.train.inner import ScoreTrained, Setting
from lpo.train.methods import (
    Trained,
    make_setting,
    predictor_of,
    train_method,
    train_score,
    untrained_score,
)
from lpo.train.problem import make_task
from lpo.train.scoring import predict

FLOORS = 2  # of what a floor means: raise it when candidates or their training change


def needs_score(cell: Cell) -> bool:
    """Whether the cell's method imagines demand."""
    return cell.kind in IMAGINING


def score_file(config: TrainConfig) -> str:
    """Name of the checkpoint of the score model that a cell's imagined demand comes from."""
    decided = (config.provision.name, config.provision.horizon)  # which set a window's length
    shared = (config.workload, config.protocol, decided, config.diffusion)
    return f"score-{digest(*shared, config.seed, config.seeds)}"


def train_score_of(config: TrainConfig, max_windows: int | None, folder: Path) -> str:
    """Task: train a score model if it is missing. Raises `TrainingFailed` where that diverges."""
    share_compiled(folder)
    clock = perf_counter()
    try:
        _score_of(config, problem_of(config, max_windows), folder)
    except Diverged as diverged:  # which does not survive the way to another process
        raise TrainingFailed(f"{score_file(config)}: {diverged}") from None
    return f"{score_file(config)}: {perf_counter() - clock:.0f} s"


def _score_of(config: TrainConfig, problem: workload.Problem, folder: Path) -> ScoreTrained:
    """The score model of a setting, trained once for all its architectures."""
    untrained = untrained_score(config.diffusion, problem)
    stages = CellStages(config.seed, config.seeds)
    windows = untrained.nominal.windows

    def like(key: jax.Array) -> tuple[Any, diffusion.Coefficients]:
        return untrained.model.init(key), untrained.nominal.coefs

    with Checkpoints(folder / "trained") as checkpoints:
        found = checkpoints.latest(score_file(config), jax.eval_shape(jax.vmap(like), stages.keys))
        if found is not None:
            theta, coefs = found[1]
            return untrained._replace(nominal=robust.Nominal(theta, coefs, windows))
        score = train_score(config.diffusion, stages, problem)
        checkpoints.save(score_file(config), 1, (score.nominal.theta, score.nominal.coefs))
    return score


def share_compiled(folder: Path) -> None:
    """Keep compiled programs in `folder`: cells of one shape compile the same ones.

    Where the user keeps them in a folder already, they go there.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def train_group(group: Group, folder: Path) -> str:
    """Task: train and judge the cells of a group that are missing. Returns a line on them.

    A cell that diverges leaves no forecasts, nor do those that would continue it.
    """
    cells = group.missing(folder).cells
    if not cells:
        return ""
    share_compiled(folder)
    clock = perf_counter()
    config = group.dfl.config
    problem = problem_of(config, group.dfl.max_windows)
    task = make_task(config.provision, problem, throw=False)
    commit = environment()["git_commit"]
    for cell in cells:
        jax.clear_caches()  # compiled programs of finished cells are not used again
        outcome = _train_cell(cell, group.dfl, problem, task, folder)
        outcome.facts["commit"] = commit
        save(cell.path(folder), outcome)
    return (
        f"{cells[0].setting}, {cells[0].architecture}: {len(cells)} cells in "
        f"{perf_counter() - clock:.0f} s ({', '.join(cell.method for cell in cells)})"
    )


def _train_cell(
    cell: Cell, dfl: Cell, problem: workload.Problem, task: provision.Task, folder: Path
) -> Outcome:
    clock = perf_counter()
    stages = CellStages(cell.config.seed, cell.config.seeds)
    facts: dict[str, Any] = {"setting": cell.setting, "architecture": cell.architecture}
    facts |= {"method": cell.method, "n_train": len(problem.train)}
    by_set: dict[str, np.ndarray] = {}
    try:
        score = _score_of(cell.config, problem, folder) if needs_score(cell) else None
        setting = make_setting(cell.config, cell.config.forecast, problem, task, score)
        params = _trained_params(cell, dfl, stages, setting, folder)
        evaluation = perf_counter()
        judged = problem._replace(tests=judged_sets(problem))
        trained = Trained(setting.forecaster, params, setting.one_by_one)
        prediction = predict(cell.method, trained, judged, task)
        by_set = {name: np.asarray(values) for name, values in prediction.by_set.items()}
        stages.seconds["evaluation"] = perf_counter() - evaluation
    except Diverged as diverged:
        facts["diverged"] = str(diverged)
    facts["last"] = stages.curves.get(cell.method, {})
    facts["seconds"] = stages.seconds | {"total": perf_counter() - clock}
    return Outcome(by_set, facts)


def _trained_params(
    cell: Cell, dfl: Cell, stages: CellStages, setting: Setting, folder: Path
) -> Any:
    """Parameters of a cell's predictor, seeds leading. Raises `Diverged`."""
    if cell.kind is MethodKind.mse:
        return predictor_of(train_method(cell.kind, cell.config, stages, setting)).best
    start = _dfl_params(dfl, stages, setting, folder)
    if cell.kind is MethodKind.dfl:
        return start
    return predictor_of(train_method(cell.kind, cell.config, stages, setting, start)).best


def _dfl_params(dfl: Cell, stages: CellStages, setting: Setting, folder: Path) -> Any:
    """Parameters of the DFL that a group continues, trained if it is the first to need them."""
    like = jax.eval_shape(jax.vmap(setting.forecaster.init), stages.keys)
    with Checkpoints(folder / "trained") as checkpoints:
        found = checkpoints.latest(dfl.name, like)
        if found is not None:
            return found[1]
        params = predictor_of(train_method(MethodKind.dfl, dfl.config, stages, setting)).best
        checkpoints.save(dfl.name, 1, params)
    return params


def floors_path(config: TrainConfig, max_windows: int | None, setting: str, folder: Path) -> Path:
    """File of the floors of a setting."""
    shared = (FLOORS, config.workload, config.protocol, config.provision, config.seed, max_windows)
    return folder / f"floors-{setting}-{digest(*shared)}.npz"


def fit_floors(config: TrainConfig, max_windows: int | None, setting: str, folder: Path) -> str:
    """Task: fit the floors of all test sets of a setting, if they are missing.

    Trained on every window of a set, and on the past of the own part's shifts; kept are the
    forecasts of the windows that the cells are judged on.
    """
    path = floors_path(config, max_windows, setting, folder)
    if path.is_file():
        return ""
    share_compiled(folder)
    clock = perf_counter()
    problem = problem_of(config, None)
    task = make_task(config.provision, problem, throw=False)
    pasts = shifted_pasts(problem, seed=config.seed)
    found = floors(problem.tests, problem.layout, task, usual_candidates(problem.layout), pasts)
    by_set = {
        name: floor.predictions[floor.best][workload.evenly(len(problem.tests[name]), max_windows)]
        for name, floor in found.items()
        if floor is not None
    }
    costs = {name: floor and floor.costs for name, floor in found.items()}
    save(path, Outcome({name: values[None] for name, values in by_set.items()}, {"costs": costs}))
    return f"{setting}: floors of {len(by_set)} sets in {perf_counter() - clock:.0f} s"
