"""The picture of `lpo.runs.marked_curves` as a plotly figure (needs `pip install lpo[report]`)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lpo.runs.box_scenes import INSIDE, mark_of
from lpo.runs.marked_curves import MarkedCurve, ends_of, marks_in_order
from lpo.runs.style import BASELINE

SYMBOLS = {"o": "circle", "^": "triangle-up", "s": "square", "D": "diamond", "X": "x"}


def marked_curves(panels: Sequence[MarkedCurve], names: dict[str, str]) -> go.Figure:
    """One figure of all panels; a name in the legend switches its traces in all of them."""
    figure = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.08)
    for column, panel in enumerate(panels, 1):
        for trace in _traces(panel, names):
            figure.add_trace(trace.update(showlegend=column == 1), row=1, col=column)
        figure.update_xaxes(title_text=panel.x_label, type="log", col=column)
        figure.update_yaxes(title_text=panel.y_label, col=column)
    figure.update_xaxes(gridcolor="#eeeeee", showline=True, linecolor="#999999")
    figure.update_yaxes(gridcolor="#eeeeee", showline=True, linecolor="#999999")
    margin = {"l": 60, "r": 20, "t": 30, "b": 50}
    return figure.update_layout(template="plotly_white", height=400, margin=margin)


def _traces(panel: MarkedCurve, names: dict[str, str]) -> list[go.Scatter]:
    low, high = ends_of(panel)
    hover = f"{panel.x_label} %{{x}}<br>{panel.y_label} %{{y:.5g}}"

    def trace(name: str, x: Any, y: Any, **look: Any) -> go.Scatter:
        words = f"<b>{name}</b><br>{hover}<extra></extra>"
        return go.Scatter(x=x, y=y, name=name, legendgroup=name, hovertemplate=words, **look)

    kept = panel.feasible
    spread: Any = {"fill": "toself", "fillcolor": "rgba(128,128,128,0.2)", "mode": "none"}
    around = np.concatenate([panel.x, panel.x[::-1]]), np.concatenate([high, low[::-1]])
    dashed = {"color": BASELINE, "dash": "dash", "width": 1.2}
    traces = [
        trace("± one sd", *around, **spread),
        trace("mean", panel.x, panel.y, mode="lines", line={"color": "#595959", "width": 1.4}),
        trace(
            "feasible",
            panel.x[kept],
            panel.y[kept],
            mode="markers",
            marker={"color": INSIDE, "size": 4},
        ),
        trace("limit", panel.x[[0, -1]], [panel.limit] * 2, mode="lines", line=dashed),
    ]
    for method, at in marks_in_order(panel):
        mark = mark_of(method)
        look = {
            "color": mark.colour,
            "size": mark.size,
            "symbol": SYMBOLS.get(mark.symbol, "triangle-down"),
            "line": {"color": "#000000", "width": 0.8},
        }
        name = names.get(method, method)
        traces.append(trace(name, panel.x[[at]], panel.y[[at]], mode="markers", marker=look))
    return traces
