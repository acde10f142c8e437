"""A user's own catalogue, read from a CSV file with every problem named by row and column."""

import csv
from pathlib import Path

from lpo.errors import InputError
from lpo.provision.fleet.catalogue import (
    Catalogue,
    Configuration,
    make_catalogue,
    out_of_range,
)

_TEXT = ("name", "model", "gpu", "precision")


def read_catalogue(path: str | Path) -> Catalogue:
    """Read a catalogue: a CSV file with a header row and one configuration a row.

    The columns are the fields of `Configuration`, in any order; others are refused, because a
    misspelt one would go unnoticed. Lines that are empty are skipped. Raises InputError that names
    file, row and column.
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
    if sorted(header) != sorted(Configuration._fields):
        wanted = ", ".join(f"`{name}`" for name in Configuration._fields)
        found = ", ".join(f"`{name}`" for name in header)
        raise InputError(f"{path}: the columns must be {wanted}; found {found}.")
    if len(lines) == 1:
        raise InputError(f"{path}: has a header but no rows.")

    entries: list[Configuration] = []
    for row, (line, cells) in enumerate(lines[1:], 1):
        place = f"{path}: row {row} (line {line})"
        if len(cells) != len(header):
            raise InputError(f"{place}: has {len(cells)} cells, the header has {len(header)}.")
        entry = _entry(dict(zip(header, cells, strict=True)), place)
        if entry.name in (other.name for other in entries):
            raise InputError(f"{place}, column `name`: `{entry.name}` appears more than once.")
        entries.append(entry)
    return make_catalogue(entries)


def _entry(cells: dict[str, str], place: str) -> Configuration:
    values: dict[str, str | float] = {}
    for column, cell in cells.items():
        text = cell.strip()
        if column in _TEXT:
            if not text:
                raise InputError(f"{place}, column `{column}`: is empty.")
            values[column] = text
            continue
        try:
            values[column] = float(text)
        except ValueError:
            raise InputError(f"{place}, column `{column}`: {text!r} is not a number.") from None
    entry = Configuration(**values)  # pyright: ignore[reportArgumentType]
    problem = out_of_range(entry)
    if problem is not None:
        raise InputError(f"{place}, column `{problem[0]}`: {problem[1]}.")
    return entry._replace(tensor_parallel=int(entry.tensor_parallel))
