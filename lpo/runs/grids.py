"""Pictures of a table over two scales: heat maps, trends, stacked bars; drawn with matplotlib."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from lpo.runs.grid_values import GridValues, grid_values, selected, words
from lpo.runs.style import MISSING, PALETTE, SEQUENTIAL

ANNOTATED = 130  # cells of a panel: with more, numbers in them cannot be read


class Trend(NamedTuple):
    """A panel of `trends`: `value` along `x`, one line for each value of `by`.

    line: where a limit is drawn, None for nowhere.
    """

    x: str
    by: str
    value: str
    line: float | None = None


def heat_maps(
    table: pd.DataFrame, x: str, y: str, values: Sequence[str], labels: Mapping[str, str]
) -> Figure:
    """One panel a column of `values` over `x` and `y`; cells without a value are grey and hatched.

    `labels`: names of columns in words, with their units.
    """
    columns = panel_columns(len(values))
    rows = math.ceil(len(values) / columns)
    figure = Figure(figsize=(4.6 * columns, 3.7 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    missing: dict[str, Any] = {}
    for panel, value in zip(panels, values, strict=False):
        grid = grid_values(table, x, y, value)
        image = panel.imshow(
            np.ma.masked_invalid(grid.value), origin="lower", aspect="auto", cmap=SEQUENTIAL
        )
        bar = figure.colorbar(image, ax=panel, pad=0.02)
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        known = np.unique(grid.value[~grid.missing])
        if known.size == 1:
            bar.set_ticks(known.tolist())
        elif _whole(grid.value):
            bar.locator = MaxNLocator(integer=True)
        _annotate(panel, grid, image)
        missing |= _hatch(panel, grid)
        panel.set_xticks(range(grid.x.size), [f"{tick:g}" for tick in grid.x])
        panel.set_yticks(range(grid.y.size), [f"{tick:g}" for tick in grid.y])
        panel.set(title=labels.get(value, value), xlabel=labels.get(x, x), ylabel=labels.get(y, y))
        panel.tick_params(length=0, labelsize="small")
        panel.spines[:].set_visible(False)
    for panel in panels[len(values) :]:
        panel.set_axis_off()
    if missing:
        figure.legend(
            missing.values(), missing.keys(), loc="outside lower center", ncols=4, frameon=False
        )
    return figure


def trends(table: pd.DataFrame, panels: Sequence[Trend], labels: Mapping[str, str]) -> Figure:
    """Lines: one panel a `Trend`; crosses below them mark points without a value."""
    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(5.6 * columns, 3.5 * rows + 0.2), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(places, panels, strict=False):
        _trend(axes, table, panel, labels)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    return figure


def stacked_bars(
    tables: Mapping[str, pd.DataFrame],
    bar: str,
    parts: Sequence[str],
    labels: Mapping[str, str],
    label: str,
) -> Figure:
    """One panel a table, one bar a row, its `parts` stacked; rows without values are hatched.

    **Arguments:**

    - `tables`: by the titles of their panels; the columns `bar` and `parts`.
    - `label`: of the axis that the parts add up on.
    """
    width = sum(1.2 + 0.52 * len(table) for table in tables.values())
    figure = Figure(figsize=(min(max(width + 1.8, 6.5), 15), 4), layout="constrained")
    ratios = [2 + len(table) for table in tables.values()]
    panels = figure.subplots(1, len(tables), squeeze=False, width_ratios=ratios, sharey=True)[0]
    for panel, (title, table) in zip(panels, tables.items(), strict=True):
        names = [str(name) for name in table[bar]]
        heights = table[list(parts)].to_numpy(np.float64)
        known = np.isfinite(heights).all(axis=1)
        base = np.zeros(len(table))
        for i, part in enumerate(parts):
            height = np.nan_to_num(heights[:, i])
            panel.bar(
                range(len(table)),
                height,
                bottom=base,
                width=0.72,
                color=PALETTE[i % len(PALETTE)],
                label=labels.get(part, part),
            )
            base = base + height
        top = base.max() if known.any() else 1.0
        if not known.all():
            panel.bar(
                np.flatnonzero(~known),
                top * 0.06,
                width=0.72,
                color=MISSING,
                hatch="////",
                edgecolor="white",
                linewidth=0,
                label="no plan",
            )
        turned = max(map(len, names), default=0) > 5 and len(names) > 4
        panel.set_xticks(range(len(table)), names)
        if turned:
            panel.tick_params(axis="x", labelrotation=40)
            for tick in panel.get_xticklabels():
                tick.set(ha="right", rotation_mode="anchor")
        panel.set_title(title, fontsize="medium")
        panel.set_xlabel(labels.get(bar, bar))
        clean(panel)
        panel.grid(visible=False, axis="x")
    tops = [table[list(parts)].sum(axis=1).max() for table in tables.values()]
    panels[0].set_ylim(0, 1.05 * max([float(top) for top in tops if top > 0], default=1.0))
    panels[0].set_ylabel(label)
    handles = dict(
        pair
        for panel in panels
        for pair in zip(*reversed(panel.get_legend_handles_labels()), strict=True)
    )
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False)
    return figure


def _trend(axes: Axes, table: pd.DataFrame, panel: Trend, labels: Mapping[str, str]) -> None:
    grid = grid_values(table, panel.x, panel.by, panel.value)
    shades = line_colours(grid.y.size)
    for shade, values in zip(shades, grid.value, strict=True):
        axes.plot(grid.x, values, color=shade, linewidth=1.5, marker="o", markersize=3.5)
    if _whole(grid.value):
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if panel.line is not None:
        axes.axhline(panel.line, color="black", linewidth=1, linestyle="--")
    if grid.missing.any():
        _mark_missing(axes, grid, shades)
    _key(axes, shades, [f"{name:g}" for name in grid.y], labels.get(panel.by, panel.by))
    axes.set_xticks(grid.x if grid.x.size <= 12 else selected(grid.x, 8))
    axes.set(xlabel=labels.get(panel.x, panel.x), ylabel=labels.get(panel.value, panel.value))
    clean(axes)


def _key(axes: Axes, shades: Sequence[tuple[float, ...]], names: Sequence[str], label: str) -> None:
    """Colours of lines and their names beside the panel, in the order of the lines."""
    ends = np.arange(len(names) + 1) - 0.5
    scale = ScalarMappable(BoundaryNorm(ends, len(names)), ListedColormap(list(shades)))
    bar = axes.get_figure(root=True).colorbar(scale, ax=axes, pad=0.02)  # pyright: ignore
    bar.set_ticks(list(range(len(names))), labels=list(names))
    bar.ax.minorticks_off()
    bar.ax.tick_params(length=0, labelsize="x-small")
    bar.set_label(label, fontsize="small")


def _mark_missing(axes: Axes, grid: GridValues, shades: Sequence[tuple[float, ...]]) -> None:
    """Crosses below the lines, one row a line with points that have no value."""
    low, high = axes.get_ylim()
    lines = np.flatnonzero(grid.missing.any(axis=1))
    step = 0.035 * (high - low)
    axes.axhline(low, color="0.6", linewidth=0.8)
    for place, line in enumerate(lines):
        at = grid.x[grid.missing[int(line)]]
        height = np.full(at.size, low - (place + 0.8) * step)
        axes.plot(at, height, "x", color=shades[int(line)], markersize=4)
    axes.set_ylim(low - (len(lines) + 0.6) * step, high)
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= high])


def panel_columns(panels: int) -> int:
    """How many heat maps stand side by side: four as 2 x 2, six as 2 x 3."""
    return 3 if panels > 4 else min(2, panels)


def line_colours(number: int) -> list[tuple[float, ...]]:
    """Colours for lines in an order, dark to light; the lightest fifth cannot be seen on white."""
    return [colormaps[SEQUENTIAL](0.82 * i / max(number - 1, 1)) for i in range(number)]


def _whole(values: np.ndarray) -> bool:
    known = values[np.isfinite(values)]
    return bool((known == np.rint(known)).all())


def _annotate(panel: Axes, grid: GridValues, image: Any) -> None:
    if grid.value.size > ANNOTATED:
        return
    size = 8 if grid.value.size <= 36 else 7 if grid.value.size <= 64 else 5.5
    for row, column in np.argwhere(~grid.missing):
        value = float(grid.value[row, column])
        dark = float(image.norm(value)) < 0.6
        panel.text(
            column,
            row,
            short(value),
            ha="center",
            va="center",
            fontsize=size,
            color="white" if dark else "black",
        )


def _hatch(panel: Axes, grid: GridValues) -> dict[str, Patch]:
    """Draw cells without a value; return a patch for each status among them."""
    shown: dict[str, Patch] = {}
    for row, column in np.argwhere(grid.missing):
        status = words(grid.status[row, column])
        cell = {
            "facecolor": MISSING,
            "hatch": "////" if status == "infeasible" else "....",
            "edgecolor": "white",
            "linewidth": 0.0,
        }
        panel.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **cell))
        shown.setdefault(status, Patch(**cell))
    return shown


def short(value: float) -> str:
    """A number for a cell: three digits, more only before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def clean(panel: Axes) -> None:
    """No frame above and on the right, a light grid behind."""
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="both", color="0.93", linewidth=0.8)
    panel.set_axisbelow(True)
