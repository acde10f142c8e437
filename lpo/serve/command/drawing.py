"""Pictures of tables, static and interactive."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lpo.runs import Picture, pictures
from lpo.runs.grids import heat_maps
from lpo.runs.lines import Lines
from lpo.runs.overlays import OverlayPanel, overlays

LABELS = {
    "n": "GPUs",
    "load": "load: least fleet / fleet",
    "policy": "policy",
    "reward_per_gpu": "revenue per GPU and second",
    "reward_ratio": "share of the plan's revenue R*",
    "gap": "1 - share of R*",
    "lp_reward_per_gpu": "R*, revenue per GPU and second",
    "abandonment": "share of requests that give up",
    "start_s": "seconds",
    "class": "class",
}
"""Columns of tables in words."""


def line_picture(
    title: str,
    caption: str,
    table: pd.DataFrame,
    panels: Sequence[Lines],
    labels: Mapping[str, str] | None = None,
) -> Picture:
    """Return a picture of lines; `labels` beside `LABELS`."""
    return pictures.line_picture(title, caption, table, panels, LABELS | dict(labels or {}))


def overlay_picture(title: str, caption: str, panels: Sequence[OverlayPanel]) -> Picture:
    """Return a picture of points and lines over each other."""

    def interactive() -> Any:
        from lpo.runs import interactive_overlays  # plotly is an extra

        return interactive_overlays.overlays(panels)

    return Picture(title, caption, overlays(panels), interactive)


def heat_picture(
    title: str,
    caption: str,
    table: pd.DataFrame,
    x: str,
    y: str,
    values: Sequence[str],
    labels: Mapping[str, str] | None = None,
) -> Picture:
    """Return heat maps of the columns `values`; `labels` beside `LABELS`."""
    words = LABELS | dict(labels or {})

    def interactive() -> Any:
        from lpo.runs import interactive_grids  # plotly is an extra

        return interactive_grids.heat_maps(table, x, y, values, words)

    return Picture(title, caption, heat_maps(table, x, y, values, words), interactive)
