"""Experiment 10: a trace with plans that follow it, mistaken classes, and lengths as assumed."""

import pandas as pd

from lpo.runs import Findings, ResultTable
from lpo.runs.numbers_given import numbers_or
from lpo.runs.pictures import bar_picture
from lpo.serve.command.config import ServeConfig, TraceLengthsKind
from lpo.serve.command.problem import Problem
from lpo.serve.command.replaying import (
    classes_frame,
    load_notes,
    replay_caption,
    replay_metrics,
    replays,
    series_picture,
    shown_replays,
    trace_given,
    window_rows,
)
from lpo.serve.plans.knapsack import load
from lpo.serve.replay import Planning


def find(cfg: ServeConfig, problem: Problem) -> Findings:
    """Replay the trace under every policy and way of planning; then under the first policy with
    mistaken classes (`analysis.values.class_error`), and with exponential lengths.

    Raises InputError without a trace.
    """
    given = trace_given(problem)
    errors = numbers_or(cfg, class_error=[0.1, 0.3])["class_error"]
    own = {"class_error": cfg.trace.class_error, "lengths": cfg.trace.lengths.name}
    runs = list(replays(cfg, problem, problem.policies, Planning))
    rows = [row | own for row, _ in runs]
    first, followed = problem.policies[:1], [Planning.REPLANNED]
    for error in errors:
        for row, _ in replays(cfg, problem, first, followed, class_error=error):
            rows.append(row | {"class_error": error, "lengths": cfg.trace.lengths.name})
    exponential = TraceLengthsKind.exponential
    for row, _ in replays(cfg, problem, problem.policies, followed, lengths=exponential):
        rows.append(row | {"class_error": cfg.trace.class_error, "lengths": exponential.name})
    table = pd.DataFrame(rows)
    table["run"] = [_words(row, cfg) for row in rows]
    windows = pd.concat([window_rows(row, done) for row, done in runs])
    best = table.loc[table["reward_per_gpu"].idxmax()]
    return Findings(
        result=f"load {load(problem.instance):.3g}: {best['run']} earns most, "
        f"{100.0 * best['reward_ratio']:.1f} % of its hindsight plan",
        metrics=replay_metrics(rows[0]),
        tables={
            "policies": ResultTable(
                "Replays",
                f"{replay_caption(cfg, given)} Rows with exponential lengths have the same "
                "arrivals and mean lengths by class: their difference is the error of that model.",
                table,
            ),
            "trace_classes": ResultTable(
                "Classes", "Of the head of the trace.", classes_frame(given)
            ),
            "series": ResultTable("Series", "By window, with the trace's lengths.", windows),
        },
        pictures={
            "replays": bar_picture(
                "Revenue of the replays",
                "Per GPU and second; the same requests in all, but for drawn lengths.",
                table,
                "run",
                ["reward_per_gpu"],
                "revenue per GPU and second",
            ),
            "series": series_picture(windows),
        },
        shown=[("replays; revenue per GPU and second, waits in seconds", shown_replays(table))],
        notes=load_notes(problem),
    )


def _words(row: dict[str, object], cfg: ServeConfig) -> str:
    parts = [f"{row['policy']}, {row['planning']}"]
    if row["class_error"] != cfg.trace.class_error:
        parts.append(f"{row['class_error']:.0%} mistaken")
    if row["lengths"] != cfg.trace.lengths.name:
        parts.append("exponential lengths")
    return ", ".join(parts)
