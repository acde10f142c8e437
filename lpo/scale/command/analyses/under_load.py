"""Passes on a cluster that is shared: times, costs and choices, under load and without."""

from pathlib import Path

import numpy as np
import pandas as pd

from lpo.errors import InputError
from lpo.runs import Findings, ResultTable, check
from lpo.runs.experiments import find_conf
from lpo.runs.numbers_given import WHOLE, numbers_or
from lpo.scale.command.analyses.under_load_pictures import (
    accuracy_picture,
    slots_in_words,
    time_picture,
)
from lpo.scale.command.analyses.under_load_tables import (
    Cases,
    passes_by_method,
    query_table,
    selections_table,
)
from lpo.scale.command.config import FeasibilityKind, LatencyKind, MethodKind, ScaleConfig
from lpo.scale.command.question import Question
from lpo.scale.command.reasons import NOTHING
from lpo.scale.command.refusing import refuse_others
from lpo.scale.under_load import (
    Cluster,
    Cost,
    UnderLoad,
    curves_under_load,
    curves_without_load,
    make_cluster,
    notes,
    serve_passes,
    time_in_run,
)
from lpo.serve import PublishedFit, read_published_fit

PASSES = (1, 2, 4, 6, 8, 10, 12, 16, 24, 32)
"""k unless `analysis.values.k` says others: each is a simulation."""
HERE = "in analysis under_load"
ONLY = {
    "contention": 0.0,
    "method": MethodKind.exact,
    "feasibility": FeasibilityKind.mean,
    "slot_price": 0.0,
    "most_parallel": None,
    "bootstrap": 0,
}
"""Times are those of the cluster, all else is exact; each model chooses for itself."""
SHOWN = {
    "model": "model",
    "parallel": "P",
    "k": "k",
    "load": "load",
    "time_s": "time, s",
    "time_sem": "+-",
    "unloaded_s": "without load, s",
    "cost_average_usd": "share of GPUs, $",
    "cost_marginal_usd": "work, $",
    "accuracy": "accuracy",
}
"""Columns on the terminal, and what they are called there."""


def find(cfg: ScaleConfig, asked: Question) -> Findings:
    """Return time and cost of the passes of every model, and what each method chooses.

    Raises InputError on settings other than `ONLY`, on latencies other than waves and mean, and on
    numbers of passes and clusters that mean nothing.
    """
    refuse_others(cfg, ONLY, HERE)
    known = (LatencyKind.waves, LatencyKind.mean)
    check(cfg, "latency", lambda latency: latency in known, f"waves, mean ({HERE})")
    asked = asked._replace(k=_passes(cfg))
    cluster = _cluster(cfg)
    cases = _cases(cfg, asked, cluster)
    times, selections = query_table(asked, cases), selections_table(cfg, asked, cases)
    kinds, pictures = _of_equal_times(cases.found), {}
    for i, kind in enumerate(kinds):
        ending = f"_{i + 1}" if i else ""
        pictures[f"times{ending}"] = time_picture(asked, cases, kind)
        pictures[f"accuracy{ending}"] = accuracy_picture(asked, cases, kind[0])
    shown = times.loc[times["model"].isin([asked.models.names[kind[0]] for kind in kinds])]
    given = cfg.cluster
    return Findings(
        result=_result(asked, cases.found, selections),
        metrics=_metrics(asked, cases.found, selections),
        tables={
            "selections": ResultTable(
                "The choice under load and without",
                f"Of each model, among k = {', '.join(map(str, asked.k))}. without load: passes "
                "that are alone on a GPU, at the same cost. load: of the cluster if every query "
                "takes that choice; from 1 on it cannot be served. k = -1: nothing is feasible, or "
                "no knee; note says why.",
                selections,
            ),
            "under_load": ResultTable(
                "Queries on the cluster",
                f"{given.gpus} GPUs of {given.hardware}, {given.queries_per_s:g} queries per "
                f"second, {given.policy}. time_s: of a query, infinite where passes pile up "
                "(steady false); measured_s: in this run, steady or not; unloaded_s: of passes "
                "that are alone on a GPU. unfinished: share of passes when the run ends. "
                "cost_average_usd: a query's share of all GPUs; cost_marginal_usd: what its passes "
                "take where GPUs are full.",
                times,
            ),
        },
        pictures=pictures,
        shown=[
            ("time and cost of a query under load", shown[list(SHOWN)].rename(columns=SHOWN)),
            (f"passes by model and method; {NOTHING}", passes_by_method(selections)),
        ],
        notes=[
            f"All models run on {given.hardware}: their lengths and scores count, their prices and "
            "speeds do not.",
            *notes(cases.found, asked.models.names),
        ],
    )


