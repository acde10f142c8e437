"""The picture of `lpo.runs.boxes` as a plotly figure (needs `pip install lpo[report]`).

There is one scene. A drop-down puts the numbers of another view into it, so that twenty views start
as fast as one, and what a reader has switched off in the legend stays off.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from lpo.runs.box_contents import ASPECT, contents, layout
from lpo.runs.box_scenes import AXES, BEST, FACES, INSIDE, SIDES, Box, mark_of, methods_of, scene
from lpo.runs.solids import STAR, TETRAHEDRON
from lpo.runs.style import SEQUENTIAL

HALVES = np.array([(0, 1, 2), (0, 2, 3)])  # triangles of four corners
AXIS: Any = {"gridcolor": "#dddddd", "showbackground": False, "zeroline": False, "nticks": 6}
BAR: Any = {"orientation": "h", "x": 0.4, "y": 0.0, "yanchor": "top", "len": 0.5, "thickness": 12}
CAMERA: Any = {"eye": {"x": 1.1, "y": -1.85, "z": 0.7}, "center": {"x": 0.05, "y": 0.0, "z": -0.14}}


def boxes(views: Sequence[Box], labels: Mapping[str, str], first: int = 0) -> go.Figure:
    """At least one view, chosen by a drop-down that starts at number `first`.

    labels: see `lpo.runs.boxes.box`.
    """
    methods = methods_of(views)
    changes = [
        (contents(view, shown, methods, labels), layout(shown))
        for view, shown in zip(views, map(scene, views), strict=True)
    ]
    traces = _traces(methods, labels)
    for i, trace in enumerate(traces):
        values = {key: each[i] for key, each in changes[first][0].items()}
        trace.update({key: value for key, value in values.items() if value is not None})
    buttons = [
        {"label": view.name, "method": "update", "args": list(change)}
        for view, change in zip(views, changes, strict=True)
    ]
    score = {"text": labels.get("score", "score"), "side": "bottom"}
    look = {
        "template": "plotly_white",
        "height": 680,
        "margin": {"l": 10, "r": 10, "t": 20, "b": 70},
        "scene": {
            **{f"{name}axis": {"title": {"text": labels.get(name, name)}, **AXIS} for name in AXES},
            "aspectmode": "manual",
            "aspectratio": dict(zip(AXES, ASPECT.tolist(), strict=True)),
            "camera": CAMERA,
        },
        "coloraxis": {"colorscale": SEQUENTIAL, "colorbar": {**BAR, "title": score}},
        "legend": {"itemsizing": "constant", "y": 0.95},
        "updatemenus": [
            {"buttons": buttons, "active": first, "x": 0.0, "xanchor": "left", "y": 1.0}
        ],
    }
    return go.Figure(traces, look).update_layout(changes[first][1])


def _traces(methods: Sequence[str], labels: Mapping[str, str]) -> list[Any]:
    """The looks of all traces, in the order of `lpo.runs.box_contents`."""
    names = [labels.get(column, column) for column in ("k", *AXES, "score")]
    values = ("customdata[0]", "x:.5g", "y:.5g", "z:.5g", "customdata[1]:.4g")
    hover = [f"{name} %{{{value}}}" for name, value in zip(names, values, strict=True)]
    point: Any = {"mode": "markers", "hovertemplate": "<br>".join(hover) + "<extra></extra>"}
    scored = {"size": 5, "coloraxis": "coloraxis"}
    part: Any = {"mode": "lines", "hoverinfo": "skip"}
    return [
        go.Scatter3d(line={"color": "#777777", "width": 2}, **part),
        go.Scatter3d(marker={"size": 4, "symbol": "circle-open"}, **point),
        # The legend would take the first score for a colour: it has a point of its own.
        go.Scatter3d(marker=scored, legendgroup="feasible", showlegend=False, **point),
        go.Scatter3d(mode="markers", legendgroup="feasible"),
        go.Scatter3d(line={"color": INSIDE, "width": 4}, legendgroup="box", **part),
        _mesh(FACES[:, HALVES].reshape(-1, 3), INSIDE, 0.06, hoverinfo="skip", legendgroup="box"),
        *(_mesh(HALVES, side, 0.1, hoverinfo="skip", showlegend=True) for side in SIDES),
        _mesh(STAR.triangles, BEST, 1.0, hoverinfo="text", showlegend=True),
        *(_marker(method) for method in methods),
    ]


def _marker(method: str) -> go.Mesh3d | go.Scatter3d:
    mark = mark_of(method)
    if mark.solid == "tetrahedron":
        return _mesh(TETRAHEDRON.triangles, mark.colour, 1.0, hoverinfo="text", showlegend=True)
    look = {"symbol": mark.solid, "size": mark.size, "line": {"color": "#000000", "width": 1}}
    return go.Scatter3d(mode="markers", marker=look, hoverinfo="text")


def _mesh(triangles: np.ndarray, colour: str, opacity: float, **options: Any) -> go.Mesh3d:
    i, j, k = triangles.T
    light = {"ambient": 0.9, "diffuse": 0.3, "specular": 0.05}
    options |= {"color": colour, "opacity": opacity, "flatshading": True, "lighting": light}
    return go.Mesh3d(i=i, j=j, k=k, **options)
