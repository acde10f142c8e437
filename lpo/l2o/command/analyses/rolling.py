"""A rolling horizon of the allocation program, by where each search begins:
`+experiment=l2o_rolling`. docs/l2o_warm_starts.md."""

import math
from time import perf_counter
from typing import Any

import pandas as pd

from lpo.allocate import Allocation
from lpo.errors import InputError
from lpo.l2o.command.analyses.refusing import refuse_comparison
from lpo.l2o.command.analyses.rolling_record import SOLVES, append, read
from lpo.l2o.command.analyses.rolling_starts import horizon
from lpo.l2o.command.analyses.rolling_tables import (
    incumbent_table,
    profile_table,
    solve_table,
    start_table,
)
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.warm.rolling import Solve, roll
from lpo.runs import Findings, Picture, ResultTable, RunFolder, progress
from lpo.runs.lines import Lines
from lpo.runs.numbers_given import SHARES, WHOLE, numbers_or, only
from lpo.runs.pictures import line_picture

SIZE = (20.0, 12.0, 15.0)
_USUAL = {
    "solves": 50.0,
    "time_limit_s": 30.0,
    "gap": 1e-2,
    "threads": 1.0,
    "instance": 1.0,
    "relaxations": 40.0,
    "problems": 2000.0,
    "training": 3000.0,
    "levels": 12.0,
    "samples": 8.0,
    "planner_s": 3.0,
}
_WHOLE = _USUAL.keys() - {"time_limit_s", "gap", "planner_s"}
_SHOWN = ("start", "first_s", "speedup", "fastest", "never", "make_s", "end_s", "excess",
          "worst_excess")  # fmt: skip


def find(cfg: L2oConfig, folder: RunFolder) -> Findings:
    """Solve every hour once from each start, those that an interrupted run has solved excepted.

    Raises InputError on settings of the comparison on a family, on `analysis.values` that mean
    nothing, and where a search ends without a plan.
    """
    refuse_comparison(cfg)
    size, given = _numbers(cfg)
    clock = perf_counter()
    over = horizon(cfg.seed, size, given)
    folder.record(timings_s={"labels_and_training": perf_counter() - clock})
    path = folder.path / SOLVES
    known = read(path, over.instance.shape)
    total = len(over.hours) * len(over.starters)
    with progress(total, "solving", "solve", done=len(known)) as advance:

        def done(solve: Solve, plan: Allocation) -> None:
            append(path, solve, plan)
            advance(1, {"hour": solve.period})

        solves = roll(
            over.instance,
            over.hours,
            over.starters,
            over.options,
            over.uncertainty,
            time_limit_s=given["time_limit_s"],
            gap=given["gap"],
            threads=int(given["threads"]),
            done=done,
            known=known,
        )
    return findings(solves, over.learned, size, given)


def findings(
    solves: list[Solve],
    learned: pd.DataFrame,
    size: tuple[int, int, int],
    given: dict[str, float],
) -> Findings:
    """What is to be said of the solves; given: the numbers of `analysis.values`."""
    table, each = start_table(solves, given["gap"]), solve_table(solves)
    profile = profile_table(solves, given["time_limit_s"])
    limit = f"{given['time_limit_s']:g} s"
    return Findings(
        result=_result(table),
        metrics={
            f"{name}/{row['start']}": None if pd.isna(row[name]) else float(row[name])
            for row in table.to_dict("records")
            for name in ("first_s", "speedup", "end_s", "excess", "worst_excess")
        },
        tables={
            "starts": ResultTable(
                "Where a search begins",
                f"{each['period'].nunique()} hours of {size[0]} query types, {size[1]} models and "
                f"{size[2]} GPU tiers; HiGHS, {limit} an hour, gap {given['gap']:g}. first_s: "
                "median seconds to the first plan within 1 % of the best known, which is the best "
                "that any start led to in that hour; empty where half of the hours have none. "
                "speedup: median over hours of that time from nothing over that from this start; "
                "speedup_low, speedup_high: 95 % bootstrap interval, hours drawn in blocks of six. "
                "fastest: hours in which it was first. never: share of hours without such a plan. "
                "make_s: making the start, which all times include. end_s: median end of the "
                "search. start_excess, excess: mean of the start's and the final plan's cost above "
                "the best known; worst_excess: in the worst hour. no_worse: share of hours whose "
                "final plan is within the gap of the one from nothing. reached_gap: share of "
                "searches that ended before the limit. fallback: share of hours in which the guard "
                "refused the prediction; started: in which there was a start.",
                table,
            ),
            "learned": ResultTable(
                "What learned starts take before the first hour",
                "labels_s: seconds for the relaxations that all learn from; fit_s: of training. "
                "kkt_median: error of predictions on fresh problems.",
                learned,
            ),
        },
        pictures={"time_to_1_percent": _picture(profile, limit)},
        shown=[("seconds to a plan within 1 %, and final plans", table.loc[:, list(_SHOWN)])],
        notes=_notes(table, learned),
        frames={"incumbents": incumbent_table(solves)},
        files={"solves": each},
    )


