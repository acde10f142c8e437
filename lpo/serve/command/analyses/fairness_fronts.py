"""Revenue against service levels: Pareto fronts, with the levels' prices as their slopes."""

import numpy as np
import pandas as pd

from lpo.errors import InputError
from lpo.runs import Findings, Picture, ResultTable
from lpo.runs.numbers_given import numbers_given
from lpo.runs.overlays import Look, Overlay, OverlayPanel, tangents
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.drawing import overlay_picture
from lpo.serve.command.problem import Problem
from lpo.serve.instance import Instance
from lpo.serve.plans.fronts import Front, level_front
from lpo.serve.plans.levels import RULES

UNITS = {
    "prefill_fairness": "largest difference of prefill slots per GPU",
    "decode_fairness": "largest difference of solo decodes per GPU",
    "tpot_s": "time per output token with all slots taken, s",
    "occupancy_tpot_s": "mean time per output token, s",
    "prefill_wait_s": "mean wait before prefill, s",
    "decode_wait_s": "mean wait before decoding, s",
    "ttft_s": "mean time to first token, s",
    "abandonment": "largest share that gives up",
    "service_share": "least share that is served",
    "kv_tokens": "tokens in the cache of a GPU",
}
"""Levels in words."""


def find(cfg: ServeConfig, problem: Problem) -> Findings:
    """One front a level of `analysis.values`; the other levels of the configuration stay."""
    fronts = [_front(problem, name, limits) for name, limits in numbers_given(cfg, RULES).items()]
    table = pd.concat([_table(problem, front) for front in fronts], ignore_index=True)
    kept = {front.level: _kept(front) for front in fronts}
    notes = []
    for front in fronts:
        missing = front.limits[np.isnan(front.value)]
        if len(missing):
            notes.append(f"{front.level}: no plan keeps {', '.join(f'{m:g}' for m in missing)}.")
    cheapest = {name: share for name, share in kept.items() if share is not None}
    said = ", ".join(f"{share:.1%} at the strictest {n}" for n, share in cheapest.items())
    return Findings(
        result=f"revenue that is kept: {said or 'no plan at any limit'}",
        metrics={
            "lp_reward_per_gpu": problem.optimum.value,
            **{f"kept_at_strictest_{name}": share for name, share in kept.items()},
            **{f"steepest_price_{front.level}": _steepest(front) for front in fronts},
        },
        tables={
            "fronts": ResultTable(
                "Fronts",
                "The plan at every limit, per GPU and second. price: what one unit more of the "
                "limit earns, the dual of the level; negative for a share that must be served. "
                "Empty where no plan keeps the limit.",
                table,
            )
        },
        pictures={"fronts": _picture(fronts), "classes": _classes(problem.instance, fronts)},
        shown=[("fronts", _ends(table))],
        notes=notes,
    )


def _front(problem: Problem, name: str, limits: np.ndarray) -> Front:
    try:
        return level_front(problem.instance, name, limits, problem.levels, pricing=problem.pricing)
    except InputError as error:
        raise InputError(f"analysis.values.{name}: {error}") from error


def _steepest(front: Front) -> float | None:
    """The price with the largest size."""
    known = front.slope[np.isfinite(front.slope)]
    return float(known[np.abs(known).argmax()]) if len(known) else None


def _kept(front: Front) -> float | None:
    """Revenue at the strictest limit that has a plan, as a share of that without the level."""
    known = front.value[np.isfinite(front.value)]
    if not len(known) or front.free <= 0.0:
        return None
    strictest = known[-1] if front.level == "service_share" else known[0]
    return float(strictest / front.free)


def _table(problem: Problem, front: Front) -> pd.DataFrame:
    arrival, rows = problem.instance.arrival, []
    for limit, slope, plan in zip(front.limits, front.slope, front.plans, strict=True):
        row: dict[str, object] = {"level": front.level, "limit": limit}
        if plan is not None:
            row |= {
                "value": plan.value,
                "revenue": plan.revenue,
                "price": slope,
                "prefill_slots": float(plan.x.sum()),
            }
            for i, served in enumerate(_shares(plan.completed, arrival)):
                row[f"served_share_{i}"] = served
        rows.append(row)
    head = ["level", "limit", "value", "revenue", "price", "prefill_slots"]
    shares = [f"served_share_{i}" for i in range(len(arrival))]
    return pd.DataFrame(rows, columns=pd.Index([*head, *shares]))


def _shares(completed: np.ndarray, arrival: np.ndarray) -> np.ndarray:
    """Of arrivals that are served [I]; NaN for a class that does not arrive."""
    return np.divide(completed, arrival, out=np.full_like(arrival, np.nan), where=arrival > 0)


def _ends(table: pd.DataFrame) -> pd.DataFrame:
    """The first and the last row of each level, and three between."""
    picked = []
    for _, rows in table.groupby("level", sort=False):
        at = np.unique(np.linspace(0, len(rows) - 1, 5).round().astype(int))
        picked.append(rows.iloc[at])
    return pd.concat(picked, ignore_index=True)


def _picture(fronts: list[Front]) -> Picture:
    panels = []
    for front in fronts:
        ends = front.limits[[0, -1]]
        pieces = tangents(front.limits, front.value, front.slope)
        panels.append(
            OverlayPanel(
                front.level,
                UNITS[front.level],
                "revenue per GPU and second",
                [
                    Overlay("without the level", ends, np.full(2, front.free), Look.DASHES),
                    Overlay("most at the limit", front.limits, front.value, Look.BOTH),
                    Overlay("price of the limit", *pieces, Look.LINE),
                ],
            )
        )
    caption = (
        "The most that a plan earns under each limit alone. The short lines have the dual of the "
        "level as their slope: what one more unit of the limit is worth. At a kink it is one of "
        "the two sides."
    )
    return overlay_picture("What service levels cost", caption, panels)


def _classes(instance: Instance, fronts: list[Front]) -> Picture:
    panels = []
    for front in fronts:
        nothing = np.full(len(instance.arrival), np.nan)
        shares = np.array(
            [
                nothing if plan is None else _shares(plan.completed, instance.arrival)
                for plan in front.plans
            ]
        )
        names = [
            f"class {i}: {prompt:g} prompt, {decode:g} output tokens"
            for i, (prompt, decode) in enumerate(zip(instance.prompt, instance.decode, strict=True))
        ]
        layers = [
            Overlay(name, front.limits, 100.0 * share)
            for name, share in zip(names, shares.T, strict=True)
        ]
        panels.append(OverlayPanel(front.level, UNITS[front.level], "requests served, %", layers))
    caption = "Who is served along each front: the share of each class that is completed."
    return overlay_picture("Who pays for service levels", caption, panels)
