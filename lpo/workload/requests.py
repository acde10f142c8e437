"""Traces of requests, one by one: time, prompt and output length. docs/data.md."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.workload.cells import CellError, Clock, clock_of, counts, nanoseconds
from lpo.workload.readers import AZURE_COLUMNS, Columns
from lpo.workload.tables import open_table, place, stream


class Requests(NamedTuple):
    """Consecutive requests of a trace.

    time_ns: int64 [R], nanoseconds since 1970, or since the file's own zero. context, generated:
    float64 [R], tokens of prompt and output.
    """

    time_ns: np.ndarray
    context: np.ndarray
    generated: np.ndarray


def stream_requests(
    path: str | Path,
    *,
    columns: Columns = AZURE_COLUMNS,
    progress: Callable[[int], object] | None = None,
) -> Iterator[Requests]:
    """Read a trace batch by batch; memory does not grow with its length.

    path: a `.csv`, `.csv.gz` or `.parquet` file with one row a request, in time order. progress:
    called with the number of rows of each batch read.

    Raises `InputError` with file, row, line and column for what `load_trace` refuses in a trace of
    requests: a missing column, no rows, a time that is no time or earlier than the row above, a
    length that is no whole number of tokens.
    """
    table = open_table(path)
    names = [columns.time, columns.context, columns.generated]
    clock: Clock | None = None
    latest = np.iinfo(np.int64).min
    try:
        for row, batch in stream(table, names):
            if batch.num_rows == 0:
                continue
            clock = clock or clock_of(batch.column(columns.time))
            time = nanoseconds(batch.column(columns.time), clock, columns.time, row)
            earlier = np.concatenate([[time[0] < latest], time[1:] < time[:-1]])
            if earlier.any():
                problem = "is earlier than the row above: sort the file by time"
                raise CellError(row + int(np.argmax(earlier)), columns.time, problem)
            latest = time[-1]
            lengths = [
                counts(batch.column(name), name, row, whole=True)
                for name in (columns.context, columns.generated)
            ]
            yield Requests(time, *lengths)
            if progress is not None:
                progress(batch.num_rows)
    except CellError as error:
        raise InputError(f"{table.path}: {place(table, error)}: {error.problem}.") from None
    if clock is None:
        raise InputError(f"{table.path}: has a header but no rows.")
