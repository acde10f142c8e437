"""The comparison: tables, pictures and what is to be said of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lpo.l2o.command.competing import RATES, SAMPLES, Entry, classical, sampled
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.command.pictures import best_of_picture, work_picture
from lpo.l2o.command.reporting import said, said_of_samples, scored, value_name, with_least
from lpo.l2o.command.risk import DELTA, risk_table
from lpo.l2o.command.tables import (
    curve_table,
    diversity_table,
    goal_of,
    least_is_zero,
    method_table,
    power,
    summary_table,
)
from lpo.l2o.command.world import World
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.family import Family, Least
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
"""Columns of the summary on the terminal, as far as they say something of the family."""

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
    risks = risk_table(cfg, family, world, denoiser, params, drawn)
    world = with_least(family, world, entries)
    entries, drawn = said(family, entries), said_of_samples(family, drawn)
    methods, summary = method_table(cfg, world, entries), summary_table(cfg, world, entries)
    if family.score is not None:
        summary[family.score.name] = [scored(family.score, entry) for entry in entries]
    curves, diverse = curve_table(world, entries), diversity_table(world, drawn)
    value = value_name(family)
    goal = f"{value if least_is_zero(world) else 'gap'} of {power(goal_of(cfg, world))}"
    goal = f"{'an' if goal[0] in 'aeio' else 'a'} {goal}"
    tables = {
        "methods": ResultTable(
            "Methods at equal work",
            f"evaluations: {_counted(cfg)}, those of all samples together. value: {value} of the "
            f"best point so far. gap: of that, (f - f*) / max(|f*|, {world.scale:.3g}), over "
            f"{cfg.tests} test problems{f' and {cfg.seeds} seeds' if cfg.seeds > 1 else ''}; "
            "gap_mean_low, gap_mean_high: 95 % t-interval over "
            f"{'seeds of what is learned, of the rest over ' if cfg.seeds > 1 else ''}problems. "
            f"{_LEAST[family.least]} success: share of "
            f"problems with a value below {cfg.success:g}, where f* is 0.",
            methods,
        ),
        "summary": ResultTable(
            "Work to the target, and the end",
            f"evaluations_to_target: median {_counted(cfg)} to {goal}, empty where half of the "
            "problems never reach it. evaluations: in all; depth: those that had to wait for one "
            "another, samples being drawn side by side. milliseconds: a problem, all test problems "
            "in one program. rate: chosen on validation problems."
            + (f" {family.score.name}: of the last best point." if family.score else ""),
            summary,
        ),
    }
    own_value = value if least_is_zero(world) else None
    pictures = {"work": work_picture(_clearest(curves, summary), goal_of(cfg, world), own_value)}
    if len(diverse):
        tables["diversity"] = ResultTable(
            "Samples of one problem",
            f"Of {max(cfg.samples.levels or [])} levels, the best of so many. distance: mean "
            "distance of two samples; value_sd: standard deviation of their objectives.",
            diverse,
        )
        pictures["best_of"] = best_of_picture(diverse, own_value)
        tables["risk"] = ResultTable(
            "A bound on the risk of a sample",
            "risk: mean loss of one sample, (f - f*) over the mean objective at the prior, at most "
            f"1. bound: McAllester's, with probability {1.0 - DELTA:.0%}; on test problems a "
            "guarantee for this sampler, on training problems an indication, for kl is of a normal "
            "law about each problem's samples. spread: its standard deviation, in those of "
            "solutions; best_spread: what the trace of the Hessian asks for.",
            risks,
        )
    # where the least is 0, the objective says what the gap does
    hidden = ("gap_mean", "reached") if least_is_zero(world) else ()
    names = [*_SHOWN, *([family.score.name] if family.score else [])]
    shown: pd.DataFrame = summary.loc[:, [name for name in names if name not in hidden]]
    shown = shown.dropna(axis=1, how="all")
    return Findings(
        result=_result(cfg, family, world, summary),
        metrics=_metrics(cfg, family, world, summary),
        tables=tables,
        pictures=pictures,
        shown=[(f"{_counted(cfg)} to {goal}, and what methods end with", shown)],
        notes=_notes(cfg, world, entries, timings),
        frames={"curves": curves},
    )


_LEAST = {
    Least.LABELS: "f*: of labels.",
    Least.BEST_KNOWN: "f*: the least that a label or any method here came to.",
    Least.ZERO: "f*: 0.",
}


def _counted(cfg: L2oConfig) -> str:
    """What work is counted in."""
    assert cfg.polish.name is not None and cfg.baselines is not None
    linear = "pdhg" in (*cfg.baselines, cfg.polish.name.name)
    return "gradients (PDHG: products with the matrix and its transpose)" if linear else "gradients"


def _clearest(curves: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Of each kind the methods that are best, as many as a picture can show, and the best with
    samples and without."""
    order = summary.sort_values(["evaluations_to_target", "gap_mean"])
    ours = order["method"].str.startswith(SAMPLES)
    kept = [
        name
        for kind, most in _DRAWN.items()
        for name in order.loc[order["kind"] == kind, "method"].head(most)
    ]
    kept += [name for side in (ours, ~ours) for name in order.loc[side, "method"].head(1)]
    return curves.loc[curves["method"].isin(kept)]


def _metrics(
    cfg: L2oConfig, family: Family, world: World, summary: pd.DataFrame
) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    goal = power(goal_of(cfg, world))
    for row in summary.to_dict("records"):
        needed = row["evaluations_to_target"]
        found[f"evaluations_to_{goal}/{row['method']}"] = None if np.isnan(needed) else needed
        found[f"gap_mean/{row['method']}"] = float(row["gap_mean"])
        if not np.isnan(row["success"]):
            found[f"success/{row['method']}"] = float(row["success"])
            found[f"value_mean/{row['method']}"] = float(row["value_mean"])
        if family.score is not None:
            found[f"{family.score.name}/{row['method']}"] = float(row[family.score.name])
    return found


def _result(cfg: L2oConfig, family: Family, world: World, summary: pd.DataFrame) -> str:
    """The best with samples and the best without: by work to the target where somebody of both
    reaches it or no value speaks for itself, otherwise by the value at the end."""
    ours = summary["method"].str.startswith(SAMPLES)
    sides = {"with samples": summary.loc[ours], "without": summary.loc[~ours]}
    goal = power(goal_of(cfg, world))
    reached = [rows["evaluations_to_target"].notna().any() for rows in sides.values() if len(rows)]
    by_value = least_is_zero(world) and not all(reached)
    key = "value_mean" if by_value else "evaluations_to_target"
    parts = []
    for words, rows in sides.items():
        rows = rows.loc[rows[key].notna()]
        if not len(rows):
            continue
        best = rows.loc[rows[key].idxmin()]
        said = f"{best[key]:.3g} ({best['method']}"
        if by_value:
            said += f", {best['success']:.0%} below {goal}, {best['evaluations']} gradients"
        parts.append(f"{words} {said})")
    what = f"least mean {value_name(family)}" if by_value else f"median gradients to {goal}"
    return f"{what}: {'; '.join(parts) or 'no method reaches it on half of the problems'}"


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
