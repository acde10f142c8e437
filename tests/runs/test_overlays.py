"""Layers of points and lines: what is drawn of them, static and interactive."""

from typing import Any

import numpy as np

from lpo.runs import interactive_overlays, overlays
from lpo.runs.overlays import Look, Overlay, OverlayPanel, layer_colours, tangents
from lpo.runs.style import BASELINE, PALETTE

X = np.array([1.0, 10.0, 100.0])
PANEL = OverlayPanel(
    "one",
    "tokens",
    "ms",
    [
        Overlay("limit", X[[0, -1]], np.ones(2), Look.DASHES),
        Overlay("measured", X, X**2, Look.POINTS),
        Overlay("fit", X, X, Look.LINE),
    ],
    log=(True, False),
)
PANELS = [PANEL, PANEL._replace(title="two", layers=[Overlay("fit", X, 2.0 * X)])]


def test_a_name_has_one_colour_and_one_entry_in_the_legend():
    figure = overlays.overlays(PANELS)
    first, second = figure.axes
    colours = {line.get_label(): line.get_color() for line in first.lines}
    assert colours == {"limit": BASELINE, "measured": PALETTE[0], "fit": PALETTE[1]}
    assert second.lines[0].get_color() == PALETTE[1]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["limit", "measured", "fit"]


def test_points_have_no_line_and_lines_no_points():
    limit, measured, fit = overlays.overlays(PANELS).axes[0].lines
    assert (measured.get_linestyle(), measured.get_marker()) == ("None", "o")
    assert (fit.get_linestyle(), fit.get_marker()) == ("-", "None")
    assert limit.get_linestyle() == "--"


def test_tangents_pass_through_their_points_with_their_slopes():
    y, slope = X**2, 2.0 * X
    for log in (False, True):
        across, along = (each.reshape(3, -1) for each in tangents(X, y, slope, log=log))
        assert np.isnan(across[:, -1]).all()  # interrupts
        inside = slice(0, -1)
        expected = y[:, None] + slope[:, None] * (across[:, inside] - X[:, None])
        np.testing.assert_allclose(along[:, inside], expected)
        np.testing.assert_allclose(across[:, 2], X)
        scale = np.log(across) if log else across
        np.testing.assert_allclose(np.ptp(scale[:, inside], axis=1), 0.07 * np.ptp(scale[:, 2]))


def test_the_interactive_twin_has_the_same_layers():
    figure = interactive_overlays.overlays(PANELS)
    traces: list[Any] = list(figure.data)
    assert [trace.name for trace in traces] == ["limit", "measured", "fit", "fit"]
    assert [trace.mode for trace in traces] == ["lines", "markers", "lines", "lines+markers"]
    assert [trace.showlegend for trace in traces] == [True, True, True, False]
    colours = layer_colours(PANELS)
    assert [trace.line.color for trace in traces] == [colours[trace.name] for trace in traces]
    np.testing.assert_array_equal(traces[1].y, X**2)
