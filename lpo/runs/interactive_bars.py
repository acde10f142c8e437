"""The pictures of `lpo.runs.bars` as plotly figures (needs `pip install lpo[report]`)."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from lpo.runs.bars import half_length
from lpo.runs.style import BASELINE, PALETTE


def bars(
    table: pd.DataFrame,
    rows: str,
    columns: Sequence[str],
    label: str,
    *,
    stacked: bool = False,
    limit: float | None = None,
    spreads: Mapping[str, str] | None = None,
) -> go.Figure:
    """One line a value of `rows`, one bar a column of `columns`; see `lpo.runs.bars.bars`."""
    figure = go.Figure()
    for i, column in enumerate(columns):
        half = half_length(table, column, spreads)
        bar = go.Bar(
            x=table[column],
            y=table[rows].astype(str),
            name=column,
            orientation="h",
            error_x=None if half is None else {"array": half, "thickness": 1.2, "width": 3},
            marker={"color": PALETTE[i % len(PALETTE)]},
            hovertemplate=f"<b>%{{y}}</b><br>{column}: %{{x:.4g}}<extra></extra>",
        )
        figure.add_trace(bar)
    if limit is not None:
        figure.add_vline(limit, line={"color": BASELINE, "dash": "dash", "width": 1})
    figure.update_xaxes(title_text=label, gridcolor="#eeeeee", linecolor="#999999", showline=True)
    figure.update_yaxes(autorange="reversed", linecolor="#999999", showline=True)
    return figure.update_layout(
        barmode="stack" if stacked else "group",
        template="plotly_white",
        height=150 + 34 * len(table),
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
    )
