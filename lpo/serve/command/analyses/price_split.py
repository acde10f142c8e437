"""Revenue against how a price per token is divided between prompts and outputs."""

import numpy as np
import pandas as pd

from lpo.errors import InputError
from lpo.runs import Findings, Picture, ResultTable
from lpo.runs.numbers_given import numbers_given
from lpo.runs.overlays import Look, Overlay, OverlayPanel
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.drawing import overlay_picture
from lpo.serve.command.problem import Problem
from lpo.serve.plans.levels import Penalised
from lpo.serve.plans.price_splits import PriceSplits, split_prices

SHARE = "share of the prompt, c_p / (c_p + c_d)"


def find(cfg: ServeConfig, problem: Problem) -> Findings:
    """Solve the plan at every `share` for every `total` of `analysis.values`."""
    given = numbers_given(cfg, ("total", "share"))
    missing = [name for name in ("total", "share") if name not in given]
    if missing:
        raise InputError(f"analysis.values: no {missing[0]} given; allowed: total and share")
    total, share = given["total"], given["share"]
    if total[0] <= 0.0 or share[-1] > 1.0 or len(share) < 3:
        raise InputError(
            f"analysis.values: totals from {total[0]:g}, {len(share)} shares to {share[-1]:g} "
            "given; allowed: totals > 0, at least three shares in [0, 1]"
        )
    found = split_prices(problem.instance, total, share, problem.levels, pricing=problem.pricing)
    best = found.shares[found.value.argmax(axis=1)]
    ends = np.maximum(found.value[:, 0], found.value[:, -1])
    inside = found.value[:, 1:-1].max(axis=1)
    most = float(found.value.max()) or 1.0
    metrics: dict[str, float | None] = {
        "best_share": float(best[0]) if len(set(best)) == 1 else None,
        "best_inside_over_best_end": float((inside / np.where(ends > 0, ends, np.nan)).max()),
        "least_change_of_slope": _least_change_of_slope(found),
        "largest_departure_from_homogeneity": _departure(found),
        "prompt_tokens_per_gpu_s_at_1": float(found.prompt_tokens[0, -1]),
        "decode_tokens_per_gpu_s_at_0": float(found.decode_tokens[0, 0]),
    }
    at_end = bool(np.all(inside <= ends + 1e-9 * most))
    where = "an end point" if at_end else "inside"
    said = ", ".join(f"{s:g}" for s in sorted(set(best)))
    return Findings(
        result=f"the best share lies at {where} for every total: {said}",
        metrics={
            name: None if v is None or not np.isfinite(v) else v for name, v in metrics.items()
        },
        tables={
            "splits": ResultTable(
                "Splits",
                "The plan at each total c_p + c_d and share of the prompt, per GPU and second. "
                "per_total: revenue / total, the same for every total. slope: derivative of the "
                "revenue in the share, total x (prompt_tokens - decode_tokens); at kinks that of "
                "one side.",
                _table(found),
            )
        },
        pictures={"splits": _picture(found)},
        shown=[("ends and best shares", _ends(found))],
        notes=_notes(problem),
    )


def _notes(problem: Problem) -> list[str]:
    notes = [
        "With fixed demand the revenue of the best plan is homogeneous in the two prices and "
        "convex in their split, being the largest of revenues that are linear in them: its "
        "maximum lies at an end point, and at the same one for every total. arXiv 2602.02987 "
        "reports one best ratio for all totals; whether there is one inside stays open here, "
        "because that needs demand that answers to prices."
    ]
    priced = [name for name, level in problem.levels._asdict().items() if _is_priced(name, level)]
    if priced:
        notes.append(
            f"{', '.join(priced)} has a price of its own, which does not grow with the total: "
            "the value is convex in the split and not homogeneous."
        )
    return notes


def _is_priced(name: str, level: object) -> bool:
    return isinstance(level, Penalised) or (name == "least_share_price" and level is not None)


def _departure(found: PriceSplits) -> float:
    """Largest relative difference of value / total from that of the first total."""
    per = found.value / found.totals[:, None]
    return float(np.abs(per - per[0]).max() / (np.abs(per[0]).max() or 1.0))


def _least_change_of_slope(found: PriceSplits) -> float:
    """Of the slopes of value / total between neighbouring shares; not negative if convex."""
    slopes = np.diff(found.value / found.totals[:, None], axis=1) / np.diff(found.shares)
    return float(np.diff(slopes, axis=1).min())


def _table(found: PriceSplits) -> pd.DataFrame:
    total, share = np.meshgrid(found.totals, found.shares, indexing="ij")
    return pd.DataFrame(
        {
            "total": total.ravel(),
            "share": share.ravel(),
            "price_prompt": (share * total).ravel(),
            "price_decode": ((1.0 - share) * total).ravel(),
            "value": found.value.ravel(),
            "per_total": (found.value / total).ravel(),
            "prompt_tokens": found.prompt_tokens.ravel(),
            "decode_tokens": found.decode_tokens.ravel(),
            "slope": found.slope.ravel(),
        }
    )


def _ends(found: PriceSplits) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "total": found.totals,
            f"revenue_at_{found.shares[0]:g}": found.value[:, 0],
            "least_revenue": found.value.min(axis=1),
            f"revenue_at_{found.shares[-1]:g}": found.value[:, -1],
            "best_share": found.shares[found.value.argmax(axis=1)],
        }
    )


def _picture(found: PriceSplits) -> Picture:
    names = [f"c_p + c_d = {total:g}" for total in found.totals]
    chords = [
        Overlay("chord", found.shares[[0, -1]], value[[0, -1]], Look.DASHES)
        for value in found.value
    ]
    curves = [
        Overlay(name, found.shares, value, Look.LINE)
        for name, value in zip(names, found.value, strict=True)
    ]
    each = [
        Overlay(name, found.shares, value / total, Look.POINTS)
        for name, value, total in zip(names, found.value, found.totals, strict=True)
    ]
    tokens = [
        Overlay("prompt tokens", found.shares, found.prompt_tokens[0]),
        Overlay("generated tokens", found.shares, found.decode_tokens[0]),
    ]
    panels = [
        OverlayPanel(
            "convex in the share", SHARE, "revenue per GPU and second", [*chords, *curves]
        ),
        OverlayPanel("homogeneous in the prices", SHARE, "revenue / (c_p + c_d)", each),
        OverlayPanel("what is sold", SHARE, "tokens per GPU and second", tokens),
    ]
    caption = (
        "Left: the revenue of the best plan lies nowhere above the dashed chord between its ends, "
        "so that an end is best. Middle: divided by the total all curves are one. Right: the "
        "tokens that the plan sells, whose difference is the slope of that curve: where more "
        "prompt tokens are sold, a dearer prompt earns more."
    )
    return overlay_picture("Revenue and the split of prices", caption, panels)
