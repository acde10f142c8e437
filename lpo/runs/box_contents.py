"""What each trace of an interactive box shows in one view, under plotly's names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lpo.runs.box_scenes import (
    AXES,
    EDGES,
    Box,
    Scene,
    corners,
    limit_names,
    mark_of,
    marker_name,
    markers_of,
    wall,
)
from lpo.runs.solids import STAR, TETRAHEDRON, Solid
from lpo.runs.style import BASELINE

ASPECT = np.array([1.15, 1.15, 0.9])  # lengths of the axes in the picture
RADIUS = 0.03  # of a solid, in the same unit
DIGITS = 6  # of a number in the page
MIDDLE = "#21918C"  # of the sequential colours
NOWHERE = np.zeros((0, 3))


def contents(
    view: Box, shown: Scene, methods: Sequence[str], labels: Mapping[str, str]
) -> dict[str, list[Any]]:
    """Return values of attributes by trace, empty where the view has nothing of it.

    The traces are: the line, points that are not feasible, feasible ones, these in the legend, the
    edges of the box, its sides, the planes of three limits, the ideal point and a marker for each
    of `methods`.
    """
    places = shown.points[list(AXES)].to_numpy(np.float64)
    told = shown.points[["k", "score"]].to_numpy(np.float64)
    good = shown.points["feasible"].to_numpy(bool)
    around, ideal = corners(shown.box), np.array([view.ideal], np.float64)
    planes = [
        wall(shown.room, axis, limit) if np.isfinite(limit) else NOWHERE
        for axis, limit in enumerate(view.limits)
    ]
    names, markers = limit_names(view, labels), markers_of(view)
    traces = [
        _trace(places, f"in order of {labels.get('k', 'k')}"),
        _trace(places[~good], "not feasible", told[~good], BASELINE),
        _trace(places[good], "feasible", told[good]),
        _trace(np.full((min(good.sum(), 1), 3), np.nan), "feasible", colour=MIDDLE),
        _trace(around[EDGES], "feasible box"),
        _trace(around, "feasible box"),
        *(_trace(plane, name) for plane, name in zip(planes, names, strict=True)),
        _trace(_solid(STAR, ideal, shown), labels.get("ideal", "ideal point")),
        *(_marker(method, markers.get(method), shown, labels) for method in methods),
    ]
    return {key: [trace[key] for trace in traces] for key in traces[0]}


def layout(shown: Scene) -> dict[str, Any]:
    """The ranges of the axes, and of the colours where points are feasible."""
    score = shown.points.loc[shown.points["feasible"].astype(bool), "score"].to_numpy(np.float64)
    least, most = (score.min(), score.max()) if score.size else (0.0, 1.0)
    return {
        **{
            f"scene.{axis}axis.range": ends
            for axis, ends in zip(AXES, shown.room.tolist(), strict=True)
        },
        "coloraxis.cmin": float(least),
        "coloraxis.cmax": float(most),
        "coloraxis.showscale": score.size > 0,
    }


def _marker(
    method: str, row: Mapping[Any, Any] | None, shown: Scene, labels: Mapping[str, str]
) -> dict[str, Any]:
    if row is None:
        return _trace(NOWHERE, labels.get(method, method))
    mark, place = mark_of(method), np.array([[row[axis] for axis in AXES]], np.float64)
    words = [f"{labels.get(a, a)} {value:.5g}" for a, value in zip(AXES, place[0], strict=True)]
    name = marker_name(method, row["k"], labels)
    if mark.solid == "tetrahedron":
        return _trace(_solid(TETRAHEDRON, place, shown), name, words=words)
    return _trace(place, name, colour=mark.colour, words=words)


def _trace(
    places: np.ndarray,
    name: str,
    told: np.ndarray | None = None,
    colour: str | None = None,
    words: Sequence[str] = (),
) -> dict[str, Any]:
    """Places [n, 3]; k and score [n, 2] of points, which are the colour unless there is one."""
    return {
        **dict(zip(AXES, _seen(places.T), strict=True)),
        "name": name,
        "text": "<br>".join([f"<b>{name}</b>", *words]),
        "customdata": None if told is None else _seen(told),
        "marker.color": colour if colour or told is None else _seen(told[:, 1]),
    }


def _seen(numbers: np.ndarray) -> np.ndarray:
    """Numbers with as many digits as are seen, which keeps the page small."""
    size = np.floor(np.log10(np.abs(numbers), where=numbers != 0, out=np.zeros_like(numbers)))
    scale = 10.0 ** (DIGITS - 1 - np.nan_to_num(size))
    return np.round(numbers * scale) / scale


def _solid(solid: Solid, place: np.ndarray, shown: Scene) -> np.ndarray:
    """The corners [n, 3] of a solid around a place [1, 3], of one size in every view."""
    return place + RADIUS * solid.corners * np.ptp(shown.room, axis=1) / ASPECT
