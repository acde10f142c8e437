"""A tidy table over two scales as arrays: what the figures of `grids` and `surfaces` draw."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

POINT_STATUSES = ("optimal", "feasible")
"""Statuses of a row that has values."""


class GridValues(NamedTuple):
    """One column of a table over the values of two others.

    x: [nx] and y: [ny], ascending. value: [ny, nx], NaN where the table has none. status: [ny, nx]
    of text, "" where the table has no such row.
    """

    x: np.ndarray
    y: np.ndarray
    value: np.ndarray
    status: np.ndarray

    @property
    def missing(self) -> np.ndarray:
        """Where there is no value [ny, nx]."""
        return ~np.isfinite(self.value)


def grid_values(table: pd.DataFrame, x: str, y: str, value: str) -> GridValues:
    """Return column `value` over the columns `x` and `y`; the last row counts where one repeats.

    `table` may have a column `status`; rows without a value say there why.
    """
    xs, x_index = np.unique(table[x].to_numpy(np.float64), return_inverse=True)
    ys, y_index = np.unique(table[y].to_numpy(np.float64), return_inverse=True)
    values = np.full((ys.size, xs.size), np.nan)
    values[y_index, x_index] = table[value].to_numpy(np.float64)
    status = np.full(values.shape, "", dtype=object)
    status[y_index, x_index] = table["status"].to_numpy() if "status" in table else "optimal"
    return GridValues(xs, ys, values, status)


def words(status: Any) -> str:
    """A status as a reader is told it."""
    return str(status).replace("_", " ") or "not computed"


def selected(values: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the values [n], evenly spread, ends included."""
    if values.size <= most:
        return values
    return values[np.unique(np.linspace(0, values.size - 1, most).round().astype(int))]
