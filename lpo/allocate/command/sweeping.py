"""A sensitivity analysis: the plan at every pair of values of two scales."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from lpo.allocate.command.config import AllocateConfig
from lpo.allocate.command.problem import Problem
from lpo.allocate.command.sweep_pictures import sweep_pictures
from lpo.allocate.sweep import Analysis, Point, sweep
from lpo.allocate.sweep.table import sweep_table
from lpo.runs import Report, ResultTable, RunFolder, print_table, progress, write_report

DPI = 300  # of the figures, as published
REASONS_SHOWN = 12


def run_sweep(
    folder: RunFolder, cfg: AllocateConfig, problem: Problem, analysis: Analysis
) -> Mapping[str, Any]:
    """Solve every point; write table, figures and report; return parts of `summary.json`.

    When the user stops it, the points so far are written.
    """
    instance, options, uncertainty = problem[:3]
    assert cfg.sweep is not None
    points: list[Point] = []
    clock, name = perf_counter(), analysis.name
    try:
        with progress(len(analysis.points), name, unit="point") as advance:
            known: set[tuple[float, float]] = set()
            for point in sweep(
                instance,
                analysis,
                options,
                uncertainty,
                solver=cfg.solver.name,
                time_limit_s=cfg.time_limit,
                gap=cfg.mip_gap,
                workers=cfg.sweep.workers,
            ):
                points.append(point)
                advance(0 if (point.a, point.b) in known else 1)
                known.add((point.a, point.b))
    finally:
        table = sweep_table(instance, analysis, points)
        folder.write_table(name, table)
        folder.record(timings_s={"solving": perf_counter() - clock}, metrics=_metrics(table))
    pictures = sweep_pictures(analysis, table)
    for figure, picture in pictures.items():
        folder.write_figure(figure, picture.static, dpi=DPI)
    metrics = _metrics(table)
    result = f"{metrics['with_plan']:.0f} of {metrics['points']:.0f} points have a plan"
    solved_to = f"Points are solved to mip_gap={cfg.mip_gap:g}"
    if np.isfinite(metrics["largest_gap"]):
        solved_to += f"; the largest gap is {metrics['largest_gap']:.2g}"
    reasons = _reasons(table, analysis)
    page = write_report(
        folder,
        Report(
            f"lpo allocate: {name} of {instance.name}, {options.profile}",
            f"{result}. {_ranges(analysis)}. {solved_to}.",
            [
                ResultTable("Points", "Dollars; gap: of the solver.", table),
                ResultTable("Points without a plan", "Why there is none.", reasons),
            ],
            list(pictures.values()),
        ),
    )
    _show(table, analysis, result, reasons)
    print(f"note: {solved_to}")
    print(f"report: {page}")
    return {"result": result, "metrics": metrics}


def _metrics(table: pd.DataFrame) -> dict[str, float]:
    cost = table["total_cost"].to_numpy(np.float64)
    found = cost[np.isfinite(cost)]
    return {
        "points": float(len(table)),
        "with_plan": float(found.size),
        "infeasible": float((table["status"] == "infeasible").to_numpy().sum()),
        "least_cost_usd": float(found.min()) if found.size else np.nan,
        "largest_cost_usd": float(found.max()) if found.size else np.nan,
        "largest_gap": float(np.nanmax(table["gap"].to_numpy())) if found.size else np.nan,
    }


def _ranges(analysis: Analysis) -> str:
    return " and ".join(
        f"{axis.scale} times {axis.values[0]:g} to {axis.values[-1]:g}"
        for axis in (analysis.a, analysis.b)
    )


def _reasons(table: pd.DataFrame, analysis: Analysis) -> pd.DataFrame:
    columns = [analysis.a.column, analysis.b.column, "status", "reason"]
    rows = table.loc[table["total_cost"].isna(), columns]
    return rows.reset_index(drop=True)


def _show(table: pd.DataFrame, analysis: Analysis, result: str, reasons: pd.DataFrame) -> None:
    """Print total costs, rows by the first scale and columns by the second, and the reasons."""
    a, b = analysis.a.column, analysis.b.column
    costs = {(row[a], row[b]): row["total_cost"] for row in table.to_dict("records")}
    grid = pd.DataFrame(
        [
            {a: f"{first:g}"}
            | {f"{second:g}": costs[first, second] for second in analysis.b.values}
            for first in analysis.a.values
        ]
    )
    print_table(grid, f"total cost, $, along {b}; {result}")
    for row in reasons.head(REASONS_SHOWN).to_dict("records"):
        print(f"note: {a} {row[a]:g}, {b} {row[b]:g}: {row['reason']}")
    if len(reasons) > REASONS_SHOWN:
        print(f"and {len(reasons) - REASONS_SHOWN} points more without a plan in tables/")
