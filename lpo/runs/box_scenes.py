"""A box of limits in three dimensions: which points are shown, and where everything lies."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

AXES = ("x", "y", "z")
REACH = 1.6  # points further from the ideal than this many limits are left out
BEYOND = 1.25  # times the distance of the nearest point, where all are further


class Box(NamedTuple):
    """Points along a line, x and y best when low, z when high, and the limits that they must keep.

    name: of the view. points: columns x, y, z, k, score (the colour; finite where feasible) and
    feasible (bool), in the order of the line. limits: the largest x and y and the least z; an
    infinite one is none. markers: columns method, x, y, z, k; without rows where nothing was
    selected. ideal: the point that would be best in everything.
    """

    name: str
    points: pd.DataFrame
    limits: tuple[float, float, float]
    markers: pd.DataFrame
    ideal: tuple[float, float, float] = (0.0, 0.0, 1.0)


class Scene(NamedTuple):
    """Where things lie, [3, 2] from low to high.

    points: the rows that are shown. box: of the points that keep all limits. room: of the axes.
    """

    points: pd.DataFrame
    box: np.ndarray
    room: np.ndarray


class Mark(NamedTuple):
    """symbol: for matplotlib. solid: for plotly. size: points across, larger below smaller ones."""

    symbol: str
    solid: str
    colour: str
    size: float


# One place often has several markers: the later ones are smaller, so that all are seen.
MARKS = {
    "accuracy_max": Mark("o", "circle", "#FFD700", 13.0),
    "max_cube": Mark("^", "tetrahedron", "#FF8C00", 12.0),
    "knee_chord": Mark("s", "square", "#A45CC0", 9.0),
    "utopia": Mark("D", "diamond", "#E31A1C", 6.5),
    "knee_curvature": Mark("X", "cross", "#5B1A78", 6.5),
}
"""Looks of markers by their method."""
OTHER = Mark("v", "x", "#000000", 6.0)  # of any other method
SIDES = ("#0072B2", "#D55E00", "#CC79A7")  # of the limits of x, y and z
INSIDE = "#009E73"  # of the box
BEST = "#303030"  # of the ideal point
EDGES = np.array([0, 1, 3, 2, 0, 4, 6, 2, 6, 7, 3, 7, 5, 1, 5, 4])
"""Corners, numbered as `corners` gives them, of one line along all edges of a box."""
FACES = np.array(
    [(0, 2, 6, 4), (1, 3, 7, 5), (0, 1, 5, 4), (2, 3, 7, 6), (0, 1, 3, 2), (4, 5, 7, 6)]
)
"""[6, 4] corners in order around each side of a box: two of x, two of y, two of z."""


def scene(view: Box) -> Scene:
    """Return what of a view is shown: the box and the feasible points whole.

    Of the other points those within `REACH` times every limit, counted from the ideal point; where
    there is none, the one that comes nearest and those that are little further.
    """
    limits, ideal = np.array(view.limits, np.float64), np.array(view.ideal, np.float64)
    places = view.points[list(AXES)].to_numpy(np.float64)
    far = _limits_away(places, limits, ideal)
    nearest = far.min(initial=np.inf)
    reach = REACH if nearest <= REACH else BEYOND * nearest
    points = view.points.loc[(far <= reach) | view.points["feasible"].to_numpy(bool)]
    inside = np.vstack([points[list(AXES)].to_numpy(np.float64), ideal])
    ends = np.where(np.isfinite(limits), limits, [*inside.max(0)[:2], inside.min(0)[2]])
    box = np.sort(np.stack([ideal, ends], axis=1), axis=1)
    everything = np.vstack([inside, box.T])
    low, high = everything.min(0), everything.max(0)
    margin = 0.04 * np.where(high > low, high - low, 1.0)
    return Scene(points, box, np.stack([low - margin, high + margin], axis=1))


def hidden(view: Box) -> bool:
    """Whether points of a view are left out."""
    return len(scene(view).points) < len(view.points)


def corners(span: np.ndarray) -> np.ndarray:
    """[8, 3] the corners of a span [3, 2]; bit i of a corner's number says which end of axis i."""
    return np.array([[span[axis, number >> axis & 1] for axis in range(3)] for number in range(8)])


def wall(room: np.ndarray, axis: int, at: float) -> np.ndarray:
    """[4, 3] the corners, in order around it, of the plane across a room where an axis is `at`."""
    flat = room.copy()
    flat[axis] = at
    return corners(flat)[FACES[2 * axis]]


def limit_names(view: Box, labels: Mapping[str, str]) -> list[str]:
    """What the three limits say, such as "cost, $ ≤ 0.5"."""
    signs = ("≤", "≤", "≥")
    pairs = zip(AXES, signs, view.limits, strict=True)
    return [f"{labels.get(axis, axis)} {sign} {limit:g}" for axis, sign, limit in pairs]


def markers_of(view: Box) -> dict[str, Mapping[Any, Any]]:
    """The rows of a view's markers by their methods."""
    return {str(row["method"]): row for row in view.markers.to_dict("records")}


def mark_of(method: str) -> Mark:
    """How a method's marker looks."""
    return MARKS.get(method, OTHER)


def methods_of(views: Sequence[Box]) -> list[str]:
    """The methods that have a marker in some view, in the order in which they are drawn."""
    found = {str(method) for view in views for method in view.markers["method"]}
    return [*(known for known in MARKS if known in found), *sorted(found - set(MARKS))]


def marker_name(method: str, k: float, labels: Mapping[str, str]) -> str:
    """A selection and its k, such as "max cube, k = 3"."""
    return f"{labels.get(method, method)}, k = {k:g}"


def _limits_away(places: np.ndarray, limits: np.ndarray, ideal: np.ndarray) -> np.ndarray:
    """[n] how far places [n, 3] are from the ideal at most, a limit being at distance 1."""
    depth = np.abs(limits - ideal)
    scale = np.where(depth > 0, depth, 1.0)  # a box without depth: distances as they are
    away = (places - ideal) * np.array([1.0, 1.0, -1.0])
    return (away / scale).max(axis=1, initial=-np.inf)
