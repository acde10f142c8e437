"""What safety costs: cost against the rate of violated limits, drawn with matplotlib."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lpo.runs.style import MARKERS, colours


def front(
    table: pd.DataFrame, x: str, y: str, point: str, group: str | None, labels: Mapping[str, str]
) -> Figure:
    """Points (`x`, `y`) in the order of rows, their numbers `point`, one line a value of `group`.

    `table`: the columns `x`, `y`, `point`, `group`, and the ends of intervals `<x>_low`,
    `<x>_high`, `<y>_low`, `<y>_high` where there are any.
    """
    groups = [""] if group is None else list(dict.fromkeys(map(str, table[group])))
    colour = colours(groups)
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.subplots()
    spans = [float(np.ptp(table[column].to_numpy(np.float64))) or 1.0 for column in (x, y)]
    named: list[tuple[str, np.ndarray]] = []
    for i, name in enumerate(groups):
        rows = table if group is None else table.loc[table[group].astype(str) == name]
        across, along = rows[x].to_numpy(np.float64), rows[y].to_numpy(np.float64)
        axes.errorbar(
            across,
            along,
            xerr=intervals_of(rows, x),
            yerr=intervals_of(rows, y),
            fmt=f"{MARKERS[i % len(MARKERS)]}-",
            color=colour[name],
            linewidth=1.2,
            markersize=5.5,
            elinewidth=1,
            capsize=2,
            label=name,
        )
        for at, height, value in zip(across, along, rows[point], strict=True):
            text = f"{value:g}"
            place = np.array([at, height]) / spans
            if any(text == known and np.hypot(*(place - spot)) < 0.05 for known, spot in named):
                continue  # the same name once where lines meet
            named.append((text, place))
            axes.annotate(
                text,
                (at, height),
                xytext=(6, 6),
                textcoords="offset points",
                fontsize="small",
                color=colour[name],
            )
    axes.set(xlabel=labels.get(x, x), ylabel=labels.get(y, y))
    axes.set_title(f"numbers: {labels.get(point, point)}", fontsize="small", loc="left")
    axes.margins(x=0.08, y=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.93", linewidth=0.8)
    axes.set_axisbelow(True)
    if group is not None:
        figure.legend(title=labels.get(group, group), loc="outside right upper", frameon=False)
    return figure


def intervals_of(rows: pd.DataFrame, column: str) -> np.ndarray | None:
    """Distances [2, n] of a column to the ends of its intervals; None where it has none."""
    low, high = f"{column}_low", f"{column}_high"
    if low not in rows or high not in rows:
        return None
    middle = rows[column].to_numpy(np.float64)
    ends = [middle - rows[low].to_numpy(np.float64), rows[high].to_numpy(np.float64) - middle]
    return np.nan_to_num(np.array(ends)).clip(0)
