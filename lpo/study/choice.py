"""The choice among the variants of a method, by what they cost on validation shifts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpo.provision import Task, ratio_of_sums
from lpo.runs import ResultTable
from lpo.study.cells import Cell, load
from lpo.study.config import StudyConfig
from lpo.study.plan import Choice, Tuned
from lpo.study.problem import VALIDATION, judged_sets, problem_of
from lpo.train.problem import make_task
from lpo.train.scoring import score_unit, window_regret
from lpo.workload import Problem

VARIANTS = (
    "Scores on the validation part, and geometric means over it and its shifts, by which one is "
    "chosen; none for variants that diverged or are missing."
)


class VariantScore(NamedTuple):
    """Score on the validation part, and its geometric mean over that and its shifts.

    NaN for a variant that diverged.
    """

    validation: float
    average: float


def score_variants(
    tuned: dict[Tuned, list[Cell]], folder: Path
) -> dict[Tuned, list[VariantScore | None]]:
    """Scores of all variants in the order of the configuration; None for a missing cell."""
    if not tuned:
        return {}
    # all of one setting, hence of one problem
    first = next(iter(tuned.values()))[0]
    problem = problem_of(first.config, first.max_windows)
    task = make_task(first.config.provision, problem)
    return {
        key: [_score(cell.path(folder), problem, task) for cell in variants]
        for key, variants in tuned.items()
    }


def _score(path: Path, problem: Problem, task: Task) -> VariantScore | None:
    if not path.is_file():
        return None
    forecasts = load(path).by_set
    if not forecasts:
        return VariantScore(np.nan, np.nan)
    scores = {
        name: ratio_of_sums(
            window_regret(forecasts[name], windows, problem, task),
            score_unit(windows, problem, task),
        ).mean()
        for name, windows in judged_sets(problem).items()
        if name.startswith(VALIDATION)
    }
    # the mean that early stopping uses: of costs that differ twentyfold, none decides alone
    average = np.exp(np.mean(np.log(np.maximum(list(scores.values()), 1e-9))))
    return VariantScore(float(scores[VALIDATION]), float(average))


def choose(scores: dict[Tuned, list[VariantScore | None]]) -> Choice:
    """The variant that costs least in the geometric mean over the validation part and its shifts.

    One that is missing or diverged is not taken, but for the first where there is no other.
    """
    return {
        key: int(np.argmin([_rank(score) for score in variants]))
        for key, variants in scores.items()
    }


def _rank(score: VariantScore | None) -> float:
    return np.inf if score is None or np.isnan(score.average) else score.average


def variant_table(
    cfg: StudyConfig, scores: dict[Tuned, list[VariantScore | None]], choice: Choice
) -> ResultTable:
    """One row a variant: its changes, its scores, and whether it was chosen."""
    rows = [
        {
            "architecture": architecture,
            "method": method,
            "variant": " ".join(_overrides(cfg.tuning.variants[method][place])),
            "validation": np.nan if score is None else score.validation,
            "validation_geometric_mean": np.nan if score is None else score.average,
            "chosen": choice[architecture, method] == place,
        }
        for (architecture, method), variants in scores.items()
        for place, score in enumerate(variants)
    ]
    return ResultTable("Variants", VARIANTS, pd.DataFrame(rows))


def _overrides(changes: dict[str, Any], parent: str = "") -> Iterator[str]:
    """Changes of the configuration of lpo.train as its command takes them."""
    for key, value in changes.items():
        if isinstance(value, dict):
            yield from _overrides(value, f"{parent}{key}.")
        else:
            yield f"{parent}{key}={value}"
