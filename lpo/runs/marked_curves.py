"""Curves with a spread, a limit, feasible points and what was selected, drawn with matplotlib."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lpo.runs.box_scenes import INSIDE, MARKS, mark_of
from lpo.runs.grids import clean
from lpo.runs.style import BASELINE


class MarkedCurve(NamedTuple):
    """One panel: y [n] over x [n], shaded `spread` [n] above and below.

    x_label, y_label: with units. feasible: bool [n]. limit: dashed. marks: indices of selected
    points by their methods. range: where y can be at all.
    """

    x: np.ndarray
    y: np.ndarray
    spread: np.ndarray
    feasible: np.ndarray
    limit: float
    marks: dict[str, int]
    x_label: str
    y_label: str
    range: tuple[float, float] = (-np.inf, np.inf)


def marked_curves(panels: Sequence[MarkedCurve], names: dict[str, str]) -> Figure:
    """One figure of all panels, the marks as in `lpo.runs.boxes`; names: of methods in words."""
    figure = Figure(figsize=(4.6 * len(panels), 4.2), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False).ravel()
    for each, panel in zip(axes, panels, strict=True):
        _draw(each, panel, names)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    return figure


def ends_of(panel: MarkedCurve) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper end of the spread, inside the range."""
    return (
        np.clip(panel.y - panel.spread, *panel.range),
        np.clip(panel.y + panel.spread, *panel.range),
    )


def marks_in_order(panel: MarkedCurve) -> list[tuple[str, int]]:
    """Methods and indices, larger marks below smaller ones."""
    order = [*MARKS, *(name for name in panel.marks if name not in MARKS)]
    return [(name, panel.marks[name]) for name in order if name in panel.marks]


def _draw(axes: Axes, panel: MarkedCurve, names: dict[str, str]) -> None:
    low, high = ends_of(panel)
    axes.fill_between(panel.x, low, high, color="0.5", alpha=0.2, linewidth=0, label="± one sd")
    axes.plot(panel.x, panel.y, color="0.35", linewidth=1.2, label="mean")
    kept = panel.feasible
    axes.plot(panel.x[kept], panel.y[kept], "o", markersize=3, color=INSIDE, label="feasible")
    axes.axhline(panel.limit, linestyle="--", color=BASELINE, linewidth=1.2, label="limit")
    for method, at in marks_in_order(panel):
        mark = mark_of(method)
        axes.plot(
            panel.x[at],
            panel.y[at],
            mark.symbol,
            markersize=0.8 * mark.size,
            color=mark.colour,
            markeredgecolor="black",
            markeredgewidth=0.7,
            linestyle="none",
            label=names.get(method, method),
        )
    axes.set_xscale("log")
    axes.set(xlabel=panel.x_label, ylabel=panel.y_label)
    clean(axes)
