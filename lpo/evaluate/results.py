"""What an evaluation shows: table, figures, report, terminal."""

import numpy as np
import pandas as pd

from lpo.evaluate.config import EvaluateConfig
from lpo.evaluate.judging import Judged
from lpo.evaluate.trained import TrainedRun
from lpo.runs import Picture, Report, ResultTable, RunFolder, figures, print_table, write_report

LABEL = "regret / cost of the oracle"
SHOWN = ("cost_usd", "regret_usd", "regret_fraction", "unserved_share", "gpus", "oracle_gpus")
CAPTION = (
    "regret: cost minus that of the same plans under a perfect forecast (exact ones where they "
    "were asked for), in dollars and as a fraction of the oracle's cost, with a 95 % moving-block "
    "bootstrap interval over plans. gpus: mean GPUs. bound_usd: no fleet can cost less, whatever "
    "it knows. gap_max: largest relative gap of the exact plans."
)


def write_results(
    folder: RunFolder,
    cfg: EvaluateConfig,
    runs: list[TrainedRun],
    judged: list[Judged],
    notes: list[str],
) -> dict[str, float]:
    """Write tables, figures and report, print the table; return the metrics."""
    table = pd.concat([each.rows for each in judged], ignore_index=True)
    folder.write_table("evaluation", table)
    overview = _overview(table)
    pictures = {"regret_by_method": _regret_picture(table)}
    for run, each in zip(runs, judged, strict=True):
        if each.schedule is not None:
            name = "schedule" if len(runs) == 1 else f"schedule_{run.name}"
            folder.write_table(name, each.schedule)
            pictures[name] = _schedule_picture(run, each.schedule)
    for name, picture in pictures.items():
        folder.write_figure(name, picture.static)
    page = write_report(
        folder,
        Report(
            f"lpo evaluate: {', '.join(run.name for run in runs)}",
            " ".join(
                [
                    f"{len(runs)} run(s), demand x {cfg.demand_scale:g}, decisions "
                    f"{', '.join(kind.name for kind in cfg.decisions)}.",
                    *(f"Note: {note}." for note in notes),
                ]
            ),
            [
                ResultTable("Means over seeds", CAPTION, overview),
                ResultTable("Every seed", CAPTION, table),
            ],
            list(pictures.values()),
        ),
    )
    print_table(overview, f"means over seeds; regret_fraction: {LABEL}, 0 is the oracle")
    for note in notes:
        print(f"note: {note}")
    print(f"report: {page}")
    return _metrics(table)


def _overview(table: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of every run, test set, decision and method; the least regret first."""
    keys = ["run", "test_set", "decision", "method"]
    means: pd.DataFrame = table.groupby(keys, sort=False, as_index=False).agg(
        **{column: (column, "mean") for column in SHOWN}
    )
    by = means.sort_values(["run", "test_set", "decision", "regret_fraction"], kind="stable")
    one_run = len(set(table["run"])) == 1
    shown = by.drop(columns=["run"] if one_run else []).dropna(axis="columns", how="all")
    return shown.reset_index(drop=True)


def _metrics(table: pd.DataFrame) -> dict[str, float]:
    """Means over seeds, test sets and runs: `<column>/<method>/<decision>`."""
    means: pd.DataFrame = table.groupby(["method", "decision"], sort=False, as_index=False).agg(
        **{column: (column, "mean") for column in SHOWN}
    )
    return {
        f"{column}/{row['method']}/{row['decision']}": float(row[column])
        for row in means.to_dict("records")
        for column in SHOWN
        if bool(
            np.isfinite(float(row[column]))
        )  # dollars of a task that is not about money are NaN
    }


def _regret_picture(table: pd.DataFrame) -> Picture:
    rows = table.loc[table["method"] != "oracle"].copy()
    several = rows["run"].nunique() > 1
    rows["row"] = rows["test_set"] + ", " + rows["method"]
    if several:
        rows["row"] = rows["run"] + ", " + rows["row"]

    def interactive():
        from lpo.runs import interactive  # plotly is an extra

        return interactive.intervals(rows, "row", "decision", "regret_fraction", LABEL)

    return Picture(
        "Regret by method and decision",
        "Regret as a fraction of the oracle's cost, mean over seeds; bars: 95 % bootstrap interval "
        "over plans, mean ends over seeds.",
        figures.intervals(rows, "row", "decision", "regret_fraction", LABEL),
        interactive,
    )


def _schedule_picture(run: TrainedRun, schedule: pd.DataFrame) -> Picture:
    first = schedule.loc[schedule["test_set"] == schedule["test_set"].iloc[0]]
    bin_s = run.problem.protocol.bin_s
    replicas = [name for name in first.columns if str(name).startswith("replicas ")]

    def interactive():
        from lpo.runs import interactive  # plotly is an extra

        return interactive.schedule(first, replicas, bin_s)

    return Picture(
        f"Fleet of {run.cfg.robust.method.name}",
        f"Demand, forecast and the capacity of the fleet that runs, and its replicas, on "
        f"{first['test_set'].iloc[0]}.",
        figures.schedule(first, replicas, bin_s),
        interactive,
    )
