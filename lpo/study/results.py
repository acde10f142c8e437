"""What the study shows: tables by part, the variants that were tried, the choice."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lpo.runs import RunFolder
from lpo.study.cells import Cell, load
from lpo.study.config import StudyConfig
from lpo.study.plan import part_cells, tuning_cells, validation_score
from lpo.study.tables import Judged, score_setting, set_table, summary_table
from lpo.study.work import floors_path, judged_sets, problem_of
from lpo.train.problem import make_task
from lpo.train.scoring import predict_rules


def write_results(
    cfg: StudyConfig, folder: RunFolder, cells: Path, choice: dict[tuple[str, str], int]
) -> None:
    """Write `tables/`: variants, and for each part cells and summary."""
    folder.write_table("variants", variant_table(cfg, cells, choice))
    for part in cfg.parts:
        by_setting: dict[str, list[Cell]] = {}
        for (setting, _), group in part_cells(cfg, part, choice).items():
            by_setting.setdefault(setting, []).extend(group)
        scored = [
            score_setting(gather(cfg, setting, group, cells))
            for setting, group in by_setting.items()
        ]
        for each in scored:
            folder.write_table(f"{part}_{each.judged.setting}", set_table(each))
        folder.write_table(f"{part}_summary", pd.concat([summary_table(each) for each in scored]))
        folder.write_table(f"{part}_training", training_table(by_setting, cells))


def gather(cfg: StudyConfig, setting: str, group: list[Cell], folder: Path) -> Judged:
    """All forecasts of a setting: of its finished cells and of the rules."""
    config = group[0].config
    problem = problem_of(config, cfg.max_windows)
    task = make_task(config.provision, problem)
    judged = problem._replace(tests=judged_sets(problem))
    forecasts = {
        ("rule", rule.method): dict(rule.by_set)
        for rule in predict_rules(judged, task, config.seeds)
    }
    for cell in group:
        if cell.path(folder).is_file():
            by_set = load(cell.path(folder)).by_set
            if by_set:
                forecasts[cell.architecture, cell.method] = by_set
    path = floors_path(config, cfg.max_windows, setting, folder)
    floors = load(path).by_set if path.is_file() else {}
    return Judged(setting, problem, task, forecasts, floors)


def variant_table(
    cfg: StudyConfig, folder: Path, choice: dict[tuple[str, str], int]
) -> pd.DataFrame:
    """Every variant tried: validation part, mean over it and its shifts, whether chosen."""
    rows = []
    for (architecture, method), variants in tuning_cells(cfg).items():
        for place, cell in enumerate(variants):
            if not cell.path(folder).is_file():
                continue
            own, average = (
                validation_score(cell, folder)
                if load(cell.path(folder)).by_set
                else (np.nan, np.nan)
            )
            rows.append(
                {
                    "architecture": architecture,
                    "method": method,
                    "variant": str(cfg.tuning.variants[method][place] or {}),
                    "validation": own,
                    "validation_average": average,
                    "chosen": choice.get((architecture, method)) == place,
                }
            )
    return pd.DataFrame(rows)


def training_table(by_setting: dict[str, list[Cell]], folder: Path) -> pd.DataFrame:
    """Seconds, the epoch kept, and the last values of every cell's metrics, means over seeds."""
    rows = []
    for setting, group in by_setting.items():
        for cell in group:
            if not cell.path(folder).is_file():
                continue
            facts = load(cell.path(folder)).facts
            row: dict[str, Any] = {"setting": setting, "architecture": cell.architecture}
            row |= {"method": cell.method, "seconds": facts["seconds"].get("total")}
            row |= {name: float(np.mean(v)) for name, v in facts.get("last", {}).items()}
            row["diverged"] = facts.get("diverged", "")
            rows.append(row)
    return pd.DataFrame(rows)
