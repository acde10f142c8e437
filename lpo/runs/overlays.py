"""Panels in which points, lines and pieces of lines lie over each other, drawn with matplotlib."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from lpo.runs.grids import clean, panel_columns
from lpo.runs.style import BASELINE, colours


class Look(StrEnum):
    """How a layer is drawn."""

    POINTS = "points"
    LINE = "line"
    BOTH = "both"
    DASHES = "dashes"


class Overlay(NamedTuple):
    """x, y [n], where NaN interrupts a line. One name has one colour in all panels and one entry
    in the legend; dashes are grey."""

    name: str
    x: np.ndarray
    y: np.ndarray
    look: Look = Look.BOTH


class OverlayPanel(NamedTuple):
    """Layers, the first one lowest. x, y: labels with units. log: whether axes are logarithmic."""

    title: str
    x: str
    y: str
    layers: Sequence[Overlay]
    log: tuple[bool, bool] = (False, False)


def overlays(panels: Sequence[OverlayPanel]) -> Figure:
    """One figure of all panels with one legend."""
    across = columns_of(panels)
    down = -(-len(panels) // across)
    figure = Figure(figsize=(4.6 * across + 0.6, 3.5 * down + 0.5), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.09, w_pad=0.07)  # pyright: ignore
    axes = figure.subplots(down, across, squeeze=False).ravel()
    colour = layer_colours(panels)
    for each, panel in zip(axes, panels, strict=False):
        _draw(each, panel, colour)
    for each in axes[len(panels) :]:
        each.set_visible(False)
    handles: dict[str, Line2D] = {}
    for line in (line for each in axes for line in each.lines):
        handles.setdefault(str(line.get_label()), line)
    if len(handles) > 1:
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False
        )
    return figure


def columns_of(panels: Sequence[OverlayPanel]) -> int:
    """How many panels stand side by side."""
    return 3 if len(panels) == 3 else panel_columns(len(panels))


def tangents(
    x: np.ndarray, y: np.ndarray, slope: np.ndarray, *, log: bool = False, length: float = 0.07
) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of the lines through points [n] with their slopes, as one interrupted line.

    length: of a piece, as a share of what the points span. log: whether the axis of x is.
    """
    scale = np.log(x) if log else x
    reach = 0.5 * length * (float(np.ptp(scale)) or 1.0)
    along = scale[:, None] + reach * np.array([-1.0, -0.5, 0.0, 0.5, 1.0, np.nan])
    at = np.exp(along) if log else along
    return at.ravel(), (y[:, None] + slope[:, None] * (at - x[:, None])).ravel()


def names_of(panels: Sequence[OverlayPanel]) -> list[str]:
    """The names of layers, each once, in the order in which they come."""
    return list(dict.fromkeys(layer.name for panel in panels for layer in panel.layers))


def layer_colours(panels: Sequence[OverlayPanel]) -> dict[str, str]:
    """A colour for each name; names that are only dashed are grey and use none up."""
    shaded = {layer.name for panel in panels for layer in panel.layers if layer.look != Look.DASHES}
    names = [name for name in names_of(panels) if name in shaded]
    return dict.fromkeys(names_of(panels), BASELINE) | colours(names)


def _draw(axes: Axes, panel: OverlayPanel, colour: dict[str, str]) -> None:
    for layer in panel.layers:
        shape: dict[str, Any] = {
            Look.POINTS: {"linestyle": "none", "marker": "o"},
            Look.LINE: {"linestyle": "-"},
            Look.BOTH: {"linestyle": "-", "marker": "o"},
            Look.DASHES: {"linestyle": "--"},
        }[layer.look]
        axes.plot(
            layer.x,
            layer.y,
            color=colour[layer.name],
            linewidth=1.0 if layer.look == Look.DASHES else 1.4,
            markersize=4,
            label=layer.name,
            **shape,
        )
    for log, scale, axis in (
        (panel.log[0], axes.set_xscale, axes.xaxis),
        (panel.log[1], axes.set_yscale, axes.yaxis),
    ):
        if log:
            scale("log")
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())
    axes.set(xlabel=panel.x, ylabel=panel.y)
    axes.set_title(panel.title, fontsize="medium", loc="left")
    clean(axes)
