"""Rows in time order to a regular grid of bins, batch by batch: docs/data.md, "Bins"."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.workload.cells import CellError

MAX_BINS = 20_000_000  # 160 MB of tokens: 1 s bins for seven months, 5 s bins for three years

_SECOND_NS = 1_000_000_000
_DAY_NS = 86_400 * _SECOND_NS
_LATEST_NS = np.iinfo(np.int64).max


class Rows(NamedTuple):
    """Some consecutive rows of a file.

    `first_row`: their place in the file, from 0; `time_ns`: int64 [rows], time in nanoseconds;
    `tokens`: float64 [rows], tokens.
    """

    first_row: int
    time_ns: np.ndarray
    tokens: np.ndarray


class Binned(NamedTuple):
    """`tokens`: float64 [bins]; `start_ns`: left edge of bin 0; `rows` read; `empty_bins` of them
    that no row fell into."""

    tokens: np.ndarray
    start_ns: int
    rows: int
    empty_bins: int


def bin_length_ns(bin_s: float) -> int:
    """A bin's length in nanoseconds, in which all binning is exact.

    Raises `InputError` for a length that is not finite or not between 1 microsecond and a year.
    """
    if not 1e-6 <= bin_s <= 366 * 86_400:
        raise InputError(f"`bin_s` must be a number of seconds from 1e-6 to a year, got {bin_s:g}.")
    return round(bin_s * _SECOND_NS)


def since_midnight(time_ns: int, bin_ns: int) -> int:
    """Left edge of the bin that holds a time; bins lie at multiples of `bin_ns` since midnight."""
    return time_ns - time_ns % _DAY_NS % bin_ns


def bin_rows(
    batches: Iterable[Rows], bin_ns: int, *, column: str, origin: Callable[[int, int], int]
) -> Binned:
    """Sum the tokens of rows into bins; a bin without a row holds zero.

    Memory is one batch plus the bins, whatever the number of rows.

    - `batches`: at least one row in all, in time order; equal times are allowed.
    - `column`: name of the time column, for the errors.
    - `origin`: first time, bin length -> left edge of bin 0, such as `since_midnight`.

    Raises `CellError` at the first row whose time is before the row above it, or so late that the
    grid would pass `MAX_BINS` (a corrupted year must not ask for all memory).
    """
    tokens, occupied = np.zeros(1024), np.zeros(1024, bool)
    start = latest = None
    rows = bins = 0
    for batch in batches:
        if len(batch.time_ns) == 0:
            continue
        if start is None or latest is None:
            start = origin(int(batch.time_ns[0]), bin_ns)
            latest = start
        _check(batch, start, latest, bin_ns, column)

        index = (batch.time_ns - start) // bin_ns
        lo, bins = int(index[0]), int(index[-1]) + 1
        if bins > len(tokens):
            size = min(max(bins, 2 * len(tokens)), MAX_BINS)
            tokens, occupied = _lengthened(tokens, size), _lengthened(occupied, size)
        tokens[lo:bins] += np.bincount(index - lo, weights=batch.tokens, minlength=bins - lo)
        occupied[index] = True
        latest, rows = int(batch.time_ns[-1]), rows + len(index)
    if start is None:
        raise InputError("no rows: a series needs at least one.")
    return Binned(tokens[:bins].copy(), start, rows, bins - int(occupied[:bins].sum()))


def on_grid(batches: Iterable[Rows], bin_ns: int, *, column: str) -> Iterator[Rows]:
    """Pass on the rows of a binned series, after checking that they are one a bin.

    Raises `CellError` at the first row whose time repeats the one above it, or does not lie a whole
    number of bins after the first row; and, at the end, when no two rows are one bin apart: taken
    for shorter bins than it has, a series would be mostly gaps. Rows out of order are left to
    `bin_rows`, which must read what this passes on.
    """
    first = before = None
    closest = _LATEST_NS
    for batch in batches:
        time = batch.time_ns
        if len(time) == 0:
            continue
        if first is None or before is None:
            first = int(time[0])
            above, below = time[:-1], time[1:]
        else:
            above, below = np.concatenate([[before], time[:-1]]), time
        repeats = np.zeros(len(time), bool)
        repeats[len(time) - len(below) :] = below == above
        # Remainders are compared, because a difference of two far times may leave int64.
        off = time % bin_ns != first % bin_ns
        bad = repeats | off
        if bad.any():
            row = int(np.argmax(bad))
            what = "repeats the time of the row above" if repeats[row] else "is off the grid"
            raise CellError(
                batch.first_row + row,
                column,
                f"{what}: a series has one row a bin of {bin_ns / _SECOND_NS:g} s "
                "(another bin length: `series_bin_s`; one row a request: kind=requests)",
            )
        before = int(time[-1])
        yield batch
        closest = min(closest, int((below - above).min(initial=_LATEST_NS)))
    if bin_ns < closest < _LATEST_NS:
        raise CellError(
            1,
            column,
            f"the closest rows are {closest / _SECOND_NS:g} s apart, so bins of "
            f"{bin_ns / _SECOND_NS:g} s cannot be the series' own: correct `series_bin_s`",
        )


def _check(batch: Rows, start: int, latest: int, bin_ns: int, column: str) -> None:
    """Refuse the first row that is out of order or past the last bin allowed.

    `latest` is the time of the row before the batch, or the origin.
    """
    time = batch.time_ns
    earlier = np.concatenate([[time[0] < latest], time[1:] < time[:-1]])
    late = time >= min(start + MAX_BINS * bin_ns, _LATEST_NS)
    bad = earlier | late
    if not bad.any():
        return
    row = int(np.argmax(bad))
    problem = (
        "is earlier than the row above: sort the file by time"
        if earlier[row]
        else f"lies more than {MAX_BINS:,} bins of {bin_ns / _SECOND_NS:g} s after the first row: "
        "correct the time stamp, or ask for longer bins"
    )
    raise CellError(batch.first_row + row, column, problem)


def _lengthened(array: np.ndarray, size: int) -> np.ndarray:
    longer = np.zeros(size, array.dtype)
    longer[: len(array)] = array
    return longer
