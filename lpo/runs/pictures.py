"""Pictures for reports: a static figure and its interactive twin under one title."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lpo.runs.bars import bars
from lpo.runs.box_scenes import REACH, Box, hidden
from lpo.runs.boxes import box
from lpo.runs.lines import Lines, lines
from lpo.runs.report import Picture


def bar_picture(
    title: str,
    caption: str,
    table: pd.DataFrame,
    rows: str,
    columns: Sequence[str],
    label: str,
    **options: Any,
) -> Picture:
    """Return a picture of bars; the arguments after the caption are those of `lpo.runs.bars`."""

    def interactive() -> Any:
        from lpo.runs import interactive_bars  # plotly is an extra

        return interactive_bars.bars(table, rows, columns, label, **options)

    return Picture(title, caption, bars(table, rows, columns, label, **options), interactive)


def line_picture(
    title: str,
    caption: str,
    table: pd.DataFrame,
    panels: Sequence[Lines],
    labels: Mapping[str, str],
) -> Picture:
    """Return a picture of lines; the arguments after the caption are those of `lpo.runs.lines`."""

    def interactive() -> Any:
        from lpo.runs import interactive_lines  # plotly is an extra

        return interactive_lines.lines(table, panels, labels)

    return Picture(title, caption, lines(table, panels, labels), interactive)


def box_picture(
    title: str, caption: str, views: Sequence[Box], labels: Mapping[str, str], first: int = 0
) -> Picture:
    """Return a picture of boxes of limits: static of the view `first`, interactive of all views.

    The caption also says whether points are left out. labels: see `lpo.runs.boxes.box`.
    """

    def interactive() -> Any:
        from lpo.runs import interactive_boxes  # plotly is an extra

        return interactive_boxes.boxes(views, labels, first)

    if any(map(hidden, views)):
        caption += f" Points further from the ideal than {REACH:g} times a limit are left out."
    return Picture(title, caption, box(views[first], labels), interactive)
