"""Pictures for reports: a static figure and its interactive twin under one title."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lpo.runs.bars import bars
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
