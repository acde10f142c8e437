"""The pictures of a sensitivity analysis."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpo.allocate.sweep import Analysis, Axis
from lpo.runs import Picture
from lpo.runs.grid_values import selected
from lpo.runs.grids import Trend, heat_maps, stacked_bars, trends
from lpo.runs.surfaces import surface

BARS = 12  # selected points of an axis
PARTS = ("C1_rental", "C2_storage", "C3_robust_delay", "C4_unmet")
LABELS = {
    "total_cost": "total cost, $",
    "C1_rental": "rent, $",
    "C2_storage": "storage, $",
    "C3_robust_delay": "delay, $",
    "C4_unmet": "dropped queries, $",
    "C1_pct": "rent, % of cost",
    "C2_pct": "storage, % of cost",
    "C3_pct": "delay, % of cost",
    "C4_pct": "dropped queries, % of cost",
    "total_gpus": "GPUs",
    "total_unmet_fraction": "dropped shares, sum",
    "avg_delay": "delay, ms a query",
    "avg_error": "error",
    "avg_tp_degree": "mean tensor-parallel degree",
    "budget_utilization": "share of the budget that is spent",
    "avg_delay_utilization": "mean delay / limit",
    "avg_error_utilization": "mean error / limit",
    "avg_memory_util": "mean use of memory",
    "max_memory_util": "largest use of memory",
}


class _Case(NamedTuple):
    """An analysis with its table and all labels; a, b: the columns of its scales."""

    analysis: Analysis
    table: pd.DataFrame
    labels: dict[str, str]
    a: str
    b: str


def sweep_pictures(analysis: Analysis, table: pd.DataFrame) -> dict[str, Picture]:
    """The figures of an analysis by their names; `table`: `lpo.allocate.sweep.table.sweep_table`.

    A published analysis has those that were published with it, any other one all that its columns
    allow. None without a plan at any point.
    """
    if not np.isfinite(table["total_cost"].to_numpy(np.float64)).any():
        return {}
    axes = {axis.column: f"{_spoken(axis)} scale" for axis in (analysis.a, analysis.b)}
    degrees = {
        name: f"deployments at degree {name.split('_')[1]}"
        for name in map(str, table.columns)
        if name.startswith("tp_")
    }
    case = _Case(analysis, table, LABELS | axes | degrees, analysis.a.column, analysis.b.column)
    return {
        name: picture
        for name, make in PICTURES.items()
        if name in CHOSEN.get(analysis.name, PICTURES) and (picture := make(case)) is not None
    }


def _costs(case: _Case) -> Picture | None:
    fourth = FOURTH.get(case.analysis.name, "C3_robust_delay")
    values = ("total_cost", "C1_rental", "C4_unmet", fourth)
    return _heat(case, "Costs", "Grey: no plan.", values)


def _trends(case: _Case) -> Picture | None:
    panels = [
        Trend(case.a, case.b, "total_cost"),
        Trend(case.b, case.a, "total_cost"),
    ]
    return _lines(case, "Total cost along each scale", "Crosses: no plan.", panels)


def _breakdown(case: _Case) -> Picture:
    return _stacked(case, "Parts of the cost", PARTS, "$")


def _degrees(case: _Case) -> Picture:
    parts = [name for name in map(str, case.table.columns) if name.startswith("tp_")]
    return _stacked(case, "Deployments by tensor-parallel degree", parts, "deployments")


def _degree_maps(case: _Case) -> Picture | None:
    counts = [name for name in map(str, case.table.columns) if name.startswith("tp_")]
    values = ["avg_tp_degree", *counts[:4], "total_gpus"]
    return _heat(case, "Tensor-parallel degrees", "Deployments by degree, and all GPUs.", values)


def _performance(case: _Case) -> Picture | None:
    values = ("total_gpus", "total_unmet_fraction", "avg_delay", "avg_error")
    return _heat(case, "GPUs, dropped queries, delay and error", "As expected, nominal.", values)


def _percents(case: _Case) -> Picture | None:
    values = ("C1_pct", "C2_pct", "C3_pct", "C4_pct")
    return _heat(case, "Parts in per cent", "Of the total cost.", values)


def _utilisation(case: _Case) -> Picture | None:
    panels = [
        Trend(case.a, case.b, "avg_delay_utilization", 1.0),
        Trend(case.b, case.a, "avg_error_utilization", 1.0),
    ]
    caption = (
        "Nominal delay and error over their limits. The published profiles multiply the delay "
        "limit by the GPUs of an unrelated deployment, so that more than 1 is possible there."
    )
    return _lines(case, "Use of the limits", caption, panels)


def _budget(case: _Case) -> Picture | None:
    panels = [
        Trend(case.a, case.b, "budget_utilization", 1.0),
        Trend(case.a, case.b, "total_gpus"),
    ]
    return _lines(case, "Budget", "Share that is spent on rent and storage; GPUs.", panels)


def _rental(case: _Case) -> Picture | None:
    panels = [
        Trend(case.a, case.b, "C1_pct"),
        Trend(case.a, case.b, "total_unmet_fraction"),
    ]
    return _lines(case, "Rent and dropped queries", "Along the first scale.", panels)


def _memory(case: _Case) -> Picture | None:
    panels = [
        Trend(case.b, case.a, "avg_memory_util", 1.0),
        Trend(case.a, case.b, "total_gpus"),
    ]
    return _lines(case, "Use of memory, and GPUs", "Along each scale.", panels)


def _surface(case: _Case) -> Picture:
    arguments = (case.table, case.a, case.b, "total_cost", case.labels)
    caption = (
        "Crosses on the floor: no plan. Among the figures, a face has the colour of the "
        "mean of its corners."
    )
    return _picture("Cost over both scales", caption, surface, arguments, "surface")


PICTURES: dict[str, Callable[[_Case], Picture | None]] = {
    "costs": _costs,
    "trends": _trends,
    "surface": _surface,
    "breakdown": _breakdown,
    "budget": _budget,
    "rental": _rental,
    "performance": _performance,
    "utilisation": _utilisation,
    "percents": _percents,
    "memory": _memory,
    "degrees": _degrees,
    "degree_maps": _degree_maps,
}
FOURTH = {
    "cost_budget": "budget_utilization",
    "gpu_cost_error": "total_gpus",
    "memory_error": "avg_memory_util",
}
_ALWAYS = {"costs", "trends", "surface", "breakdown"}
CHOSEN = {
    "cost_budget": _ALWAYS | {"budget", "rental"},
    "delay_error_threshold": _ALWAYS
    | {"performance", "utilisation", "percents", "degrees", "degree_maps"},
    "gpu_cost_error": _ALWAYS,
    "memory_error": _ALWAYS | {"memory", "degrees", "degree_maps"},
}


def _heat(case: _Case, title: str, caption: str, values: Sequence[str]) -> Picture | None:
    if not set(values) <= set(case.table.columns):
        return None
    arguments = (case.table, case.a, case.b, list(values), case.labels)
    return _picture(title, caption, heat_maps, arguments, "heat_maps")


def _lines(case: _Case, title: str, caption: str, panels: Sequence[Trend]) -> Picture | None:
    if not {panel.value for panel in panels} <= set(case.table.columns):
        return None
    return _picture(title, caption, trends, (case.table, list(panels), case.labels), "trends")


def _stacked(case: _Case, title: str, parts: Sequence[str], label: str) -> Picture:
    """Bars along either scale, the other one as it is, or in the middle of its grid."""
    tables = {}
    for axis, other in ((case.analysis.a, case.analysis.b), (case.analysis.b, case.analysis.a)):
        middle = 1.0 if 1.0 in other.values else other.values[len(other.values) // 2]
        name = f"along the {_spoken(axis)} scale, {_spoken(other)} scale {middle:g}"
        tables[name] = _along(case.table, axis, other, middle)
    labels = case.labels | {"value": "scale"}
    caption = "Along each scale, the other one 1, or in the middle of its grid."
    arguments = (tables, "value", list(parts), labels, label)
    return _picture(title, caption, stacked_bars, arguments, "stacked_bars")


def _spoken(axis: Axis) -> str:
    return axis.scale.replace("_", " ")


def _along(table: pd.DataFrame, axis: Axis, other: Axis, middle: float) -> pd.DataFrame:
    rows = table.loc[table[other.column] == middle]
    shown = set(selected(np.array(axis.values), BARS).tolist())
    rows = rows.loc[[value in shown for value in rows[axis.column]]]
    return rows.assign(value=[f"{value:g}" for value in rows[axis.column]])


def _picture(
    title: str, caption: str, draw: Callable[..., Any], arguments: tuple[Any, ...], name: str
) -> Picture:
    def interactive() -> Any:
        from lpo.runs import interactive_grids  # plotly is an extra

        return getattr(interactive_grids, name)(*arguments)

    return Picture(title, caption, draw(*arguments), interactive)
