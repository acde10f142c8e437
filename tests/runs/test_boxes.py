"""Boxes of limits: which points are shown, where planes and markers lie, static and interactive."""

import json
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from lpo.runs import boxes, interactive_boxes
from lpo.runs.box_scenes import EDGES, FACES, MARKS, Box, corners, scene, wall
from lpo.runs.pictures import box_picture
from lpo.runs.solids import STAR, TETRAHEDRON
from lpo.runs.style import BASELINE

LIMITS = (10.0, 5.0, 0.8)
LABELS = {"x": "cost, $", "y": "time, s", "z": "accuracy", "k": "passes k", "max_cube": "max cube"}


def make_view(name: str = "both", limits=LIMITS, selected=("max_cube", "utopia")) -> Box:
    """Eight points on a line, three within the limits given above, the last two far outside."""
    k = np.arange(1, 9)
    x, y, z = 2.0 * k, 1.5 * k, 1.0 - 0.3 / k
    points = pd.DataFrame({"x": x, "y": y, "z": z, "k": k, "score": 1.0 / k})
    points["feasible"] = (x <= limits[0]) & (y <= limits[1]) & (z >= limits[2])
    markers = points.loc[[1] * len(selected), ["x", "y", "z", "k"]].assign(method=selected)
    return Box(name, points, limits, markers)


VIEWS = [
    make_view(),
    make_view("one", (10.0, 3.5, 0.8), ["knee_chord"]),
    make_view("none", (10.0, 5.0, 0.99), []),
]


def drawn(view: Box) -> tuple[Any, dict[str, Any]]:
    """The axes of a view, and what has a name in them."""
    axes: Any = boxes.box(view, LABELS).axes[0]
    handles, names = axes.get_legend_handles_labels()
    return axes, dict(zip(names, handles, strict=True))


def traces(figure: Any) -> dict[str, Any]:
    """The traces by their names, the first one of each."""
    return {trace.name: trace for trace in reversed(figure.data)}


def test_points_far_outside_are_left_out_and_the_box_is_whole():
    shown = scene(VIEWS[0])
    # limits at 10, 5 and 0.8: k = 5 has y at 1.5 limits, k = 6 at 1.8; k = 1 has z at 1.5
    assert shown.points["k"].tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(shown.box, [[0, 10], [0, 5], [0.8, 1]])
    assert (shown.room[:, 0] < [0, 0, 0.7]).all() and (shown.room[:, 1] > [10, 7.5, 1]).all()
    np.testing.assert_allclose(np.ptp(shown.room, axis=1) / [10, 7.5, 0.3], 1.08)


def test_without_points_near_the_limits_the_nearest_ones_are_shown():
    # y of k = 1 is 3 limits away, of k = 2 six
    assert scene(make_view(limits=(10.0, 0.5, 0.5))).points["k"].tolist() == [1]


def test_a_feasible_point_is_shown_wherever_it_is():
    view = make_view()
    shown = scene(view._replace(points=view.points.assign(feasible=True)))
    assert shown.points["k"].tolist() == view.points["k"].tolist()


@pytest.mark.parametrize("limits", [(np.inf, 5.0, 0.8), (10.0, 5.0, -np.inf), (10.0, 5.0, 1.0)])
def test_limits_may_be_infinite_or_the_ideal_itself(limits):
    view = make_view(limits=limits, selected=[])
    shown = scene(view)
    assert np.isfinite(shown.box).all() and (np.ptp(shown.room, axis=1) > 0).all()
    _, names = drawn(view)
    assert sum("≤" in name or "≥" in name for name in names) == np.isfinite(limits).sum()
    figure: Any = interactive_boxes.boxes([view], LABELS)
    planes = [trace for trace in figure.data[6:9] if len(trace.x)]
    assert len(planes) == np.isfinite(limits).sum()


def test_edges_and_sides_are_those_of_a_box():
    places = corners(np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 4.0]]))
    lengths = [np.abs(places[a] - places[b]).sum() for a, b in pairwise(EDGES)]
    pairs = {frozenset(map(int, pair)) for pair in pairwise(EDGES)}
    assert len(pairs) == 12 and set(lengths) == {1.0, 2.0, 4.0}
    for face in places[FACES]:
        flat = np.ptp(face, axis=0) == 0
        assert flat.sum() == 1
        steps = np.roll(face, -1, axis=0) - face  # around it, one axis at a time
        assert (np.count_nonzero(steps, axis=1) == 1).all()
    assert len({face.mean(axis=0).tobytes() for face in places[FACES]}) == 6


def test_planes_are_at_the_limits_and_cross_the_room():
    room = np.array([[-1.0, 11.0], [0.0, 6.0], [0.7, 1.0]])
    plane = wall(room, 1, 5.0)
    assert set(plane[:, 1]) == {5.0}
    np.testing.assert_array_equal(np.sort(plane[:, 0]), [-1, -1, 11, 11])
    np.testing.assert_array_equal(np.sort(plane[:, 2]), [0.7, 0.7, 1, 1])


@pytest.mark.parametrize("solid", [TETRAHEDRON, STAR], ids=["tetrahedron", "star"])
def test_solids_are_closed_and_around_their_middle(solid):
    np.testing.assert_allclose(solid.corners.mean(axis=0), 0.0, atol=1e-12)
    sides = [frozenset(pair) for t in solid.triangles.tolist() for pair in combinations(t, 2)]
    assert all(sides.count(side) == 2 for side in sides)
    corners, number = len(solid.corners), len(solid.triangles)
    assert corners - len(set(sides)) + number == 2  # Euler's formula
    apart = np.linalg.norm(
        solid.corners[solid.triangles[:, 0]] - solid.corners[solid.triangles[:, 2]], axis=1
    )
    np.testing.assert_allclose(apart, apart[0])  # each triangle as large as the others


