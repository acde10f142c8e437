"""The pictures of `lpo.runs.overlays` as plotly figures (need `pip install lpo[report]`)."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lpo.runs.overlays import Look, OverlayPanel, columns_of, layer_colours


def overlays(panels: Sequence[OverlayPanel]) -> go.Figure:
    """One figure of all panels; a name in the legend switches its layers in all of them."""
    across = columns_of(panels)
    down = -(-len(panels) // across)
    figure = make_subplots(rows=down, cols=across, subplot_titles=[each.title for each in panels])
    colour, shown = layer_colours(panels), set[str]()
    axis: Any = {"gridcolor": "#eeeeee", "showline": True, "linecolor": "#999999"}
    for i, panel in enumerate(panels):
        place: Any = {"row": i // across + 1, "col": i % across + 1}
        for layer in panel.layers:
            dashed = layer.look == Look.DASHES
            trace = go.Scatter(
                x=layer.x,
                y=layer.y,
                mode={Look.POINTS: "markers", Look.BOTH: "lines+markers"}.get(layer.look, "lines"),
                name=layer.name,
                legendgroup=layer.name,
                showlegend=layer.name not in shown,
                marker={"size": 5},
                line={
                    "color": colour[layer.name],
                    "width": 1.2 if dashed else 1.6,
                    "dash": "dash" if dashed else "solid",
                },
                hovertemplate=f"<b>{layer.name}</b><br>{panel.x} %{{x:.5g}}<br>"
                f"{panel.y} %{{y:.5g}}<extra></extra>",
            )
            shown.add(layer.name)
            figure.add_trace(trace, **place)
        for update, text, log in (
            (figure.update_xaxes, panel.x, panel.log[0]),
            (figure.update_yaxes, panel.y, panel.log[1]),
        ):
            update(title_text=text, type="log" if log else "linear", **axis, **place)
    return figure.update_layout(
        template="plotly_white",
        height=80 + 340 * down,
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
    )
