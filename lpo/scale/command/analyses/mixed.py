"""Passes of several models for one query: the best mix, beside the best single model."""

from typing import Any

import numpy as np
import pandas as pd

from lpo.runs import Findings, ResultTable
from lpo.runs.numbers_given import numbers_or
from lpo.scale.command.config import (
    AxesKind,
    CubeKind,
    FeasibilityKind,
    GridKind,
    LatencyKind,
    LawKind,
    MethodKind,
    RuleKind,
    ScaleConfig,
)
from lpo.scale.command.question import Question
from lpo.scale.command.refusing import refuse_others
from lpo.scale.curves import Limits
from lpo.scale.exact import exact_curves
from lpo.scale.mixed import best_mix
from lpo.scale.passes import pass_moments
from lpo.scale.select.feasible import keeping
from lpo.scale.select.points import points_of

ONLY = {
    "latency": LatencyKind.mean,
    "contention": 0.0,
    "grid": GridKind.all,
    "method": MethodKind.exact,
    "feasibility": FeasibilityKind.mean,
    "axes": AxesKind.range,
    "cube": CubeKind.accuracy,
    "slot_price": 0.0,
    "most_parallel": None,
    "bootstrap": 0,
    "aggregate.rule": RuleKind.best_of_k,
    "aggregate.law": LawKind.clipped_normal,
    "aggregate.correlation": 0.0,
}
"""Mixes are the most accurate in the mean, of independent clipped normal scores of which the best
counts, and last as long as all passes together over the slots."""


def find(cfg: ScaleConfig, asked: Question) -> Findings:
    """Return the most accurate mix in each scenario, on each number of slots.

    Raises InputError on settings other than `ONLY`.
    """
    refuse_others(cfg, ONLY, "in mixes")
    numbers_or(cfg)
    rows, mixes = [], []
    for s, scenario in enumerate(asked.scenarios):
        limits = Limits(*(float(np.asarray(limit)[s]) for limit in asked.limits))
        for slots in asked.parallel:
            row, passes = _case(asked, limits, int(slots))
            place = {"scenario": scenario, "parallel": int(slots)}
            rows.append(place | row)
            mixes += [
                place | {"model": name, "passes": int(count)}
                for name, count in zip(asked.models.names, passes, strict=True)
                if count
            ]
    table = pd.DataFrame(rows)
    gains = (table["accuracy"] - table["single_accuracy"]).to_numpy()
    best = int(np.nanargmax(gains)) if np.isfinite(gains).any() else 0
    return Findings(
        result=_result(table.iloc[best]),
        metrics={
            f"{row['scenario']}/P_{row['parallel']}/{name}": (
                float(row[name]) if np.isfinite(row[name]) else None
            )
            for row in rows
            for name in ("accuracy", "single_accuracy")
        },
        tables={
            "mixes": ResultTable(
                "The most accurate mix of models",
                "Expected best score of independent passes of several models within the budgets of "
                "cost and time (mean latency: total time over the slots), beside that of the best "
                f"single model; up to {cfg.k_max} passes in all, without those that add nothing. "
                "exact: every mix was tried, otherwise a greedy search.",
                table,
            ),
            "passes": ResultTable("Passes of each mix", "", pd.DataFrame(mixes)),
        },
        pictures={},
        shown=[("the most accurate mix, times by the `mean` law", pd.DataFrame(table[_SHOWN]))],
        notes=[
            "Scores are normal numbers with a perfect selector, so that a large spread of a "
            "model's scores counts as an advantage."
        ],
    )


_SHOWN = ["scenario", "mix", "accuracy", "cost_usd", "time_s", "single", "single_accuracy"]


def _result(row: Any) -> str:
    if not row["feasible"]:
        return f"{row['scenario']}: no mix keeps the limits"
    if " + " not in row["mix"]:
        return (
            f"{row['scenario']}: no mix is better than one model alone, {row['mix']}, "
            f"accuracy {row['accuracy']:.6g}"
        )
    return (
        f"{row['scenario']}: the mix {row['mix']} reaches accuracy {row['accuracy']:.6g}, "
        f"{row['single']} alone {row['single_accuracy']:.6g}"
    )


def _case(asked: Question, limits: Limits, slots: int) -> tuple[dict[str, object], np.ndarray]:
    models = asked.models.models
    one = pass_moments(models, asked.pairs)
    mix = best_mix(models, one.cost, one.time, limits, slots, k_max=len(asked.k))
    alone = exact_curves(
        asked.laws,
        asked.numbers,
        models,
        asked.k,
        [slots],
        pairs=asked.pairs,
    )
    keeps = keeping(points_of(alone), limits._replace(accuracy=0.0))[0]
    accuracy = np.where(keeps, alone.accuracy.mean, -np.inf)[:, 0]
    model, k = np.unravel_index(accuracy.argmax(), accuracy.shape)
    found = bool(np.isfinite(accuracy[model, k]))
    words = [
        f"{count} x {name}"
        for name, count in zip(asked.models.names, mix.passes, strict=True)
        if count
    ]
    row: dict[str, object] = {
        "mix": " + ".join(words) or "none",
        "passes": int(mix.passes.sum()),
        "accuracy": mix.accuracy,
        "cost_usd": mix.cost,
        "time_s": mix.time,
        "feasible": mix.feasible,
        "exact": mix.exact,
        "single": f"{asked.k[k]} x {asked.models.names[model]}" if found else "none",
        "single_accuracy": float(accuracy[model, k]) if found else np.nan,
    }
    return row, mix.passes
