"""Pictures of lines, static and interactive."""

from collections.abc import Mapping, Sequence

import pandas as pd

from lpo.runs import Picture, pictures
from lpo.runs.lines import Lines

LABELS = {
    "x": "cost, $",
    "y": "time, s",
    "z": "accuracy",
    "k": "passes k",
    "score": "cube score",
    "cost_usd": "cost of a query, $",
    "time_s": "time of a query, s",
    "accuracy": "accuracy",
    "model": "model",
    "rule": "rule",
    "accuracy_max": "accuracy max",
    "max_cube": "max cube",
    "utopia": "utopia-closest",
    "knee_curvature": "knee (curvature)",
    "knee_chord": "knee (chord)",
    "ideal": "utopia",
}
"""Columns and methods in words."""


def line_picture(
    title: str,
    caption: str,
    table: pd.DataFrame,
    panels: Sequence[Lines],
    labels: Mapping[str, str] | None = None,
) -> Picture:
    """Return a picture of lines; `labels` beside `LABELS`."""
    return pictures.line_picture(title, caption, table, panels, LABELS | dict(labels or {}))
