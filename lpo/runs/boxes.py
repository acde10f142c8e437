"""Points in a box of limits in three dimensions, drawn with matplotlib."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from lpo.runs.box_scenes import (
    AXES,
    BEST,
    EDGES,
    FACES,
    INSIDE,
    SIDES,
    Box,
    Scene,
    corners,
    limit_names,
    mark_of,
    marker_name,
    markers_of,
    methods_of,
    scene,
    wall,
)
from lpo.runs.style import BASELINE, SEQUENTIAL


def box(view: Box, labels: Mapping[str, str]) -> Figure:
    """One view: points coloured by their score, hollow where not feasible, limits and selections.

    `labels` says the columns x, y, z, k and score in words, with units, the methods of the markers
    and "ideal". Which points are shown: `lpo.runs.box_scenes.scene`.
    """
    shown = scene(view)
    figure = Figure(figsize=(8.8, 5.6))
    # Places by hand: a layout engine would draw three dimensions twice.
    axes: Any = figure.add_axes((0.01, 0.0, 0.66, 0.95), projection="3d", computed_zorder=False)
    _limits(axes, view, shown, labels)
    _points(figure, axes, shown, labels)
    _markers(axes, view, labels)
    for axis, (low, high) in zip(AXES, shown.room, strict=True):
        getattr(axes, f"set_{axis}lim")(low, high)
        getattr(axes, f"set_{axis}label")(labels.get(axis, axis), labelpad=7)
        getattr(axes, f"{axis}axis").set_major_locator(MaxNLocator(5))
        getattr(axes, f"{axis}axis").set_pane_color((1.0, 1.0, 1.0, 0.0))
    axes.tick_params(labelsize="small", pad=2)
    axes.view_init(elev=20, azim=-58)
    axes.set_box_aspect((1.15, 1.15, 0.9), zoom=1.0)
    figure.text(0.03, 0.96, view.name, fontsize="large", va="top")
    figure.legend(loc="upper left", bbox_to_anchor=(0.69, 0.95), frameon=False, fontsize=9)
    return figure


def _limits(axes: Any, view: Box, shown: Scene, labels: Mapping[str, str]) -> None:
    """The box and the planes of its limits, below all points, so that they hide none."""
    places = corners(shown.box)
    inside = {"facecolor": to_rgba(INSIDE, 0.06), "edgecolor": "none"}
    axes.add_collection3d(Poly3DCollection(places[FACES], zorder=1, **inside), autolim=False)
    axes.plot(*places[EDGES].T, color=INSIDE, linewidth=1.1, zorder=3, label="feasible box")
    names = limit_names(view, labels)
    for axis, (limit, colour, name) in enumerate(zip(view.limits, SIDES, names, strict=True)):
        if np.isfinite(limit):
            plane = Poly3DCollection(
                [wall(shown.room, axis, limit)],
                facecolor=to_rgba(colour, 0.1),
                edgecolor=to_rgba(colour, 0.5),
                linewidth=0.8,
                zorder=2,
                label=name,
            )
            axes.add_collection3d(plane, autolim=False)


def _points(figure: Figure, axes: Any, shown: Scene, labels: Mapping[str, str]) -> None:
    """The line through all points, the points, and a bar of colours where some are feasible."""
    places = shown.points[list(AXES)].to_numpy(np.float64).T
    feasible = shown.points["feasible"].to_numpy(bool)
    axes.plot(*places, color="0.5", linewidth=0.9, zorder=4)
    options: dict[str, Any] = {"depthshade": False, "zorder": 5}
    if not feasible.all():
        axes.scatter(
            *places[:, ~feasible],
            s=20,
            facecolors="none",
            edgecolors=BASELINE,
            linewidths=0.9,
            label="not feasible",
            **options,
        )
    if feasible.any():
        score = shown.points["score"].to_numpy(np.float64)[feasible]
        scale = ScalarMappable(Normalize(score.min(), score.max()), SEQUENTIAL)
        axes.scatter(
            *places[:, feasible], s=26, c=scale.to_rgba(score), label="feasible", **options
        )
        bar = figure.add_axes((0.72, 0.13, 0.24, 0.025))
        figure.colorbar(scale, cax=bar, orientation="horizontal")
        bar.set_xlabel(labels.get("score", "score"), fontsize="small")
        bar.tick_params(labelsize="small")


def _markers(axes: Any, view: Box, labels: Mapping[str, str]) -> None:
    """The ideal point and the selections, above everything."""
    options: dict[str, Any] = {"linestyle": "none", "markeredgecolor": "black", "zorder": 7}
    axes.plot(
        *([value] for value in view.ideal),
        marker="*",
        markersize=13,
        color=BEST,
        label=labels.get("ideal", "ideal point"),
        **options,
    )
    markers = markers_of(view)
    for method in methods_of([view]):
        mark, row = mark_of(method), markers[method]
        axes.plot(
            *([row[axis]] for axis in AXES),
            marker=mark.symbol,
            markersize=mark.size,
            markeredgewidth=0.7,
            color=mark.colour,
            label=marker_name(method, row["k"], labels),
            **options,
        )
