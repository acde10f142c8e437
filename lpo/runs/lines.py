"""Lines over a number: means with standard errors, one line a value of a column, in panels."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lpo.runs.grids import clean, panel_columns
from lpo.runs.style import BASELINE, MARKERS, colours, dash

MARKED = 40  # points of a line: with more, markers hide it

_LINE_STYLES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}


class Lines(NamedTuple):
    """One panel: column `y` over column `x`, a line a value of `group` (None: one line).

    error: a column of standard errors, drawn as bars of 95 %. reference: a height that is marked by
    a dashed line, or a column with one a point. log: whether the axes are logarithmic. band: the
    columns of the lower and upper end of a shaded area.
    """

    title: str
    x: str
    y: str
    group: str | None = None
    error: str | None = None
    reference: float | str | None = None
    log: tuple[bool, bool] = (False, False)
    band: tuple[str, str] | None = None


def lines(table: pd.DataFrame, panels: Sequence[Lines], labels: Mapping[str, str]) -> Figure:
    """One figure of all panels; `labels` says a column in words, with its unit."""
    across = panel_columns(len(panels))
    down = -(-len(panels) // across)
    figure = Figure(figsize=(5.4 * across + 1.2, 3.9 * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for each, panel in zip(axes, panels, strict=False):
        _draw(each, table, panel, labels)
    for each in axes[len(panels) :]:
        each.set_visible(False)
    if len({panel.group for panel in panels}) == 1:
        _legend(figure, axes[0], panels[0], labels, loc="outside right upper")
    else:
        for each, panel in zip(axes, panels, strict=False):
            _legend(each, each, panel, labels)
    return figure


def groups_of(table: pd.DataFrame, panel: Lines) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each line by its name, without those that have no value, in order of x."""
    rows = table.dropna(subset=[panel.x, panel.y])
    if panel.group is None:
        return [("", rows.sort_values(panel.x, kind="stable"))]
    names = list(dict.fromkeys(table[panel.group]))
    each = [(name, rows.loc[rows[panel.group] == name]) for name in names]
    return [(str(name), part.sort_values(panel.x, kind="stable")) for name, part in each]


def half_width(rows: pd.DataFrame, panel: Lines) -> np.ndarray | None:
    """Half the width of a 95 % interval [points], None without errors."""
    if panel.error is None:
        return None
    return 1.96 * np.nan_to_num(rows[panel.error].to_numpy(np.float64))


def heights(rows: pd.DataFrame, panel: Lines) -> np.ndarray | None:
    """The reference at each point, None without one or where it has no values."""
    if panel.reference is None:
        return None
    if isinstance(panel.reference, str):
        return rows[panel.reference].to_numpy(np.float64)
    return np.full(len(rows), panel.reference)


def _draw(axes: Axes, table: pd.DataFrame, panel: Lines, labels: Mapping[str, str]) -> None:
    groups = groups_of(table, panel)
    colour = colours([name for name, _ in groups])
    for i, (name, rows) in enumerate(groups):
        axes.errorbar(
            rows[panel.x].to_numpy(np.float64),
            rows[panel.y].to_numpy(np.float64),
            yerr=half_width(rows, panel),
            marker="" if len(rows) > MARKED else MARKERS[i % len(MARKERS)],
            linestyle=_LINE_STYLES[dash(i)],
            color=colour[name],
            linewidth=1.3,
            markersize=4.5,
            elinewidth=1,
            capsize=2,
            label=name,
        )
        if panel.band is not None:
            low, high = (rows[end].to_numpy(np.float64) for end in panel.band)
            along = rows[panel.x].to_numpy(np.float64)
            axes.fill_between(along, low, high, color=colour[name], alpha=0.15, linewidth=0)
        reference = heights(rows, panel)
        if reference is not None and len(rows):
            shade = BASELINE if len(groups) == 1 or not isinstance(panel.reference, str) else None
            axes.plot(
                rows[panel.x], reference, "--", color=shade or colour[name], linewidth=1, zorder=1
            )
    axes.set_xscale("log" if panel.log[0] else "linear")
    axes.set_yscale("log" if panel.log[1] else "linear")
    axes.set(xlabel=labels.get(panel.x, panel.x), ylabel=labels.get(panel.y, panel.y))
    axes.set_title(panel.title, fontsize="medium", loc="left")
    clean(axes)


def _legend(
    place: Figure | Axes, axes: Axes, panel: Lines, labels: Mapping[str, str], **options: Any
) -> None:
    """The names of the lines of one panel, where there are several."""
    handles, names = axes.get_legend_handles_labels()
    if panel.group is not None and len(names) > 1:
        title = labels.get(panel.group, panel.group)
        small = {"fontsize": "small", "title_fontsize": "small"}
        place.legend(handles, names, title=title, frameon=False, **small, **options)
