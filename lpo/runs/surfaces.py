"""A value over two scales as a surface in three dimensions, drawn with matplotlib."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from lpo.runs.grid_values import GridValues, grid_values
from lpo.runs.style import MISSING, SEQUENTIAL

MOST_TICKS = 6  # of an axis


def surface(
    table: pd.DataFrame,
    x: str,
    y: str,
    z: str,
    labels: Mapping[str, str],
    *,
    colour: str | None = None,
) -> Figure:
    """Column `z` over `x` and `y`, coloured by column `colour` (default: z).

    A face has the colour of the mean of its corners, on a scale from the least to the largest of
    all points. Points without a value are crosses on the floor, and holes in the surface.
    """
    grid = grid_values(table, x, y, z)
    shades = grid_values(table, x, y, colour or z).value
    patches = _of_patches(shades)
    across, along = np.meshgrid(grid.x, grid.y)
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    axes: Any = figure.add_subplot(projection="3d", computed_zorder=False)
    known = shades[np.isfinite(shades)]
    scale = ScalarMappable(Normalize(*(known.min(), known.max()) if known.size else (0, 1)))
    scale.set_cmap(SEQUENTIAL)
    # Without the shading of a lamp, so that colours are those of the bar beside it.
    if min(grid.value.shape) > 1:
        axes.plot_surface(
            across,
            along,
            grid.value,
            facecolors=scale.to_rgba(np.nan_to_num(patches)),
            rstride=1,
            cstride=1,
            edgecolor="white",
            linewidth=0.4,
            shade=False,
            zorder=2,
        )
    alone = ~grid.missing & ~_in_a_patch(grid.missing)
    axes.scatter(across[alone], along[alone], grid.value[alone], color="black", s=8, zorder=3)
    if grid.missing.any():
        floor = axes.get_zlim()[0]
        axes.scatter(
            across[grid.missing],
            along[grid.missing],
            floor,
            marker="x",
            color=MISSING,
            s=22,
            depthshade=False,
            zorder=1,
            label="no plan",
        )
        axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.95), frameon=False)
    axes.set_xlabel(labels.get(x, x), labelpad=8)
    axes.set_ylabel(labels.get(y, y), labelpad=8)
    axes.set_xticks(grid.x[:: math.ceil(grid.x.size / MOST_TICKS)])
    axes.set_yticks(grid.y[:: math.ceil(grid.y.size / MOST_TICKS)])
    axes.view_init(elev=26, azim=azimuth(grid))
    axes.set_box_aspect((1.15, 1.15, 0.8), zoom=0.95)
    figure.colorbar(scale, ax=axes, shrink=0.65, pad=0.06, label=labels.get(colour or z, z))
    if colour is not None:
        axes.set_zlabel(labels.get(z, z), labelpad=8)
    return figure


def _of_patches(shades: np.ndarray) -> np.ndarray:
    """Mean of the corners of every patch that are known, [ny, nx]; the last of a row is unused."""
    padded = np.pad(shades, ((0, 1), (0, 1)), constant_values=np.nan)
    corners = np.stack([padded[:-1, :-1], padded[1:, :-1], padded[:-1, 1:], padded[1:, 1:]])
    known = np.isfinite(corners)
    number = known.sum(axis=0)
    sums = np.where(known, corners, 0.0).sum(axis=0)
    return np.where(number > 0, sums / np.maximum(number, 1), np.nan)


def _in_a_patch(missing: np.ndarray) -> np.ndarray:
    """Whether a point [ny, nx] is a corner of a patch of at least three values, which is drawn."""
    count = sum(
        (~missing[rows, columns]).astype(int)
        for rows in (slice(None, -1), slice(1, None))
        for columns in (slice(None, -1), slice(1, None))
    )
    drawn = np.zeros_like(missing)
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            drawn[rows, columns] |= np.asarray(count) >= 3
    return drawn


def azimuth(grid: GridValues) -> float:
    """Degrees around the axis from which a surface rises to the back, so that it is seen whole."""
    rows, columns = np.nonzero(~grid.missing)
    if rows.size < 3:
        return -125.0
    # The slopes of the plane that is nearest: where it rises to, is behind.
    plane = np.column_stack([columns, rows, np.ones(rows.size)])
    slope = np.linalg.lstsq(plane, grid.value[rows, columns])[0]
    right, back = bool(slope[0] >= 0), bool(slope[1] >= 0)
    return {(True, True): -125.0, (False, True): -55.0, (True, False): 125.0}.get(
        (right, back), 55.0
    )
