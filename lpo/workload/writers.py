"""Series to files that `load_trace` reads back unchanged."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from lpo.atomic import replacing
from lpo.errors import InputError
from lpo.workload.readers import AZURE_COLUMNS, TOKENS
from lpo.workload.series import Series, calendar
from lpo.workload.tables import SUFFIXES


def write_series(series: Series, path: str | Path) -> None:
    """Write one row a bin: `TIMESTAMP` (left edge of the bin) and `Tokens`.

    The time is a calendar time where the series has a start, else seconds from bin 0, so that the
    file tells its own bin length. Tokens are whole numbers where all are. The file appears complete
    or not at all.

    Raises `InputError` for an unknown kind of file or a folder that is not there.
    """
    suffix = next((s for s in SUFFIXES if str(path).lower().endswith(s)), None)
    if suffix is None:
        raise InputError(f"{path}: the name must end in {', '.join(SUFFIXES)}.")
    table = _table(series)
    with writing(path) as partial:
        if suffix == ".parquet":
            parquet.write_table(table, partial)
        else:
            compression = "gzip" if suffix == ".csv.gz" else None
            with pa.output_stream(str(partial), compression=compression) as file:
                # by hand, because Arrow quotes the names
                file.write(f"{','.join(table.column_names)}\n".encode())
                csv.write_csv(table, file, csv.WriteOptions(include_header=False))


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """`lpo.atomic.replacing` for a path that a user gave.

    Raises `InputError` when the folder is not there or cannot be written, or `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, expected the name of a file to write.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: cannot be written: there is no folder {path.parent}.")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path}: cannot be written: no permission in {path.parent}.")
    with replacing(path) as partial:
        yield partial


def _table(series: Series) -> pa.Table:
    steps_ns = np.rint(np.arange(len(series.tokens)) * (series.bin_s * 1e9)).astype(np.int64)
    if series.start is None:
        time = pa.array(steps_ns / 1e9)
    else:
        moment, zone = calendar(series.start)
        time_ns = moment.astype(np.int64) + steps_ns
        unit = "ns" if np.any(time_ns % 1_000_000_000) else "s"  # no zeros behind whole seconds
        zone = "UTC" if zone else None
        time = pa.array(time_ns).cast(pa.timestamp("ns", zone)).cast(pa.timestamp(unit, zone))
    whole = np.all(series.tokens == np.floor(series.tokens))
    tokens = pa.array(series.tokens.astype(np.int64) if whole else series.tokens)
    return pa.table({AZURE_COLUMNS.time: time, TOKENS: tokens})
