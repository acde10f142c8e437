"""A demand series on a regular time axis, where it came from, and a workload of several."""

import math
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError


class Source(NamedTuple):
    """The file behind a series.

    `rows` counts data rows of the file (the header is not one), `empty_bins` the bins that no
    request fell into and that therefore hold zero tokens.
    """

    path: str
    sha256: str
    rows: int
    empty_bins: int


class Series(NamedTuple):
    """Demand of one service on a regular grid.

    `tokens`: float64 [bins], tokens demanded in each bin. `bin_s`: length of a bin in seconds.
    `start`: ISO time of the left edge of bin 0, ending in Z where the file names a zone; None where
    the file has no calendar time.
    `source`: None for a series that was made and not read.
    """

    name: str
    tokens: np.ndarray
    bin_s: float
    start: str | None
    source: Source | None


class Workload(NamedTuple):
    """Several services seen together; `train` names the series that is trained on."""

    name: str
    train: str
    series: dict[str, Series]


def bins_per(bin_s: float, fine_bin_s: float) -> int:
    """How many bins of `fine_bin_s` seconds make one of `bin_s`; at least one.

    Raises `InputError` when `bin_s` is not a whole multiple of `fine_bin_s`: bins cannot be cut.
    """
    ratio = bin_s / fine_bin_s if fine_bin_s > 0 else math.nan
    if not (math.isfinite(ratio) and ratio > 0.5 and math.isclose(ratio, round(ratio))):
        raise InputError(
            f"`bin_s` must be a whole multiple of the series' own bin of {fine_bin_s:g} s, "
            f"got {bin_s:g} s."
        )
    return round(ratio)


def coarsen(series: Series, bin_s: float) -> Series:
    """Sum whole bins into bins of `bin_s` seconds.

    A partial bin at the end is dropped, because its sum would read as low demand; the number of
    dropped fine bins is `len(series.tokens) % bins_per(bin_s, series.bin_s)`. Bin 0 keeps its
    place, so a series that starts off the coarse grid gets coarse bins from its own start.

    Raises `InputError` when `bin_s` is no multiple of the series' own bin or is longer than the
    series.
    """
    group = bins_per(bin_s, series.bin_s)
    if group == 1:
        return series
    whole = len(series.tokens) // group
    if whole == 0:
        raise InputError(
            f"series `{series.name}` has {len(series.tokens)} bins of {series.bin_s:g} s: "
            f"too short for one bin of {bin_s:g} s."
        )
    tokens = series.tokens[: whole * group].reshape(whole, group).sum(axis=1)
    return series._replace(tokens=tokens, bin_s=float(bin_s))


def part(series: Series, lo: int, hi: int) -> Series:
    """Bins `lo` to `hi - 1` of a series, with its start moved along; `0 <= lo < hi <= bins`."""
    if not 0 <= lo < hi <= len(series.tokens):
        raise InputError(
            f"part [{lo}, {hi}) of series `{series.name}` must lie within its "
            f"{len(series.tokens)} bins and hold at least one."
        )
    start = series.start
    if start is not None:
        moment, zone = calendar(start)
        start = iso_time(moment + np.timedelta64(round(lo * series.bin_s * 1e9), "ns"), zone)
    return series._replace(tokens=series.tokens[lo:hi], start=start)


def iso_time(moment: np.datetime64, zone: str) -> str:
    """ISO text of a moment to the second, or finer where it must be; `zone` is "Z" (UTC) or ""."""
    seconds = moment.astype("datetime64[s]")
    return np.datetime_as_string(seconds if seconds == moment else moment) + zone


def calendar(start: str) -> tuple[np.datetime64, str]:
    """`Series.start` as a moment (nanoseconds) and its zone, the inverse of `iso_time`."""
    zone = "Z" if start.endswith("Z") else ""
    return np.datetime64(start.removesuffix("Z"), "ns"), zone
