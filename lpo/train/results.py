"""What a finished run shows: tables, figures, the terminal table and the report."""

import pandas as pd

from lpo import provision, workload
from lpo.runs import (
    Picture,
    Report,
    ResultTable,
    RunFolder,
    figures,
    print_table,
    write_report,
)
from lpo.train.config import FOLLOWERS, TrainConfig
from lpo.train.curves import curves_by_seed, final_adversary, kept_steps
from lpo.train.samples import Samples
from lpo.train.scoring import (
    Predictions,
    interval_tables,
    regret_table,
    score_name,
    summary_metrics,
)

LABELS = {
    "cost_per_token": "cost per demanded token (idle tokens; the oracle costs 0)",
    "nr_pooled": "normalised regret, pooled (the oracle has 0)",
}


def write_results(
    folder: RunFolder,
    cfg: TrainConfig,
    predictions: list[Predictions],
    problem: workload.Problem,
    task: provision.Task,
    seeds: list[int],
    samples: Samples | None,
) -> dict[str, float]:
    """Score `predictions`, write tables, figures, report; print the table; return the metrics."""
    method, column = cfg.robust.method.name, score_name(task)
    table = regret_table(predictions, problem, task, seeds)
    metrics = summary_metrics(table, task, problem.own, method)
    overview = _overview(metrics, [each.method for each in predictions])
    intervals, paired = interval_tables(predictions, problem, task)

    label = LABELS[column]
    tables = {
        "overview": ResultTable(
            "Methods",
            f"{label}, mean over {len(seeds)} seed(s): own test part {problem.own}; average and "
            f"worst of {len(problem.tests) - 1} shifted sets, `large` without those of fewer than "
            f"{workload.FEW_WINDOWS} windows. Lower is better.",
            overview,
        ),
        "regret": ResultTable(
            "Scores by test set",
            f"cost and regret: mean a decision, in {task.unit}. mse: tokens squared.",
            table,
        ),
        "intervals": ResultTable(
            "Intervals",
            "95 %: Student's t over seeds, and moving-block bootstrap over test windows.",
            intervals,
        ),
        "paired": ResultTable(
            "Paired differences",
            "Method minus reference on the same windows; negative favours the method.",
            paired,
        ),
    }
    curves = curves_by_seed(folder.read_metrics())
    tables["training"] = ResultTable(
        "Training",
        "Early stopping by the validation part: the step kept, its validation loss, and the last.",
        kept_steps(curves),
    )
    if samples is not None:
        metrics |= final_adversary(curves, method)
        tables["imagined_losses"] = ResultTable(
            "Losses on imagined windows",
            "Mean loss of every predictor on windows of the nominal score model and of the final "
            "adversary, same noise. `last epoch`: the robust predictor that was not kept.",
            samples.losses,
        )
        tables["sample_quality"] = ResultTable(
            "Imagined windows",
            "Distance of samples from training windows, and the negative log-likelihood (nats) "
            "of held-out windows, for the nominal score model and the adversary.",
            samples.quality,
        )
    # epochs count as many predictor steps as they hold, beside the steps of MSE and DFL
    epochs = curves["stage"].isin([kind.name for kind in FOLLOWERS])
    drawn = curves.assign(
        step=curves["step"].where(~epochs, curves["step"] * cfg.robust.predictor_steps)
    )
    pictures = _pictures(drawn, table, column, method, samples, problem.protocol.bin_s)
    for name, result in tables.items():
        folder.write_table(name, result.data)
    for name, picture in pictures.items():
        folder.write_figure(name, picture.static)
    page = write_report(
        folder,
        Report(
            f"lpo train: {method} on {cfg.workload.name.name}",
            _opening(problem),
            list(tables.values()),
            list(pictures.values()),
        ),
    )
    print_table(overview, f"{label}; {len(seeds)} seed(s), {problem.protocol.name}")
    for line in notes(problem):
        print(f"note: {line}")
    print(f"report: {page}")
    return metrics


def notes(problem: workload.Problem) -> list[str]:
    """What must be said beside the results: the protocol's warning and what the data left out."""
    return [*filter(None, [problem.protocol.warning]), *problem.notes]


def _overview(metrics: dict[str, float], methods: list[str]) -> pd.DataFrame:
    """One row a method: its scores on the own and over the shifted sets; the best average first."""
    parts = ("own", "average_large", "worst_large", "average", "worst")
    rows = [
        {"method": name} | {part: metrics.get(f"regret/{name}/{part}") for part in parts}
        for name in methods
    ]
    table = pd.DataFrame(rows).dropna(axis="columns", how="all")
    by = next(part for part in ("average_large", "average", "own") if part in table)
    return table.sort_values(by, kind="stable", ignore_index=True)


def _opening(problem: workload.Problem) -> str:
    protocol = problem.protocol
    sentences = [
        f"Protocol {protocol.name}: bins of {protocol.bin_s:g} s, {protocol.context} bins seen, "
        f"decision for the bin {protocol.lead} ahead; {len(problem.train)} training and "
        f"{len(problem.validation)} validation windows.",
        *(f"Note: {note}." for note in notes(problem)),
    ]
    return " ".join(sentences)


def _pictures(
    curves: pd.DataFrame,
    table: pd.DataFrame,
    column: str,
    method: str,
    samples: Samples | None,
    bin_s: float,
) -> dict[str, Picture]:
    def picture(title: str, caption: str, name: str, *arguments, **options) -> Picture:
        def interactive():
            from lpo.runs import interactive  # plotly is an extra

            return getattr(interactive, name)(*arguments, **options)

        static = getattr(figures, name)(*arguments, **options)
        return Picture(title, caption, static, interactive)

    trained = set(curves["stage"])
    pictures = {
        "regret_by_set": picture(
            "Score by test set",
            "Every method and rule on every test set; grey: rules that learn nothing.",
            "score_by_set",
            table[table["method"] != "oracle"],
            column,
            LABELS[column],
            baselines=[name for name in table["method"].unique() if name not in trained],
            highlight=method,
        ),
        "training_curves": picture(
            "Training",
            "Losses of every stage against predictor steps; growth of the matching error, path "
            "divergence (nats), multiplier alpha, and losses of the adversary (docs/robust.md).",
            "training_curves",
            curves,
        ),
    }
    if samples is not None:
        pictures["windows"] = picture(
            "Real, sampled and worst-case windows",
            "Training windows, samples of the score model, the adversary on the same noise.",
            "windows",
            samples.real,
            samples.nominal,
            samples.worst,
            bin_s,
        )
    return pictures