def _passes(cfg: ScaleConfig) -> np.ndarray:
    given = numbers_or(cfg, {"k": WHOLE}, k=PASSES)["k"]
    kept = [k for k in given if k <= cfg.k_max]
    if not kept:
        raise InputError(
            f"analysis.values.k: {given} given; allowed: one up to {cfg.k_max} (k_max)"
        )
    return np.unique(kept).astype(np.int64)


def _cluster(cfg: ScaleConfig) -> Cluster:
    given = cfg.cluster
    fit = _hardware(given.hardware)
    try:
        return make_cluster(
            queries_per_s=given.queries_per_s,
            gpus=given.gpus,
            gpu_hour_usd=given.gpu_hour_usd,
            policy=given.policy,
            hardware=fit.hardware,
            times=fit.iteration_time,
        )
    except InputError as error:
        raise InputError(f"cluster: {error}") from error


def _hardware(given: str) -> PublishedFit:
    """A profile by its name in conf/hardware, or by its path."""
    folder = find_conf() / "hardware"
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if given in names:
        return read_published_fit(folder / f"{given}.yaml")
    if not Path(given).is_file():
        raise InputError(
            f"cluster.hardware: {given} given; allowed: {', '.join(names)}, or a file like theirs"
        )
    return read_published_fit(given)


def _cases(cfg: ScaleConfig, asked: Question, cluster: Cluster) -> Cases:
    given, models = cfg.cluster, asked.models.models
    try:
        found = serve_passes(
            cluster,
            models,
            asked.k,
            asked.parallel,
            pairs=asked.pairs,
            seconds=given.seconds,
            warm_up_s=given.warm_up_s,
            cool_down_s=given.cool_down_s,
            seeds=given.seeds,
            seed=cfg.seed,
        )
    except InputError as error:
        raise InputError(f"cluster: {error}") from error
    laws = asked.laws, asked.numbers
    average, marginal = (
        curves_under_load(*laws, models, cluster, found, pairs=asked.pairs, cost=cost)
        for cost in (Cost.AVERAGE, Cost.MARGINAL)
    )
    cost = Cost(given.cost.name)
    alone = curves_without_load(
        *laws, models, cluster, asked.k, asked.parallel, pairs=asked.pairs, cost=cost
    )
    under = average if cost == Cost.AVERAGE else marginal
    measured = time_in_run(asked.laws, found)
    return Cases(found, measured, under, alone, average.cost, marginal.cost)


def _of_equal_times(found: UnderLoad) -> list[list[int]]:
    """Models whose passes are equally long, and are simulated once, together."""
    kinds: dict[bytes, list[int]] = {}
    for m, times in enumerate(found.query_s.mean):
        kinds.setdefault(times.tobytes(), []).append(m)
    return list(kinds.values())


def _result(asked: Question, found: UnderLoad, selections: pd.DataFrame) -> str:
    """What is most accurate in the first scenario, of the first model on the most slots."""
    model, slots = asked.models.names[0], int(asked.parallel[-1])
    rows = selections.loc[
        (selections["scenario"] == asked.scenarios[0])
        & (selections["model"] == model)
        & (selections["parallel"] == slots)
        & (selections["method"] == "accuracy_max")
    ]
    under, without = (f"k = {k}" if k > 0 else "none" for k in rows["k"])
    full = found.k[0] / found.load[0, 0]
    return (
        f"{asked.scenarios[0]}: the most accurate choice of {model} on {slots_in_words(slots)} is "
        f"{under} under load and {without} without; GPUs are full at k = {full:.3g}"
    )


def _metrics(
    asked: Question, found: UnderLoad, selections: pd.DataFrame
) -> dict[str, float | None]:
    """Of each model the passes that fill all GPUs, the most that are steady, and what is most
    accurate; None where there are none."""
    metrics: dict[str, float | None] = {}
    for m, name in enumerate(asked.models.names):
        metrics[f"{name}/passes_that_fill_all"] = float(found.k[0] / found.load[m, 0])
        for p, slots in enumerate(asked.parallel):
            steady = asked.k[found.steady[m, p]]
            most = float(steady.max()) if len(steady) else None
            metrics[f"{name}/P_{slots}/most_steady_k"] = most
    rows = selections.loc[selections["method"] == "accuracy_max"]
    for row in rows.to_dict("records"):
        key = f"{row['scenario']}/{row['model']}/P_{row['parallel']}"
        setting = row["setting"].replace(" ", "_")
        metrics[f"{key}/accuracy_max_{setting}/k"] = float(row["k"]) if row["k"] > 0 else None
    return metrics
