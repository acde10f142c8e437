"""Traces of requests and binned series, read from files to `Series`: docs/data.md."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from lpo.checksum import sha256_of
from lpo.errors import InputError
from lpo.workload.binning import (
    Binned,
    Rows,
    bin_length_ns,
    bin_rows,
    on_grid,
    since_midnight,
)
from lpo.workload.cells import CellError, Clock, clock_of, counts, nanoseconds
from lpo.workload.series import Series, Source, bins_per, coarsen, iso_time
from lpo.workload.tables import SUFFIXES, Table, open_table, place, stream

BIN_S = 5.0  # seconds; the bins of the public 2024 series, and of requests unless said otherwise
TOKENS = "Tokens"  # the token column of the series that lpo writes

Kind = Literal["auto", "requests", "series"]
Tokens = Literal["context", "total"]


class Columns(NamedTuple):
    """Names of a file's columns; the defaults are those of the Azure LLM inference traces.

    `series`: the one token column of a binned series. None takes `Tokens` where the file has it (as
    the files that lpo writes do), otherwise the context column (and the generated one for totals).
    """

    time: str = "TIMESTAMP"
    context: str = "ContextTokens"
    generated: str = "GeneratedTokens"
    series: str | None = None


AZURE_COLUMNS = Columns()


def load_trace(
    path: str | Path,
    *,
    bin_s: float | None = None,
    name: str | None = None,
    kind: Kind = "auto",
    tokens: Tokens = "context",
    columns: Columns = AZURE_COLUMNS,
    series_bin_s: float | None = None,
    progress: Callable[[int], object] | None = None,
    note: Callable[[str], object] | None = None,
) -> Series:
    """Read a file as a demand series; memory grows with its bins and not with its rows.

    **Main arguments:**

    - `path`: a `.csv`, `.csv.gz` or `.parquet` file. Either a trace, one row a request in time
      order, put into bins at multiples of `bin_s` since midnight (of the first day, in UTC where
      the stamps name a zone) of which the first holds the first request; or a binned series, one
      row a bin, whose whole bins are summed by `coarsen`.
    - `bin_s`: seconds. None: a series keeps its own bins, requests go into bins of 5 s.

    **Other arguments:**

    - `name`: of the series; None takes the file's name without its suffix.
    - `kind`: "auto" reads a file that has the time column and both token columns as requests and
      any other as a series.
    - `tokens`: "context" counts prompt tokens, "total" prompt plus generated tokens.
    - `columns`: names of the columns.
    - `series_bin_s`: seconds of a bin in a series file. None takes the step between its first two
      time stamps, or 5 s where it has no time column. Missing bins of a series with a time column
      become zeros and are counted.
    - `progress`: called with the number of rows of each batch read.
    - `note`: called with a line for the report when bins at the end of a series make no whole bin
      of `bin_s` and are left out.

    **Returns:** `Series`; its source counts the bins, in the grid that the rows were read into,
    that no row fell into.

    Raises `InputError` with file, row, line and column for anything that is not as docs/data.md
    says; nothing is dropped or filled without being counted.
    """
    if kind not in ("auto", "requests", "series"):
        raise InputError(f"`kind` must be auto, requests or series, got {kind!r}.")
    if tokens not in ("context", "total"):
        raise InputError(f"`tokens` must be context or total, got {tokens!r}.")
    for seconds in (bin_s, series_bin_s):
        if seconds is not None:
            bin_length_ns(seconds)

    table = open_table(path)
    trace_columns = {columns.time, columns.context, columns.generated}
    requests = kind == "requests" or (kind == "auto" and trace_columns <= set(table.names))
    if not requests:
        _refuse_doubtful_series(table, kind, columns)
    try:
        if requests:
            own_bin_s = BIN_S if bin_s is None else bin_s
            binned, clock = _read_requests(table, own_bin_s, tokens, columns, progress)
        else:
            own_bin_s, binned, clock = _read_series(table, series_bin_s, tokens, columns, progress)
    except CellError as error:
        raise InputError(f"{table.path}: {place(table, error)}: {error.problem}.") from None

    start = None
    if clock is not None and clock.calendar:
        start = iso_time(np.datetime64(binned.start_ns, "ns"), clock.zone)
    source = Source(str(path), sha256_of(path), binned.rows, binned.empty_bins)
    series = Series(name or _stem(path), binned.tokens, float(own_bin_s), start, source)
    if bin_s is None:
        return series
    dropped = len(series.tokens) % bins_per(bin_s, series.bin_s)
    if dropped and note is not None:
        note(
            f"{path}: the last {dropped} bins of {series.bin_s:g} s make no whole bin of "
            f"{bin_s:g} s and are left out"
        )
    return coarsen(series, bin_s)


def _refuse_doubtful_series(table: Table, kind: Kind, columns: Columns) -> None:
    """A request trace that lost its times must not pass as a series of one bin a request."""
    if columns.time in table.names:
        return
    found = f"found {', '.join(f'`{name}`' for name in table.names)}"
    if columns.time != AZURE_COLUMNS.time:
        raise InputError(f"{table.path}: no time column `{columns.time}`; {found}.")
    if kind == "auto" and {columns.context, columns.generated} <= set(table.names):
        raise InputError(
            f"{table.path}: both token columns of requests and no time column `{columns.time}`; "
            f"{found}. Name the time column, or say that it is a binned series (kind=series)."
        )


def _read_requests(
    table: Table, bin_s: float, tokens: Tokens, columns: Columns, progress: Callable | None
) -> tuple[Binned, Clock | None]:
    summed = [columns.context, columns.generated] if tokens == "total" else [columns.context]
    clock, rows = _rows(table, columns.time, summed, whole=True, progress=progress)
    bin_ns = bin_length_ns(bin_s)
    return bin_rows(rows, bin_ns, column=columns.time, origin=since_midnight), clock


def _read_series(
    table: Table, bin_s: float | None, tokens: Tokens, columns: Columns, progress: Callable | None
) -> tuple[float, Binned, Clock | None]:
    if columns.series is not None:
        summed = [columns.series]
    elif TOKENS in table.names:
        summed = [TOKENS]
    elif tokens == "total":
        summed = [columns.context, columns.generated]
    else:
        summed = [columns.context]

    timed = columns.time in table.names
    clock, rows = _rows(
        table, columns.time if timed else None, summed, whole=False, progress=progress
    )
    if timed:
        head = next(rows)
        bin_ns = _step_ns(head, table, columns.time) if bin_s is None else bin_length_ns(bin_s)
        rows = on_grid(chain([head], rows), bin_ns, column=columns.time)
    else:
        bin_ns = bin_length_ns(BIN_S if bin_s is None else bin_s)
        rows = (r._replace(time_ns=r.time_ns * bin_ns) for r in rows)
    binned = bin_rows(rows, bin_ns, column=columns.time, origin=lambda first, _: first)
    return bin_ns / 1e9, binned, clock


def _rows(
    table: Table,
    time: str | None,
    summed: list[str],
    *,
    whole: bool,
    progress: Callable | None,
) -> tuple[Clock | None, Iterator[Rows]]:
    """The file's clock and its rows, checked; without a time column, time is the row's number."""
    names = summed if time is None else [time, *summed]
    batches = ((row, batch) for row, batch in stream(table, names) if batch.num_rows)
    head = next(batches, None)
    if head is None:
        raise InputError(f"{table.path}: has a header but no rows.")
    clock = None if time is None else clock_of(head[1].column(time))
    read = partial(_checked, time=time, clock=clock, summed=summed, whole=whole, progress=progress)
    return clock, read(chain([head], batches))


def _checked(
    batches: Iterable[tuple[int, pa.RecordBatch]],
    *,
    time: str | None,
    clock: Clock | None,
    summed: list[str],
    whole: bool,
    progress: Callable | None,
) -> Iterator[Rows]:
    for row, batch in batches:
        if time is None or clock is None:
            time_ns = np.arange(row, row + batch.num_rows)
        else:
            time_ns = nanoseconds(batch.column(time), clock, time, row)
        tokens = sum(counts(batch.column(name), name, row, whole=whole) for name in summed)
        yield Rows(row, time_ns, np.asarray(tokens))
        if progress is not None:
            progress(batch.num_rows)


def _step_ns(head: Rows, table: Table, column: str) -> int:
    """Length of a series' bins: the step between its first two time stamps."""
    if len(head.time_ns) < 2:
        raise InputError(
            f"{table.path}: one row does not tell how long a bin is: give `series_bin_s`."
        )
    step = int(head.time_ns[1]) - int(head.time_ns[0])
    if step <= 0:
        raise CellError(head.first_row + 1, column, "is not later than the row above")
    return step


def _stem(path: str | Path) -> str:
    name = Path(path).name
    suffix = next(suffix for suffix in SUFFIXES if name.lower().endswith(suffix))
    return name[: -len(suffix)]
