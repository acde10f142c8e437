"""Figures over two scales: what they show of every point, with and without a value."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle

from lpo.runs import fronts, grids, interactive_fronts, interactive_grids, surfaces
from lpo.runs.grid_values import grid_values, selected
from lpo.runs.grids import Trend

LABELS = {"a": "price scale", "b": "error scale", "cost": "total cost, $"}


@pytest.fixture
def table() -> pd.DataFrame:
    """3 x 4 points, cost 10 a + b; (1, 0.1) is infeasible, (3, 0.4) ran out of time."""
    rows = [
        {"a": a, "b": b, "status": "optimal", "cost": 10 * a + b, "gpus": a}
        for a in (1.0, 2.0, 3.0)
        for b in (0.1, 0.2, 0.3, 0.4)
    ]
    table = pd.DataFrame(rows)
    for at, status in ((0, "infeasible"), (11, "time_limit")):
        table.loc[at, ["cost", "gpus"]] = np.nan
        table.loc[at, "status"] = status
    return table.sample(frac=1.0, random_state=0)  # in any order


def traces(figure: Any) -> list[Any]:
    return list(figure.data)


def test_values_are_in_the_order_of_the_scales(table):
    grid = grid_values(table, "a", "b", "cost")
    assert (grid.x.tolist(), grid.y.tolist()) == ([1, 2, 3], [0.1, 0.2, 0.3, 0.4])
    expected = 10 * grid.x[None] + grid.y[:, None]
    assert np.where(grid.missing, expected, grid.value) == pytest.approx(expected)
    assert np.argwhere(grid.missing).tolist() == [[0, 0], [3, 2]]
    assert (grid.status[0, 0], grid.status[3, 2]) == ("infeasible", "time_limit")
    missing = grid_values(table.iloc[:0], "a", "b", "cost")
    assert missing.value.shape == (0, 0)


def test_selected_values_keep_the_ends():
    assert selected(np.arange(11), 4).tolist() == [0, 3, 7, 10]
    assert selected(np.arange(3), 4).tolist() == [0, 1, 2]


def test_heat_maps_show_values_and_why_others_are_missing(table):
    figure = grids.heat_maps(table, "a", "b", ["cost", "gpus"], LABELS)
    panel = figure.axes[0]
    assert (panel.get_title(), panel.get_xlabel()) == ("total cost, $", "price scale")
    hatched = [
        (patch.get_x() + 0.5, patch.get_y() + 0.5)
        for patch in panel.patches
        if isinstance(patch, Rectangle) and patch.get_hatch()
    ]
    assert sorted(hatched) == [(0, 0), (2, 3)]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(legend) == ["infeasible", "time limit"]
    numbers = {tuple(map(int, t.get_position())): t.get_text() for t in panel.texts}
    assert numbers[1, 0] == "20.1"
    assert len(numbers) == 10
    twin = traces(interactive_grids.heat_maps(table, "a", "b", ["cost", "gpus"], LABELS))
    reasons = np.asarray(twin[1].customdata)
    assert (reasons[0, 0], reasons[3, 2]) == ("infeasible", "time limit")
    assert twin[0].z[0][1] == pytest.approx(20.1)


def test_trends_have_a_line_a_value_and_a_cross_for_each_missing_point(table):
    panels = [Trend("a", "b", "cost", 30.0), Trend("b", "a", "gpus")]
    figure = grids.trends(table, panels, LABELS)
    left = figure.axes[0]
    lines = [line for line in left.lines if line.get_marker() == "o"]
    assert len(lines) == 4
    assert np.asarray(lines[1].get_ydata()) == pytest.approx([10.2, 20.2, 30.2])
    crosses = [line for line in left.lines if line.get_marker() == "x"]
    assert sorted(float(x) for line in crosses for x in np.asarray(line.get_xdata())) == [1.0, 3.0]
    assert any(line.get_linestyle() == "--" for line in left.lines)
    lines = traces(interactive_grids.trends(table, panels, LABELS))
    assert [line.legend for line in lines] == ["legend"] * 4 + ["legend2"] * 3
    assert [line.name for line in lines[4:]] == ["1", "2", "3"]


def test_stacked_bars_add_up_and_mark_what_is_missing(table):
    rows = table.loc[table["b"] == 0.1].sort_values("a").assign(name=["x", "y", "z"])
    figure = grids.stacked_bars({"left": rows}, "name", ["cost", "gpus"], LABELS, "$")
    panel = figure.axes[0]
    cost, gpus, missing = (c for c in panel.containers if isinstance(c, BarContainer))
    tops = [bar.get_y() + bar.get_height() for bar in gpus]
    assert tops == pytest.approx([0, 20.1 + 2, 30.1 + 3])
    assert [bar.get_height() for bar in cost] == pytest.approx([0, 20.1, 30.1])
    assert [round(bar.get_x() + bar.get_width() / 2) for bar in missing] == [0]
    drawn = {"left": rows}, "name", ["cost", "gpus"], LABELS, "$"
    twin = traces(interactive_grids.stacked_bars(*drawn))
    assert list(twin[0].y)[1:] == pytest.approx([20.1, 30.1])


def test_surfaces_mark_missing_points_and_are_seen_from_below(table):
    figure = surfaces.surface(table, "a", "b", "cost", LABELS)
    axes = figure.axes[0]
    labels = axes.get_legend_handles_labels()[1]
    assert labels == ["no plan"]
    grid = grid_values(table, "a", "b", "cost")
    angle = np.radians(surfaces.azimuth(grid))
    assert np.cos(angle) < 0 and np.sin(angle) < 0  # cost rises with both, away from the eye
    twin = traces(interactive_grids.surface(table, "a", "b", "cost", LABELS))
    assert len(twin[1].x) == 10
    assert list(twin[2].text) == ["infeasible", "time limit"]
    low, high = figure.axes[1].get_ylim()
    assert (low, high) == pytest.approx((10.2, 30.3))  # of all points, also where faces are means
    flat = table.loc[table["b"] == 0.2]
    assert surfaces.surface(flat, "a", "b", "cost", LABELS).axes


def test_fronts_have_intervals_and_one_line_a_group():
    rows = [
        {"gamma": g, "law": law, "rate": 0.9 - 0.3 * g, "usd": 300 + 20 * g}
        for law in ("uniform", "beta")
        for g in (0.0, 1.0, 2.0)
    ]
    table = pd.DataFrame(rows)
    table = table.assign(rate_low=table["rate"] - 0.1, rate_high=table["rate"] + 0.2)
    ends = fronts.intervals_of(table, "rate")
    assert ends is not None
    assert ends[0] == pytest.approx(0.1)
    assert ends[1] == pytest.approx(0.2)
    assert fronts.intervals_of(table, "usd") is None
    figure = fronts.front(table, "rate", "usd", "gamma", "law", {"gamma": "Γ"})
    numbers = [text.get_text() for text in figure.axes[0].texts]
    assert numbers == ["0", "1", "2"]  # both laws have the same points: named once
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["uniform", "beta"]
    args = (table, "rate", "usd", "gamma", "law", {})
    twin = traces(interactive_fronts.front(*args))
    assert [trace.name for trace in twin] == ["uniform", "beta"]
    assert list(twin[0].error_x.array) == pytest.approx([0.2] * 3)
    table.loc[2, ["rate", "usd"]] = table.loc[1, ["rate", "usd"]].to_numpy()
    assert [text.get_text() for text in fronts.front(*args).axes[0].texts] == ["0", "1, 2", "2"]
    assert list(traces(interactive_fronts.front(*args))[0].text) == ["0", "1, 2", ""]
