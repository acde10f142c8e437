"""Rows of a user's CSV file, with every problem of form named by file, row and line."""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lpo.errors import InputError


class Row(NamedTuple):
    """One row: where it stands, for messages, and its cells by column, as written."""

    place: str
    cells: dict[str, str]


def read_rows(path: str | Path, wanted: Callable[[list[str]], str | None]) -> list[Row]:
    """Read a CSV file with a header; lines that are empty are skipped.

    wanted: of the names in the header, what they must be, None where they are that.
    Raises InputError for a file that is missing, unreadable or empty, for another header, for no
    rows, and for a row with more or fewer cells than the header.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [(number, cells) for number, cells in enumerate(csv.reader(file), 1) if cells]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}.") from None
    if not lines:
        raise InputError(f"{path}: is empty; the first line must name the columns.")
    header = [name.strip() for name in lines[0][1]]
    if (columns := wanted(header)) is not None:
        found = ", ".join(f"`{name}`" for name in header)
        raise InputError(f"{path}: the columns must be {columns}; found {found}.")
    if len(lines) == 1:
        raise InputError(f"{path}: has a header but no rows.")
    rows = []
    for row, (line, cells) in enumerate(lines[1:], 1):
        place = f"{path}: row {row} (line {line})"
        if len(cells) != len(header):
            raise InputError(f"{place}: has {len(cells)} cells, the header has {len(header)}.")
        rows.append(Row(place, dict(zip(header, cells, strict=True))))
    return rows


def number_in(row: Row, column: str, *, positive: bool = False, most: float = math.inf) -> float:
    """Return the number in a cell, finite, above 0 if `positive`, otherwise at least 0, and at most
    `most`.

    Raises InputError that names file, row and column.
    """
    place, cell = f"{row.place}, column `{column}`", row.cells[column]
    try:
        number = float(cell)
    except ValueError:
        raise InputError(f"{place}: {cell.strip()!r} is no number.") from None
    if not (math.isfinite(number) and (number > 0.0 if positive else number >= 0.0)):
        allowed = "positive" if positive else "at least 0"
        raise InputError(f"{place}: must be finite and {allowed}, got {number:g}.")
    if number > most:
        raise InputError(f"{place}: must be at most {most:g}, got {number:g}.")
    return number