def _numbers(cfg: L2oConfig) -> tuple[tuple[int, int, int], dict[str, float]]:
    """The size, and all other numbers."""
    given = numbers_or(
        cfg,
        dict.fromkeys((*_WHOLE, "size"), WHOLE) | {"gap": SHARES},
        size=SIZE,
        **{name: [number] for name, number in _USUAL.items()},
    )
    size = given.pop("size")
    if len(size) != 3:
        words = "three whole numbers >= 1, of query types, models and GPU tiers"
        raise InputError(f"analysis.values.size: {size} given; allowed: {words}")
    i, j, k = (int(number) for number in size)
    return (i, j, k), only(given)


def _result(table: pd.DataFrame) -> str:
    """The start that is first, and the cold search."""
    return f"{_best(table)}; from nothing {_seconds(_row(table, 'none'))}"


def _best(table: pd.DataFrame) -> str:
    best = table.iloc[0]
    return f"{best['start']} leads to a plan within 1 % after {_seconds(best)} in the median hour"


def _row(table: pd.DataFrame, start: str) -> pd.Series:
    return table.loc[table["start"] == start].iloc[0]


def _seconds(row: pd.Series) -> str:
    first: Any = row["first_s"]
    return "never in half of the hours" if math.isnan(first) else f"{first:.3g} s"


def _notes(table: pd.DataFrame, learned: pd.DataFrame) -> list[str]:
    """Which start wins, whether that had to be learned, and what is not gained."""
    simple = table.loc[~table["learned"] & (table["start"] != "none")].iloc[0]
    network = table.loc[table["learned"]].iloc[0]
    cold = _row(table, "none")
    parts = [f"{row['start']}, {_seconds(row)}" for row in (simple, network)]
    if table.iloc[0]["learned"]:
        verdict = f"A learned start wins: {parts[1]}; the best without learning: {parts[0]}"
    elif table.iloc[0]["start"] == "none":
        verdict = f"No start has a lower median than none: simple {parts[0]}; learned {parts[1]}"
    else:
        verdict = f"A start that learns nothing wins: {parts[0]}; the best learned: {parts[1]}"
    cheapest = table.loc[table["excess"].idxmin()]
    soonest = table.loc[table["end_s"].idxmin()]
    worst = table["worst_excess"].to_numpy().max()
    before, training = learned["labels_s"].to_numpy()[0], learned["fit_s"].to_numpy().max()
    return [
        f"{verdict}. {simple['start']} is {simple['speedup']:.3g} times as fast as nothing, "
        f"{network['start']} {network['speedup']:.3g} times.",
        f"The cheapest final plans are from {cheapest['start']}: on average "
        f"{cheapest['excess']:.2%} above the best known, from nothing {cold['excess']:.2%}; "
        f"worst hour of any start: {worst:.2%}."
        if worst > 1e-6
        else "All starts end with equally good plans.",
        f"Searches end after {cold['end_s']:.3g} s from nothing, soonest from {soonest['start']} "
        f"with {soonest['end_s']:.3g} s: what remains is the proof.",
        f"Learning takes {before:.3g} s of labels and up to {training:.3g} s of "
        "training before the first hour; times do not include them.",
    ]


def _picture(profile: pd.DataFrame, limit: str) -> Picture:
    return line_picture(
        "Time to a plan within 1 % of the best known",
        f"Share of hours by seconds, the making of the start included; searches have {limit}.",
        profile,
        [Lines("Hours with a good plan", "seconds", "share", "start", log=(True, False))],
        {"seconds": "seconds", "share": "share of hours", "start": "start"},
    )
