"""Lines over a number: which points, errors and references are drawn, static and interactive."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.container import ErrorbarContainer

from lpo.runs import interactive_lines, lines
from lpo.runs.lines import Lines

TABLE = pd.DataFrame(
    {
        "n": [50, 10, 200, 10, 50, 200],
        "policy": ["a", "a", "a", "b", "b", "b"],
        "share": [0.8, 0.6, 0.9, 0.5, np.nan, 0.7],
        "se": [0.01, 0.02, 0.0, 0.03, 0.1, np.nan],
    }
)
PANEL = Lines("Share", "n", "share", "policy", error="se", reference=1.0, log=(True, False))


def test_every_line_has_its_points_in_order_without_missing_ones():
    axes = lines.lines(TABLE, [PANEL], {"n": "GPUs"}).axes[0]
    drawn = [each for each in axes.containers if isinstance(each, ErrorbarContainer)]
    assert [each.get_label() for each in drawn] == ["a", "b"]
    np.testing.assert_array_equal(drawn[0].lines[0].get_xdata(), [10, 50, 200])
    np.testing.assert_array_equal(drawn[1].lines[0].get_ydata(), [0.5, 0.7])
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "GPUs"


def test_bars_are_of_95_percent():
    (name, rows), _ = lines.groups_of(TABLE, PANEL)
    assert name == "a"
    half = lines.half_width(rows, PANEL)
    assert half is not None
    np.testing.assert_allclose(half, 1.96 * np.array([0.02, 0.01, 0.0]))


def test_a_reference_is_a_height_or_one_a_point():
    (_, rows), _ = lines.groups_of(TABLE.assign(best=TABLE["n"] / 200.0), PANEL)
    flat, own = (lines.heights(rows, PANEL._replace(reference=r)) for r in (1.0, "best"))
    assert flat is not None and own is not None
    np.testing.assert_array_equal(flat, [1.0, 1.0, 1.0])
    np.testing.assert_allclose(own, [0.05, 0.25, 1.0])
    assert lines.heights(rows, PANEL._replace(reference=None)) is None


def test_the_interactive_twin_has_the_same_lines_and_one_legend():
    figure = interactive_lines.lines(TABLE, [PANEL, PANEL._replace(title="again")], {})
    traces: list[Any] = list(figure.data)
    named: list[Any] = [trace for trace in traces if trace.name]
    assert [trace.name for trace in named] == ["a", "b", "a", "b"]
    assert [trace.showlegend for trace in named] == [True, True, False, False]
    np.testing.assert_array_equal(named[0].x, [10, 50, 200])
    assert len(traces) == 8  # a dashed reference a line


def test_bands_are_shaded_between_their_ends():
    table = TABLE.assign(low=TABLE["share"] - 0.1, high=TABLE["share"] + 0.2)
    panel = PANEL._replace(band=("low", "high"), reference=None, error=None)
    axes: Any = lines.lines(table, [panel], {}).axes[0]
    first, second = (each.get_paths()[0].vertices for each in axes.collections)
    np.testing.assert_allclose([first[:, 1].min(), first[:, 1].max()], [0.5, 1.1])
    assert second[:, 0].max() == 200
    traces: list[Any] = list(interactive_lines.lines(table, [panel], {}).data)
    assert [trace.fill for trace in traces] == [None, "tonexty", None] * 2
    np.testing.assert_allclose(traces[1].y, [0.8, 1.0, 1.1])
    assert [trace.showlegend for trace in traces] == [False, False, True] * 2
