"""CSV, gzipped CSV and Parquet files as streams of Arrow batches, with rows that can be named."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

# Unused here, but pyarrow would import it at its first array and lose an interrupt meanwhile.
import pandas  # noqa: F401
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from lpo.errors import InputError
from lpo.workload.cells import CellError

SUFFIXES = (".csv", ".csv.gz", ".parquet")

_BLOCK_BYTES = 1 << 20  # of text decoded at a time; also the longest line
_BATCH_ROWS = 1 << 16  # of a Parquet file
_RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


class Table(NamedTuple):
    """An open-able file: `names` of its columns, and `batches(names)`, which reads some of them.

    `header_lines` is None where the file has no lines. A CSV's cells come as text, unchecked.
    """

    path: str
    names: list[str]
    header_lines: int | None
    batches: Callable[[Sequence[str]], Iterator[pa.RecordBatch]]


def open_table(path: str | Path) -> Table:
    """Read a file's column names.

    Raises `InputError` for a file that is missing, empty, unreadable or of another kind than
    `SUFFIXES`, and for a column name that appears twice.
    """
    path = str(path)
    if not path.lower().endswith(SUFFIXES):
        raise InputError(f"{path}: unknown kind of file; the name must end in {_listed(SUFFIXES)}.")
    try:
        table = _parquet(path) if path.lower().endswith(".parquet") else _csv(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {_first_line(error)}") from None
    twice = sorted({name for name in table.names if table.names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: column name {_listed(twice)} appears more than once.")
    return table


def stream(table: Table, columns: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The named columns batch by batch, each with the place of its first row (from 0).

    Raises `InputError` for a column that is not there and for content that cannot be decoded,
    `CellError` for a CSV row with too many or too few cells.
    """
    missing = [name for name in columns if name not in table.names]
    if missing:
        raise InputError(
            f"{table.path}: no column {_listed(missing)}; found {_listed(table.names) or 'none'}."
        )
    row = 0
    try:
        for batch in table.batches(columns):
            yield row, batch
            row += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        ragged = _RAGGED.search(str(error))
        if ragged:
            number, expected, got = map(int, ragged.groups())
            problem = f"has {got} cells, the header has {expected}"
            raise CellError(number - 2, None, problem) from None
        raise InputError(
            f"{table.path}: cannot be read after row {row}: {_first_line(error)}"
        ) from None


def place(table: Table, error: CellError) -> str:
    """Row, line and column of an error in a table, for a message."""
    line = "" if table.header_lines is None else f" (line {error.row + 1 + table.header_lines})"
    column = "" if error.column is None else f", column `{error.column}`"
    return f"row {error.row + 1}{line}{column}"


def _csv(path: str) -> Table:
    def opened() -> pa.NativeFile:
        # "detect" would go by the suffix too, but not by one in capitals
        return pa.input_stream(path, compression="gzip" if path.lower().endswith("gz") else None)

    with opened() as file:
        head = file.read(_BLOCK_BYTES)
    if not head.strip():
        raise InputError(f"{path}: is empty; the first line must name the columns.")
    lines = head.decode("utf-8-sig", errors="replace").splitlines()
    names = next(csv.reader(lines[:1]), [])

    def batches(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if len(lines) == 1:  # Arrow refuses a header without a line end
            return
        # One thread: rows are numbered in errors, and parsing is not slower (a block is small).
        # Text cells and kept empty lines: whatever is wrong is found, placed and named by `cells`.
        with (
            opened() as file,
            arrow_csv.open_csv(
                file,
                arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                arrow_csv.ParseOptions(ignore_empty_lines=False),
                arrow_csv.ConvertOptions(
                    include_columns=list(columns),
                    column_types={name: pa.string() for name in columns},
                    strings_can_be_null=False,
                ),
            ) as reader,
        ):
            yield from reader

    return Table(path, names, 1, batches)


def _parquet(path: str) -> Table:
    def opened() -> parquet.ParquetFile:
        # A buffered stream: row groups are decoded page by page and not held whole.
        return parquet.ParquetFile(path, buffer_size=_BLOCK_BYTES, pre_buffer=False)

    with opened() as file:
        names = list(file.schema_arrow.names)

    def batches(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with opened() as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=list(columns), use_threads=False):
                yield batch.select(list(columns))

    return Table(path, names, None, batches)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