def test_static_points_are_coloured_where_feasible_and_hollow_elsewhere():
    axes, names = drawn(VIEWS[0])
    assert [len(names[n].get_offsets()) for n in ("feasible", "not feasible")] == [2, 3]
    assert len(names["not feasible"].get_facecolors()) == 0
    np.testing.assert_allclose(names["not feasible"].get_edgecolors()[0], to_rgba(BASELINE))
    low, high = axes.get_xlim()
    assert low < 0 and high > 10 and axes.get_xlabel() == "cost, $"
    assert {"cost, $ ≤ 10", "time, s ≤ 5", "accuracy ≥ 0.8", "feasible box"} < set(names)
    assert len(axes.figure.axes) == 2  # the bar of colours


def test_static_markers_have_their_looks_and_larger_ones_are_below():
    _, names = drawn(VIEWS[0])
    cube, utopia = names["max cube, k = 2"], names["utopia, k = 2"]
    assert (cube.get_marker(), utopia.get_marker()) == ("^", "D")
    assert cube.get_markersize() > utopia.get_markersize()
    assert list(names).index("max cube, k = 2") < list(names).index("utopia, k = 2")
    np.testing.assert_allclose(np.ravel(cube.get_data_3d()), [4.0, 3.0, 0.85])
    sizes = [mark.size for mark in MARKS.values()]
    assert sizes == sorted(sizes, reverse=True)


def test_without_feasible_points_there_is_a_figure_without_colours():
    axes, names = drawn(VIEWS[2])
    assert "feasible" not in names and "not feasible" in names
    assert len(axes.figure.axes) == 1
    empty = VIEWS[2]._replace(points=VIEWS[2].points.iloc[:0])
    assert "feasible box" in drawn(empty)[1]
    figure: Any = interactive_boxes.boxes([empty], LABELS)
    assert len(figure.data) == 10


def test_the_interactive_twin_shows_the_same():
    figure: Any = interactive_boxes.boxes(VIEWS, LABELS)
    named = traces(figure)
    np.testing.assert_allclose(named["feasible"].x, [4.0, 6.0])
    np.testing.assert_allclose(named["feasible"].marker.color, [0.5, 1 / 3], rtol=1e-5)
    np.testing.assert_allclose(named["not feasible"].y, [1.5, 6.0, 7.5])
    np.testing.assert_array_equal(named["not feasible"].customdata[:, 0], [1, 4, 5])
    np.testing.assert_allclose(named["cost, $ ≤ 10"].x, 10.0)
    np.testing.assert_allclose(named["time, s ≤ 5"].y, 5.0)
    np.testing.assert_allclose(named["accuracy ≥ 0.8"].z, 0.8)
    np.testing.assert_allclose(named["utopia, k = 2"].z, [0.85])
    # a solid is around its place
    middle = [np.mean(named["max cube, k = 2"][axis]) for axis in "xyz"]
    np.testing.assert_allclose(middle, [4.0, 3.0, 0.85], rtol=1e-5)
    np.testing.assert_allclose(figure.layout.scene.xaxis.range, scene(VIEWS[0]).room[0])
    assert figure.layout.scene.xaxis.title.text == "cost, $"
    assert figure.layout.coloraxis.showscale
    assert "time, s ≤ 5" in named and named["time, s ≤ 5"].showlegend


def test_the_drop_down_puts_in_what_the_view_alone_would_have():
    figure: Any = interactive_boxes.boxes(VIEWS, LABELS, first=1)
    menu = figure.layout.updatemenus[0]
    assert [button.label for button in menu.buttons] == ["both", "one", "none"] and menu.active == 1
    number = len(figure.data)
    for view, button in zip(VIEWS, menu.buttons, strict=True):
        data, layout = button.args
        assert {len(values) for values in data.values()} == {number}
        alone: Any = interactive_boxes.boxes([view], LABELS)
        inside = [i for i, x in enumerate(data["x"]) if len(x)]
        shown = [trace for trace in alone.data if len(trace.x)]
        assert [data["name"][i] for i in inside] == [trace.name for trace in shown]
        for i, trace in zip(inside, shown, strict=True):
            for axis in "xyz":
                np.testing.assert_array_equal(data[axis][i], trace[axis])
        np.testing.assert_array_equal(layout["scene.yaxis.range"], alone.layout.scene.yaxis.range)
    assert not menu.buttons[2].args[1]["coloraxis.showscale"]
    page = json.loads(figure.to_json())
    assert page["layout"]["updatemenus"][0]["buttons"][0]["args"][0]["x"][2] == [4.0, 6.0]


def test_numbers_of_the_page_have_six_digits():
    view = make_view()
    precise = view._replace(points=view.points.assign(x=view.points["x"] * 0.123456789))
    figure: Any = interactive_boxes.boxes([precise], LABELS)
    data = figure.layout.updatemenus[0].buttons[0].args[0]
    np.testing.assert_array_equal(data["x"][0][:2], [0.246914, 0.493827])


def test_the_caption_says_when_points_are_left_out():
    picture = box_picture("Boxes", "Each k.", VIEWS, LABELS)
    assert picture.caption.startswith("Each k. Points further") and "1.6 times" in picture.caption
    near = [make_view(limits=(100.0, 100.0, 0.7))]
    picture = box_picture("Boxes", "Each k.", near, LABELS)
    assert picture.caption == "Each k."
    assert picture.static.texts[0].get_text() == "both"
    assert picture.interactive().layout.updatemenus[0].buttons[0].label == "both"
