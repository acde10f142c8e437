"""Pictures of `lpo.runs.grids` and `surfaces` as plotly figures (`pip install lpo[report]`)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lpo.runs.grid_values import grid_values, words
from lpo.runs.grids import Trend, line_colours, panel_columns
from lpo.runs.style import MISSING, PALETTE, SEQUENTIAL
from lpo.runs.surfaces import azimuth

_SCALE = SEQUENTIAL.capitalize()


def heat_maps(
    table: pd.DataFrame, x: str, y: str, values: Sequence[str], labels: Mapping[str, str]
) -> go.Figure:
    """One panel a column of `values` over `x` and `y`, grey without a value; see `grids`."""
    columns = panel_columns(len(values))
    rows = math.ceil(len(values) / columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=[labels.get(value, value) for value in values],
        horizontal_spacing=0.36 / columns,
        vertical_spacing=0.32 / rows,
    )
    for i, value in enumerate(values):
        place: Any = {"row": i // columns + 1, "col": i % columns + 1}
        grid = grid_values(table, x, y, value)
        panel: Any = figure.get_subplot(place["row"], place["col"])
        across, along = panel.xaxis.domain, panel.yaxis.domain
        bar = {"x": across[1], "y": sum(along) / 2, "len": 1.06 * (along[1] - along[0])}
        where = f"{labels.get(x, x)} %{{x}}<br>{labels.get(y, y)} %{{y}}<br>"
        for cells in (
            go.Heatmap(
                z=grid.value,
                colorscale=_SCALE,
                colorbar=bar | {"thickness": 10, "tickfont": {"size": 10}},
                hovertemplate=f"{where}<b>%{{z:.5g}}</b><extra></extra>",
            ),
            go.Heatmap(
                z=np.where(grid.missing, 1.0, np.nan),
                customdata=np.vectorize(words, otypes=[object])(grid.status),
                colorscale=[[0, MISSING], [1, MISSING]],
                showscale=False,
                hovertemplate=f"{where}<b>%{{customdata}}</b><extra></extra>",
            ),
        ):
            cells.update(x=[f"{tick:g}" for tick in grid.x], y=[f"{tick:g}" for tick in grid.y])
            figure.add_trace(cells.update(hoverongaps=False, xgap=1, ygap=1), **place)
        figure.update_xaxes(title_text=labels.get(x, x), type="category", **place)
        figure.update_yaxes(title_text=labels.get(y, y), type="category", **place)
    return _clean(figure, 330 * rows + 60)


def trends(table: pd.DataFrame, panels: Sequence[Trend], labels: Mapping[str, str]) -> go.Figure:
    """Lines: one panel a `Trend`, with a legend of its own; a point names its line's scale too."""
    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = make_subplots(rows, columns, horizontal_spacing=0.24, vertical_spacing=0.25 / rows)
    for i, panel in enumerate(panels):
        place: Any = {"row": i // columns + 1, "col": i % columns + 1}
        grid = grid_values(table, panel.x, panel.by, panel.value)
        legend = "legend" if i == 0 else f"legend{i + 1}"
        corner: Any = figure.get_subplot(place["row"], place["col"])
        figure.update_layout(
            {
                legend: {
                    "x": corner.xaxis.domain[1] + 0.01,
                    "y": corner.yaxis.domain[1],
                    "xanchor": "left",
                    "yanchor": "top",
                    "title": {"text": labels.get(panel.by, panel.by)},
                    "font": {"size": 10},
                }
            }
        )
        for shade, name, values in zip(line_colours(grid.y.size), grid.y, grid.value, strict=True):
            by = f"{labels.get(panel.by, panel.by)} {name:g}"
            line = go.Scatter(
                x=grid.x,
                y=values,
                name=f"{name:g}",
                legend=legend,
                mode="lines+markers",
                line={"color": _css(shade), "width": 1.5},
                marker={"size": 5},
                hovertemplate=f"{by}<br>{labels.get(panel.x, panel.x)} %{{x:g}}<br>"
                "<b>%{y:.5g}</b><extra></extra>",
            )
            figure.add_trace(line, **place)
        if panel.line is not None:
            figure.add_hline(
                panel.line, line={"color": "black", "dash": "dash", "width": 1}, **place
            )
        figure.update_xaxes(title_text=labels.get(panel.x, panel.x), **place)
        figure.update_yaxes(title_text=labels.get(panel.value, panel.value), **place)
    return _clean(figure, 340 * rows + 40).update_layout(showlegend=True, margin_r=120)


def stacked_bars(
    tables: Mapping[str, pd.DataFrame],
    bar: str,
    parts: Sequence[str],
    labels: Mapping[str, str],
    label: str,
) -> go.Figure:
    """One panel a table, one bar a row, its `parts` stacked; a click on a part hides it."""
    figure = make_subplots(
        1,
        len(tables),
        subplot_titles=list(tables),
        shared_yaxes=True,
        column_widths=[2 + len(table) for table in tables.values()],
        horizontal_spacing=0.03,
    )
    for column, table in enumerate(tables.values(), 1):
        for i, part in enumerate(parts):
            name = labels.get(part, part)
            piece = go.Bar(
                x=[str(each) for each in table[bar]],
                y=table[part],
                name=name,
                legendgroup=part,
                showlegend=column == 1,
                marker={"color": PALETTE[i % len(PALETTE)]},
                hovertemplate=f"{labels.get(bar, bar)} %{{x}}<br>{name} %{{y:.4g}}<extra></extra>",
            )
            figure.add_trace(piece, row=1, col=column)
    figure.update_xaxes(title_text=labels.get(bar, bar), type="category")
    figure.update_yaxes(title_text=label, col=1)
    return _clean(figure, 420).update_layout(barmode="stack")


def surface(
    table: pd.DataFrame,
    x: str,
    y: str,
    z: str,
    labels: Mapping[str, str],
    *,
    colour: str | None = None,
) -> go.Figure:
    """Column `z` over `x` and `y`, coloured by `colour` (default: z), to be turned."""
    grid = grid_values(table, x, y, z)
    shades = grid_values(table, x, y, colour or z).value
    names = [labels.get(column, column) for column in (x, y, z)]
    floor = float(np.nanmin(grid.value)) if not grid.missing.all() else 0.0
    across, along = np.meshgrid(grid.x, grid.y)
    marks = {"mode": "markers", "showlegend": False}
    figure = go.Figure(
        [
            go.Surface(
                x=grid.x,
                y=grid.y,
                z=grid.value,
                surfacecolor=shades,
                colorscale=_SCALE,
                colorbar={"title": {"text": labels.get(colour or z, z)}, "thickness": 14},
                hovertemplate=f"{names[0]} %{{x:g}}<br>{names[1]} %{{y:g}}<br>"
                f"<b>%{{z:.5g}}</b> {names[2]}<extra></extra>",
            ),
            go.Scatter3d(
                x=across[~grid.missing],
                y=along[~grid.missing],
                z=grid.value[~grid.missing],
                marker={"size": 2, "color": "black"},
                hoverinfo="skip",
                **marks,
            ),
            go.Scatter3d(
                x=across[grid.missing],
                y=along[grid.missing],
                z=np.full(int(grid.missing.sum()), floor),
                marker={"size": 4, "color": MISSING, "symbol": "diamond"},
                text=[words(status) for status in grid.status[grid.missing]],
                hovertemplate=f"{names[0]} %{{x:g}}<br>{names[1]} %{{y:g}}<br>"
                "<b>%{text}</b><extra></extra>",
                **marks,
            ),
        ]
    )
    axes = zip(("xaxis", "yaxis", "zaxis"), names, strict=True)
    scene = {axis: {"title": {"text": name}} for axis, name in axes}
    angle = math.radians(azimuth(grid))
    eye = {"x": 2.0 * math.cos(angle), "y": 2.0 * math.sin(angle), "z": 0.9}
    camera = {"eye": eye, "center": {"x": 0, "y": 0, "z": -0.15}}
    return _clean(figure, 560).update_layout(scene=scene | {"camera": camera})


def _css(colour: Sequence[float]) -> str:
    red, green, blue = (round(255 * part) for part in colour[:3])
    return f"rgb({red},{green},{blue})"


def _clean(figure: go.Figure, height: int) -> go.Figure:
    figure.update_xaxes(gridcolor="#eeeeee", showline=True, linecolor="#999999")
    figure.update_yaxes(gridcolor="#eeeeee", showline=True, linecolor="#999999")
    margin = {"l": 60, "r": 20, "t": 50, "b": 50}
    return figure.update_layout(template="plotly_white", height=height, margin=margin)
