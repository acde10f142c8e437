"""What safety costs: cost against the rate of violated limits, drawn with matplotlib."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lpo.runs.style import MARKERS, colours

SAME, NEAR = 0.015, 0.05  # distances of points, in the spans of all


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
    spans = spans_of(table, x, y)
    own = [
        table if group is None else table.loc[table[group].astype(str) == name] for name in groups
    ]
    texts = iter(point_names(pd.concat(own), x, y, point, spans))
    for i, name in enumerate(groups):
        rows = own[i]
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
        for at, height in zip(across, along, strict=True):
            text = next(texts)
            if not text:
                continue
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


def spans_of(table: pd.DataFrame, x: str, y: str) -> np.ndarray:
    """[2] the distances that the points spread over, 1 where they do not."""
    return np.array([float(np.ptp(table[column].to_numpy(np.float64))) or 1.0 for column in (x, y)])


def point_names(rows: pd.DataFrame, x: str, y: str, point: str, spans: np.ndarray) -> list[str]:
    """What is written beside each row's point: its number.

    Points in one place share the name of the first, such as "3, inf"; the others have none. Nor has
    one near another of the same number, as where lines meet.
    """
    names: list[list[str]] = []
    places = rows[[x, y]].to_numpy(np.float64) / spans
    for i, text in enumerate(f"{value:g}" for value in rows[point]):
        names.append([])
        far = [np.hypot(*(places[i] - place)) for place in places[:i]]
        if any(text in names[k] and far[k] < NEAR for k in range(i)):
            continue
        same = next((k for k in range(i) if names[k] and far[k] < SAME), i)
        names[same].append(text)
    return [", ".join(each) for each in names]


def intervals_of(rows: pd.DataFrame, column: str) -> np.ndarray | None:
    """Distances [2, n] of a column to the ends of its intervals; None where it has none."""
    low, high = f"{column}_low", f"{column}_high"
    if low not in rows or high not in rows:
        return None
    middle = rows[column].to_numpy(np.float64)
    ends = [middle - rows[low].to_numpy(np.float64), rows[high].to_numpy(np.float64) - middle]
    return np.nan_to_num(np.array(ends)).clip(0)
