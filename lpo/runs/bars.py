"""Horizontal bars, one above the other: parts of a whole, or several shares side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lpo.runs.style import BASELINE, PALETTE


def bars(
    table: pd.DataFrame,
    rows: str,
    columns: Sequence[str],
    label: str,
    *,
    stacked: bool = False,
    limit: float | None = None,
    spreads: Mapping[str, str] | None = None,
) -> Figure:
    """One line a value of column `rows`, one bar a column of `columns`, NaN as no bar.

    **Arguments:**

    - `label`: what the bars measure, with its unit; the axis label.
    - `stacked`: the columns are parts of a whole and stand behind each other.
    - `limit`: a value that the bars may reach, drawn as a line.
    - `spreads`: the column with half the length of a thin line at the end of a bar, by its column.
    """
    lines = [str(name) for name in table[rows]]
    thick = 0.7 if stacked else 0.8 / max(len(columns), 1)
    figure = Figure(figsize=(9.5, 1.3 + 0.42 * len(lines)), layout="constrained")
    panel = figure.subplots()
    start = np.zeros(len(lines))
    for i, column in enumerate(columns):
        values = np.nan_to_num(table[column].to_numpy(np.float64))
        at = np.arange(len(lines)) + (0.0 if stacked else (i + 0.5) * thick - 0.4)
        drawn = panel.barh(
            at,
            values,
            thick,
            left=start,
            color=PALETTE[i % len(PALETTE)],
            label=column,
            xerr=half_length(table, column, spreads),
            error_kw={"ecolor": "0.35", "elinewidth": 1, "capsize": 2},
        )
        if len(columns) == 1:
            plain = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
            panel.bar_label(drawn, fmt="%.4g", padding=4, fontsize="small", bbox=plain)
            panel.margins(x=0.1)  # room for the numbers
        start = start + values if stacked else start
    if limit is not None:
        panel.axvline(limit, color=BASELINE, linestyle="--", linewidth=1)
    panel.set_yticks(range(len(lines)), lines)
    panel.invert_yaxis()
    panel.set_xlabel(label)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="x", color="0.93", linewidth=0.8)
    panel.set_axisbelow(True)
    if len(columns) > 1:
        figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    return figure


def half_length(
    table: pd.DataFrame, column: str, spreads: Mapping[str, str] | None
) -> np.ndarray | None:
    """Half the length of the lines at the ends of a column's bars [rows], None without any."""
    if not spreads or column not in spreads:
        return None
    return np.nan_to_num(table[spreads[column]].to_numpy(np.float64))
