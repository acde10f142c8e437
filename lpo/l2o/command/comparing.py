"""The comparison: tables, pictures and what is to be said of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lpo.l2o.command.competing import RATES, SAMPLES, Entry, classical, sampled
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.command.pictures import best_of_picture, work_picture
from lpo.l2o.command.tables import (
    curve_table,
    diversity_table,
    method_table,
    power,
    summary_table,
)
from lpo.l2o.command.world import World
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.family import Family
from lpo.runs import Findings, ResultTable

_SHOWN = (
    "method",
    "evaluations_to_target",
    "reached",
    "evaluations",
    "depth",
    "gap_mean",
    "value_mean",
    "success",
    "milliseconds",
)

_DRAWN = {"classical": 2, "learned": 1, "sample": 2, "hybrid": 2}
"""How many of each kind are in the picture of gaps by work."""


def compare(
    cfg: L2oConfig,
    family: Family,
    world: World,
    denoiser: Denoiser,
    params: Any,
    others: list[Entry],
    timings: Mapping[str, float],
) -> Findings:
    """Let samples and classical methods compete on the test problems with `others`."""
    entries = classical(cfg, family, world) + others
    own, drawn = sampled(cfg, family, world, denoiser, params)
    entries += own
    methods, summary = method_table(cfg, world, entries), summary_table(cfg, world, entries)
    curves, diverse = curve_table(world, entries), diversity_table(world, drawn)
    goal = power(cfg.target)
    tables = {
        "methods": ResultTable(
            "Methods at equal work",
            "evaluations: gradients taken, those of all samples together. gap: of the best point "
            f"so far, (f - f*) / max(|f*|, {world.scale:.3g}), over {cfg.tests} test problems"
            f"{f' and {cfg.seeds} seeds' if cfg.seeds > 1 else ''}; gap_mean_low, gap_mean_high: "
            f"95 % t-interval over {'seeds' if cfg.seeds > 1 else 'problems'}. success: share of "
            f"problems with an objective below {cfg.success:g}.",
            methods,
        ),
        "summary": ResultTable(
            "Work to the target, and the end",
            f"evaluations_to_target: median gradients to a gap of {goal}, empty where half of the "
            "problems never reach it. evaluations: in all; depth: those that had to wait for one "
            "another, samples being drawn side by side. milliseconds: a problem, all test problems "
            "in one program. rate: chosen on validation problems.",
            summary,
        ),
    }
    pictures = {"work": work_picture(_clearest(curves, summary), cfg.target)}
    if len(diverse):
        tables["diversity"] = ResultTable(
            "Samples of one problem",
            "The best of so many. distance: mean distance of two samples; value_sd: standard "
            "deviation of their objectives.",
            diverse,
        )
        pictures["best_of"] = best_of_picture(diverse)
    shown: pd.DataFrame = summary.loc[:, list(_SHOWN)].dropna(axis=1, how="all")
    return Findings(
        result=_result(cfg, summary),
        metrics=_metrics(cfg, summary),
        tables=tables,
        pictures=pictures,
        shown=[(f"gradients to a gap of {goal}, and what methods end with", shown)],
        notes=_notes(cfg, world, entries, timings),
        frames={"curves": curves},
    )


def _clearest(curves: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Of each kind the methods that are best, as many as a picture can show."""
    order = summary.sort_values(["evaluations_to_target", "gap_mean"])
    kept = [
        name
        for kind, most in _DRAWN.items()
        for name in order.loc[order["kind"] == kind, "method"].head(most)
    ]
    return curves.loc[curves["method"].isin(kept)]


def _metrics(cfg: L2oConfig, summary: pd.DataFrame) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    goal = power(cfg.target)
    for row in summary.to_dict("records"):
        needed = row["evaluations_to_target"]
        found[f"evaluations_to_{goal}/{row['method']}"] = None if np.isnan(needed) else needed
        found[f"gap_mean/{row['method']}"] = float(row["gap_mean"])
        if not np.isnan(row["success"]):
            found[f"success/{row['method']}"] = float(row["success"])
            found[f"value_mean/{row['method']}"] = float(row["value_mean"])
    return found


def _result(cfg: L2oConfig, summary: pd.DataFrame) -> str:
    """The best with samples and the best without."""
    ours = summary["method"].str.startswith(SAMPLES)
    landscape = bool(summary["success"].notna().to_numpy().any())
    key = "value_mean" if landscape else "evaluations_to_target"
    parts = []
    for words, rows in (("with samples", summary.loc[ours]), ("without", summary.loc[~ours])):
        rows = rows.loc[rows[key].notna()]
        if not len(rows):
            continue
        best = rows.loc[rows[key].idxmin()]
        said = f"{best[key]:.3g} ({best['method']}"
        if landscape:
            said += f", {best['success']:.0%} found, {best['evaluations']} gradients"
        parts.append(f"{words} {said})")
    what = "least mean objective" if landscape else f"median gradients to {power(cfg.target)}"
    return f"{what}: {'; '.join(parts) or 'never reached'}"


def _notes(
    cfg: L2oConfig, world: World, entries: list[Entry], timings: Mapping[str, float]
) -> list[str]:
    trained = timings.get("training", 0.0) + timings.get("compile", 0.0)
    notes = [
        f"Solutions of {cfg.training.problems} training problems took {world.label_s:.1f} s, "
        f"training {trained:.1f} s; classical methods need neither."
    ]
    edges = [entry.name for entry in entries if entry.kind == "classical" and _at_edge(entry)]
    if edges:
        notes.append(f"The best rate tried is the least or the greatest of {', '.join(edges)}.")
    return notes


def _at_edge(entry: Entry) -> bool:
    return entry.rate is not None and bool(np.isclose(entry.rate, RATES[[0, -1]]).any())
