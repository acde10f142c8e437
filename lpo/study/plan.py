"""Which cells there are: the variants that are compared, the choice among them, the parts."""

from pathlib import Path
from typing import Any

import numpy as np

from lpo.provision import ratio_of_sums
from lpo.study.cells import Cell, load
from lpo.study.config import StudyConfig, methods_of, training_config
from lpo.study.work import VALIDATION, Group, canonical, judged_sets, problem_of
from lpo.train.config import MethodKind
from lpo.train.problem import make_task
from lpo.train.scoring import score_unit, window_regret

CHUNK = 5  # cells a task: few enough to keep all processes busy until the end


def make_cell(
    cfg: StudyConfig, setting: str, architecture: str, method: MethodKind, *changes: Any
) -> Cell:
    """The cell of a method, with the study's seeds unless `changes` say otherwise."""
    sizes = {"seed": cfg.seed, "seeds": cfg.seeds}
    config = training_config(cfg, setting, architecture, method, sizes, *changes)
    return Cell(setting, architecture, canonical(config), cfg.max_windows)


def grouped(cells: list[Cell], dfl: Cell) -> list[Group]:
    """Cells that continue one DFL, in tasks of a few."""
    return [Group(tuple(cells[i : i + CHUNK]), dfl) for i in range(0, len(cells), CHUNK)]


def tuning_cells(cfg: StudyConfig) -> dict[tuple[str, str], list[Cell]]:
    """Cells of every variant by (architecture, method), in the order of the configuration."""
    seeds = {"seeds": cfg.tuning.seeds}
    return {
        (architecture, method): [
            make_cell(
                cfg, cfg.tuning.setting, architecture, MethodKind[method], seeds, variant or {}
            )
            for variant in variants
        ]
        for architecture in cfg.tuning.architectures
        for method, variants in cfg.tuning.variants.items()
    }


def tuning_dfl(cfg: StudyConfig, architecture: str) -> Cell:
    """The DFL that an architecture's variants continue."""
    seeds = {"seeds": cfg.tuning.seeds}
    return make_cell(cfg, cfg.tuning.setting, architecture, MethodKind.dfl, seeds)


def validation_score(cell: Cell, folder: Path) -> tuple[float, float]:
    """(validation part, mean over it and its shifts) of a finished cell, means over seeds."""
    problem = problem_of(cell.config, cell.max_windows)
    task = make_task(cell.config.provision, problem)
    outcome = load(cell.path(folder))
    scores = {
        name: ratio_of_sums(
            window_regret(outcome.by_set[name], windows, problem, task),
            score_unit(windows, problem, task),
        ).mean()
        for name, windows in judged_sets(problem).items()
        if name.startswith(VALIDATION)
    }
    return float(scores[VALIDATION]), float(np.mean(list(scores.values())))


def chosen(cfg: StudyConfig, folder: Path) -> dict[tuple[str, str], int]:
    """The variant of least mean cost over the validation part and its shifts, by (architecture,
    method); a cell that diverged is not chosen."""
    choice = {}
    for key, cells in tuning_cells(cfg).items():
        scores = [
            validation_score(cell, folder)[1] if load(cell.path(folder)).by_set else np.inf
            for cell in cells
        ]
        choice[key] = int(np.argmin(scores))
    return choice


def part_cells(
    cfg: StudyConfig, name: str, choice: dict[tuple[str, str], int]
) -> dict[tuple[str, str], list[Cell]]:
    """Cells of a part by (setting, architecture), DFL first, each with its chosen variant."""
    part = cfg.parts[name]
    cells = {}
    for setting in part.settings:
        for architecture in part.architectures:
            like = cfg.tuning.as_tuned_on.get(architecture, architecture)
            cells[setting, architecture] = [
                make_cell(cfg, setting, architecture, method, _variant(cfg, like, method, choice))
                for method in methods_of(part)
            ]
    return cells


def _variant(
    cfg: StudyConfig, architecture: str, method: MethodKind, choice: dict[tuple[str, str], int]
) -> Any:
    place = choice.get((architecture, method.name))
    return {} if place is None else cfg.tuning.variants[method.name][place] or {}
