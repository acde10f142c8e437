"""What the study shows: tables by part and setting, pictures, a report, notes on missing cells."""

from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from lpo import provision, workload
from lpo.runs import Picture, Report, ResultTable, RunFolder, print_table, write_report
from lpo.study.cells import Cell, load
from lpo.study.pictures import shown, summary_pictures
from lpo.study.plan import Group
from lpo.study.problem import judged_sets, problem_of
from lpo.study.published import beside_published
from lpo.study.tables import COMPARED, GAP, RULE, score_setting, set_table, summary_table
from lpo.study.work import floors_path
from lpo.train.problem import make_task
from lpo.train.results import LABELS, notes
from lpo.train.scoring import predict_rules, score_name

Planned: TypeAlias = dict[str, dict[str, list[Group]]]
"""Groups of cells by part and setting."""

OVERVIEW = (
    "Mean over seeds by method and architecture; rules learn nothing. Sets of fewer than "
    f"{workload.FEW_WINDOWS} windows do not count."
)
SUMMARY = (
    "own: test part of the service trained on; average, worst: over shifted sets, the worst "
    "set each seed's own; validation_average: over the validation part and its shifts. 95 % "
    "t-intervals over seeds; minus_*: paired differences to DFL-matched, DFL, Gaussian and "
    "diffusion augmentation of the same architecture, DFL of the linear normalised map and "
    "the tuned mean and maximum of 7, negative favours the method. floored_*: over shifted "
    "sets that have a floor, for comparison with the row of the floor. gaps: sets where DFL "
    f"costs {GAP:.0%} more than the floor; closed_*: shares of that gap."
)
TRAINING = "Seconds, and the last values of every metric, means over seeds; the epoch kept."
PUBLISHED = (
    "Printed scores of 3D-Learning, and ours by the same definition on every row of "
    "sets that are not quite the printed ones (docs/protocols.md); a column an architecture."
)


class Results(NamedTuple):
    """Tables by name, those by test set apart; pictures by name; overviews; notes; data sources."""

    summaries: dict[str, pd.DataFrame]
    tables: dict[str, ResultTable]
    by_set: dict[str, pd.DataFrame]
    pictures: dict[str, Picture]
    overviews: list[ResultTable]
    notes: list[str]
    sources: list[workload.Source]


def collect(planned: Planned, cells: Path) -> Results:
    """Judge what there is of the planned cells."""
    results = Results({}, {}, {}, {}, [], [], [])
    for part, by_setting in planned.items():
        summary = pd.concat(
            [
                _add_setting(results, f"{part}_{setting}", groups, cells)
                for setting, groups in by_setting.items()
            ]
        )
        results.summaries[part] = summary
        results.tables[f"{part}_summary"] = ResultTable(f"{part}: summary", SUMMARY, summary)
        whole = [cell for groups in by_setting.values() for each in groups for cell in each.cells]
        there = [cell for cell in whole if cell.path(cells).is_file()]
        if there:
            training = ResultTable(f"{part}: training", TRAINING, training_table(there, cells))
            results.tables[f"{part}_training"] = training
        if len(there) < len(whole):
            missing = len(whole) - len(there)
            results.notes.append(f"{part}: {missing} of {len(whole)} cells are missing")
    return results


def _add_setting(results: Results, name: str, groups: list[Group], cells: Path) -> pd.DataFrame:
    """Add the tables and pictures of a setting; returns its summary."""
    first = groups[0].dfl
    problem = problem_of(first.config, first.max_windows)
    task = make_task(first.config.provision, problem)
    forecasts, floors = _forecasts(groups, problem, task, cells)
    scored = score_setting(first.setting, problem, task, forecasts, floors)
    sets, summary = set_table(scored), summary_table(scored)
    results.by_set[name] = sets
    if problem.protocol.name == "paper":
        table = ResultTable(f"{name}: published scores", PUBLISHED, beside_published(sets))
        results.tables[f"{name}_published"] = table
    label = LABELS[score_name(task)]
    for value, picture in summary_pictures(summary, label).items():
        results.pictures[f"{name}_{value}"] = picture
    for value in COMPARED:
        if value in summary:
            title = f"{name}, {value}: {label}"
            results.overviews.append(ResultTable(title, OVERVIEW, overview(summary, value)))
    results.notes.extend(f"{name}: {line}" for line in notes(problem))
    results.sources.extend(each for each in problem.sources if each not in results.sources)
    return summary


def _forecasts(
    groups: list[Group], problem: workload.Problem, task: provision.Task, cells: Path
) -> tuple[dict[tuple[str, str], dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Forecasts of the rules, and those there are of cells and floors."""
    judged = problem._replace(tests=judged_sets(problem))
    forecasts = {(RULE, each.method): each.by_set for each in predict_rules(judged, task, 1)}
    if timed := forecasts.get((RULE, "time_of_day")):  # nothing says when validation windows were
        forecasts[RULE, "time_of_day"] = {name: timed[name] for name in problem.tests}
    for group in groups:
        for cell in group.cells:
            if cell.path(cells).is_file() and (by_set := load(cell.path(cells)).by_set):
                forecasts[cell.architecture, cell.method] = by_set
    first = groups[0].dfl
    path = floors_path(first.config, first.max_windows, first.setting, cells)
    return forecasts, load(path).by_set if path.is_file() else {}


def training_table(trained: list[Cell], folder: Path) -> pd.DataFrame:
    """Seconds, the epoch kept, and the last values of every cell's metrics, means over seeds."""
    rows = []
    for cell in trained:
        facts = load(cell.path(folder)).facts
        row: dict[str, Any] = {"setting": cell.setting, "architecture": cell.architecture}
        row |= {"method": cell.method, "diverged": facts.get("diverged", "")}
        row |= {f"{name}_s": seconds for name, seconds in facts["seconds"].items()}
        row |= {name: float(np.mean(values)) for name, values in facts.get("last", {}).items()}
        rows.append(row | {"commit": facts.get("commit")})
    return pd.DataFrame(rows)


def overview(summary: pd.DataFrame, value: str) -> pd.DataFrame:
    """One row a method, one column an architecture; the best method first."""
    rows = shown(summary, value)
    wide = rows.pivot(index="method", columns="architecture", values=value)
    in_order = wide.loc[
        list(dict.fromkeys(rows["method"])), list(dict.fromkeys(rows["architecture"]))
    ]
    return in_order.reset_index().rename_axis(columns=None)


def write_results(folder: RunFolder, results: Results) -> dict[str, float]:
    """Write tables, pictures and report, print the overviews; return the metrics."""
    for name, table in results.tables.items():
        folder.write_table(name, table.data)
    for name, table in results.by_set.items():
        folder.write_table(name, table)
    for name, picture in results.pictures.items():
        folder.write_figure(name, picture.static)
    opening = " ".join(f"Note: {line}." for line in results.notes)
    tables = [*results.overviews, *results.tables.values()]
    pictures = list(results.pictures.values())
    page = write_report(folder, Report("lpo study", opening, tables, pictures))
    for each in results.overviews:
        print_table(each.data, each.title)
    for line in results.notes:
        print(f"note: {line}")
    print(f"report: {page}")
    return _metrics(results.summaries)


def _metrics(summaries: dict[str, pd.DataFrame]) -> dict[str, float]:
    """`<measure>/<part>/<setting>/<architecture>/<method>`, means over seeds."""
    return {
        f"{value}/{part}/{row['setting']}/{row['architecture']}/{row['method']}": float(row[value])
        for part, summary in summaries.items()
        for row in summary.to_dict("records")
        for value in COMPARED
        if np.isfinite(row.get(value, np.nan))
    }
