"""The pictures of revenue and load over the numbers of a GPU."""

import numpy as np
import pandas as pd

from lpo.runs import Picture
from lpo.runs.overlays import Look, Overlay, OverlayPanel, tangents
from lpo.serve.command.drawing import heat_picture, overlay_picture

UNITS = {
    "batch": ("B, streams of a GPU", 1.0),
    "chunk": ("C, tokens of a chunk", 1.0),
    "alpha": ("alpha, ms", 1e3),
    "beta": ("beta, us per token", 1e6),
    "tau_solo": ("tau_solo, ms", 1e3),
}
"""Labels of the numbers of a GPU, and their units in that label."""

LOGARITHMIC = ("batch", "chunk", "beta")


def _rows(sweeps: pd.DataFrame, name: str) -> pd.DataFrame:
    rows = sweeps.loc[(sweeps["varied"] == name) & (sweeps["status"] == "optimal")]
    return rows.sort_values(name)


def _panels(sweeps: pd.DataFrame) -> list[tuple[str, str, float, tuple[bool, bool], pd.DataFrame]]:
    return [
        (name, *UNITS[name], (name in LOGARITHMIC, False), _rows(sweeps, name))
        for name in dict.fromkeys(sweeps["varied"])
    ]


def revenue_picture(sweeps: pd.DataFrame) -> Picture:
    """R* along each number that is varied alone, with its gradient; `sweeps`: the table."""
    panels = []
    for name, label, unit, log, rows in _panels(sweeps):
        at, value, slope = (rows[c].to_numpy(np.float64) for c in (name, "revenue", "slope"))
        pieces = tangents(unit * at, value, slope / unit, log=log[0])
        layers = [
            Overlay("R*", unit * at, value),
            Overlay("gradient", *pieces, Look.LINE),
        ]
        panels.append(OverlayPanel(name, label, "revenue per GPU and second", layers, log))
    caption = (
        "R* along one number at a time, the others as given, where C is at least b0. The short "
        "lines have the gradient of the linear program as their slope; where everything is served "
        "R* is flat."
    )
    return overlay_picture("Revenue", caption, panels)


def load_picture(sweeps: pd.DataFrame) -> Picture:
    """Load along each number that is varied alone."""
    panels = []
    for name, label, unit, log, rows in _panels(sweeps):
        at, value = unit * rows[name].to_numpy(np.float64), rows["load"].to_numpy(np.float64)
        layers = [Overlay("load", at, value)]
        if len(at):
            layers.append(Overlay("everything served", at[[0, -1]], np.ones(2), Look.DASHES))
        panels.append(OverlayPanel(name, label, "least fleet / fleet", layers, log))
    caption = "The least fleet that serves everything over the fleet; above 1 some are not served."
    return overlay_picture("Load", caption, panels)


def map_picture(grid: pd.DataFrame) -> Picture:
    """R* and load over batch and beta."""
    drawn = grid.assign(beta_us=grid["beta"] * UNITS["beta"][1])
    labels = {
        "batch": UNITS["batch"][0],
        "beta_us": UNITS["beta"][0],
        "revenue": "R*, revenue per GPU and second",
        "load": "load",
    }
    caption = (
        "R* and load over both, the other numbers as given. Hatched: C is below b0, or no plan "
        "keeps the levels."
    )
    return heat_picture(
        "B and beta", caption, drawn, "batch", "beta_us", ["revenue", "load"], labels
    )


def chunk_picture(chunks: pd.DataFrame) -> Picture:
    """Load along the chunk on published hardware, by its table of times and on its line."""
    panels = []
    for name, rows in chunks.groupby("hardware", sort=False):
        at = rows["chunk"].to_numpy(np.float64)
        layers = [
            Overlay("by the table", at, rows["load_by_table"].to_numpy(np.float64)),
            Overlay("on the line, C >= b0", at, rows["load_on_line"].to_numpy(np.float64)),
        ]
        panels.append(OverlayPanel(str(name), UNITS["chunk"][0], "load", layers, (True, False)))
    caption = (
        "Load of the same requests on published hardware. By the table an iteration with a very "
        "short chunk takes as long as one with a longer chunk, so that shorter is not better "
        "without end; the line does not know that and is not followed below b0."
    )
    return overlay_picture("Chunks by measured times", caption, panels)
