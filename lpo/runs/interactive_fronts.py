"""The picture of `lpo.runs.fronts` as a plotly figure (needs `pip install lpo[report]`)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lpo.runs.fronts import intervals_of, point_names, spans_of
from lpo.runs.style import colours


def front(
    table: pd.DataFrame, x: str, y: str, point: str, group: str | None, labels: Mapping[str, str]
) -> go.Figure:
    """Points (`x`, `y`) with intervals, one line a value of `group`; see `lpo.runs.fronts`."""
    groups = [""] if group is None else list(dict.fromkeys(map(str, table[group])))
    colour = colours(groups)
    names = [labels.get(column, column) for column in (x, y, point)]
    figure, spans = go.Figure(), spans_of(table, x, y)
    for name in groups:
        rows = table if group is None else table.loc[table[group].astype(str) == name]
        line = go.Scatter(
            x=rows[x],
            y=rows[y],
            error_x=_bars(rows, x),
            error_y=_bars(rows, y),
            mode="lines+markers+text",
            text=point_names(rows, x, y, point, spans),
            customdata=[f"{value:g}" for value in rows[point]],
            textposition="top right",
            name=name,
            line={"color": colour[name], "width": 1.5},
            hovertemplate=f"<b>{names[2]} %{{customdata}}</b> {name}<br>{names[0]} %{{x:.4g}}<br>"
            f"{names[1]} %{{y:.5g}}<extra></extra>",
        )
        figure.add_trace(line)
    axis: Any = {"gridcolor": "#eeeeee", "showline": True, "linecolor": "#999999"}
    figure.update_xaxes(title_text=names[0], **axis)
    figure.update_yaxes(title_text=names[1], **axis)
    return figure.update_layout(
        template="plotly_white",
        height=460,
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        showlegend=group is not None,
        legend={"title": {"text": "" if group is None else labels.get(group, group)}},
    )


def _bars(rows: pd.DataFrame, column: str) -> dict[str, Any] | None:
    ends: np.ndarray | None = intervals_of(rows, column)
    if ends is None:
        return None
    return {"array": ends[1], "arrayminus": ends[0], "thickness": 1.2, "width": 3}
