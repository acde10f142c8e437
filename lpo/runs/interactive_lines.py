"""The pictures of `lpo.runs.lines` as plotly figures (need `pip install lpo[report]`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lpo.runs.grids import panel_columns
from lpo.runs.lines import MARKED, Lines, groups_of, half_width, heights
from lpo.runs.style import BASELINE, colours, dash


def lines(table: pd.DataFrame, panels: Sequence[Lines], labels: Mapping[str, str]) -> go.Figure:
    """One figure of all panels; see `lpo.runs.lines`. A line's name switches it in all panels."""
    across = panel_columns(len(panels))
    down = -(-len(panels) // across)
    figure = make_subplots(rows=down, cols=across, subplot_titles=[each.title for each in panels])
    shown: set[str] = set()
    axis: Any = {"gridcolor": "#eeeeee", "showline": True, "linecolor": "#999999"}
    for i, panel in enumerate(panels):
        place: Any = {"row": i // across + 1, "col": i % across + 1}
        for trace in _traces(table, panel, labels):
            trace.showlegend = bool(trace.name) and trace.name not in shown
            shown.add(trace.name)
            figure.add_trace(trace, **place)
        figure.update_xaxes(
            title_text=labels.get(panel.x, panel.x),
            type="log" if panel.log[0] else "linear",
            **axis,
            **place,
        )
        figure.update_yaxes(
            title_text=labels.get(panel.y, panel.y),
            type="log" if panel.log[1] else "linear",
            **axis,
            **place,
        )
    return figure.update_layout(
        template="plotly_white",
        height=60 + 380 * down,
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
    )


def _traces(table: pd.DataFrame, panel: Lines, labels: Mapping[str, str]) -> list[Any]:
    groups = groups_of(table, panel)
    colour = colours([name for name, _ in groups])
    traces: list[Any] = []
    for i, (name, rows) in enumerate(groups):
        half = half_width(rows, panel)
        if panel.band is not None:
            traces += [_end_of_band(rows, panel, end, name, colour[name]) for end in range(2)]
        traces.append(
            go.Scatter(
                x=rows[panel.x],
                y=rows[panel.y],
                error_y=None if half is None else {"array": half, "thickness": 1.2, "width": 3},
                mode="lines" if len(rows) > MARKED else "lines+markers",
                name=name,
                legendgroup=name,
                line={"color": colour[name], "width": 1.5, "dash": dash(i)},
                hovertemplate=f"<b>{name}</b><br>{labels.get(panel.x, panel.x)} %{{x:.5g}}<br>"
                f"{labels.get(panel.y, panel.y)} %{{y:.5g}}<extra></extra>",
            )
        )
        reference = heights(rows, panel)
        if reference is not None:
            own = len(groups) > 1 and isinstance(panel.reference, str)
            dashes = {"color": colour[name] if own else BASELINE, "width": 1.2, "dash": "dash"}
            traces.append(
                go.Scatter(
                    x=rows[panel.x],
                    y=reference,
                    mode="lines",
                    line=dashes,
                    hoverinfo="skip",
                    name="",
                    legendgroup=name,
                )
            )
    return traces


def _end_of_band(rows: pd.DataFrame, panel: Lines, end: int, name: str, colour: str) -> Any:
    """The lower (0) or upper (1) end of a shaded area, which the upper one fills."""
    assert panel.band is not None
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return go.Scatter(
        x=rows[panel.x],
        y=rows[panel.band[end]],
        mode="lines",
        line={"width": 0},
        fill="tonexty" if end else None,
        fillcolor=f"rgba({red},{green},{blue},0.15)",
        hoverinfo="skip",
        name="",
        legendgroup=name,
    )
