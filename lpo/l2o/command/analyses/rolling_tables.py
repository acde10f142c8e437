"""Tables of a rolling run: what each start was worth, every solve, plans by time."""

from typing import Any

import numpy as np
import pandas as pd

from lpo.l2o.command.analyses.rolling_starts import LEARNED
from lpo.l2o.warm.rolling import Solve, first_within
from lpo.provision.intervals import block_median_interval

WITHIN = 1e-2
"""A plan counts as good within this of the best that any start led to."""
_BLOCK = 6  # hours drawn together: neighbours have nearly the same demand and prices


def solve_table(solves: list[Solve]) -> pd.DataFrame:
    """One row a solve; first_s is empty where no good plan came. excess: above the best known."""
    table = pd.DataFrame([solve._asdict() for solve in solves]).drop(columns=["incumbents"])
    best = table.groupby("period")["objective"].transform("min")
    first = [first_within(s, least, WITHIN) for s, least in zip(solves, best, strict=True)]
    table["best_known"] = best
    table["first_s"] = np.where(np.isfinite(first), first, np.nan)
    table["excess"] = (table["objective"] - best) / best.abs()
    return table.sort_values(["period", "starter"], kind="stable").reset_index(drop=True)


def incumbent_table(solves: list[Solve]) -> pd.DataFrame:
    """Every better plan as it came."""
    rows = [
        {"period": solve.period, "starter": solve.starter, "seconds": seconds, "usd": usd}
        for solve in solves
        for seconds, usd in solve.incumbents
    ]
    return pd.DataFrame(rows, columns=["period", "starter", "seconds", "usd"])


def start_table(solves: list[Solve], gap: float) -> pd.DataFrame:
    """One row a start, the one that is first within 1 % in the median hour on top.

    gap: of the searches. first_s: median seconds to a good plan. speedup: median over hours of that
    time from nothing over that from this start, with a 95 % interval by blocks of hours. never:
    share of hours without a good plan. make_s, end_s: medians. start_excess, excess: means of the
    start's and the final plan's cost above the best known. no_worse: share of hours whose plan is
    within the gap of that from nothing.
    """
    each: Any = solve_table(solves)
    each["first_s"] = each["first_s"].fillna(np.inf)
    each["start_excess"] = (each["start_usd"] - each["best_known"]) / each["best_known"].abs()
    first = each.pivot(index="period", columns="starter", values="first_s")
    usd = each.pivot(index="period", columns="starter", values="objective")
    fastest = first.where(np.isfinite(first)).idxmin(axis=1)
    rows = []
    for name in dict.fromkeys(solve.starter for solve in solves):
        own = each.loc[each["starter"] == name]
        faster = _ratio(first["none"].to_numpy(), first[name].to_numpy())
        between = block_median_interval(faster, block=_BLOCK)
        rows.append(
            {
                "start": name,
                "learned": name in map(str, LEARNED),
                "first_s": own["first_s"].median(),
                "speedup": float(np.median(faster)),
                "speedup_low": between.low,
                "speedup_high": between.high,
                "fastest": int((fastest == name).sum()),
                "never": float(np.isinf(own["first_s"]).mean()),
                "make_s": own["start_s"].median(),
                "end_s": own["end_s"].median(),
                "start_excess": own["start_excess"].mean(),
                "excess": own["excess"].mean(),
                "worst_excess": own["excess"].max(),
                "no_worse": float((usd[name] <= usd["none"] * (1.0 + gap)).mean()),
                "reached_gap": float((own["gap"] <= gap).mean()),
                "fallback": own["fell_back"].mean(),
                "started": own["started"].mean(),
            }
        )
    table = pd.DataFrame(rows).sort_values(["first_s", "excess"], kind="stable")
    return table.replace(np.inf, np.nan).reset_index(drop=True)


def profile_table(solves: list[Solve], limit_s: float) -> pd.DataFrame:
    """Share of hours with a good plan by seconds, a line a start."""
    each, parts = solve_table(solves), []
    hours = each["period"].nunique()
    for name in dict.fromkeys(solve.starter for solve in solves):
        seconds = each.loc[each["starter"] == name, "first_s"].dropna().sort_values().to_numpy()
        share = np.arange(1, len(seconds) + 1) / hours
        last = share[-1] if len(share) else 0.0
        ends = np.append(seconds, max(limit_s, seconds[-1] if len(seconds) else 0.0))
        parts.append(
            pd.DataFrame({"start": name, "seconds": ends, "share": np.append(share, last)})
        )
    return pd.concat(parts, ignore_index=True)


def _ratio(cold: pd.Series, own: pd.Series) -> np.ndarray:
    """cold / own by hour; 1 where both never came, 0 where only this one did not."""
    both = np.isinf(cold) & np.isinf(own)
    with np.errstate(invalid="ignore"):
        return np.where(both, 1.0, cold / np.maximum(own, 1e-9))
