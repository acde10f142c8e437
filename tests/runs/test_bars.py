"""Bars, static and interactive, show every row and column."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lpo.runs.bars import bars
from lpo.runs.interactive_bars import bars as interactive_bars

TABLE = pd.DataFrame({"part": ["a", "b", "c"], "x": [1.0, 2.0, 4.0], "y": [3.0, np.nan, 0.5]})


@pytest.mark.parametrize("stacked", [False, True])
def test_static_bars(stacked):
    figure = bars(TABLE, "part", ["x", "y"], "dollars", stacked=stacked, limit=5.0)
    panel = figure.axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["a", "b", "c"]
    assert panel.get_xlabel() == "dollars"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["x", "y"]
    first, second = panel.containers
    assert [bar.get_width() for bar in first] == [1, 2, 4]
    assert [bar.get_width() for bar in second] == [3, 0, 0.5]
    assert [bar.get_x() for bar in second] == ([1, 2, 4] if stacked else [0, 0, 0])
    overlap = [a.get_y() + a.get_height() > b.get_y() for a, b in zip(first, second, strict=True)]
    assert not stacked or all(overlap)


def test_one_column_is_labelled_with_its_values():
    panel = bars(TABLE, "part", ["x"], "dollars").axes[0]
    assert [text.get_text() for text in panel.texts] == ["1", "2", "4"]


def test_spreads_stand_at_the_ends_of_their_bars():
    table = TABLE.assign(sd=[0.5, 0.25, np.nan])
    panel: Any = bars(table, "part", ["x", "y"], "dollars", spreads={"x": "sd"}).axes[0]
    ends = [bar.get_width() for bar in panel.containers[1]]
    lines = [np.ptp(line[:, 0]) for line in panel.collections[0].get_segments()]
    assert lines == [1.0, 0.5, 0.0] and ends == [1, 2, 4]
    figure: Any = interactive_bars(table, "part", ["x", "y"], "", spreads={"x": "sd"})
    first, second = figure.data
    assert list(first.error_x.array) == [0.5, 0.25, 0.0] and second.error_x.array is None


def test_interactive_bars():
    figure = interactive_bars(TABLE, "part", ["x", "y"], "dollars", stacked=True, limit=5.0)
    drawn = figure.to_dict()
    assert [trace["name"] for trace in drawn["data"]] == ["x", "y"]
    assert drawn["layout"]["barmode"] == "stack"
    assert drawn["layout"]["shapes"][0]["x0"] == 5.0
