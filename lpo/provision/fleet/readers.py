"""A user's own catalogue, read from a CSV file with every problem named by row and column."""

from pathlib import Path

from lpo.csv_rows import read_rows
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
    entries: list[Configuration] = []
    for place, cells in read_rows(path, _other_columns):
        entry = _entry(cells, place)
        if entry.name in (other.name for other in entries):
            raise InputError(f"{place}, column `name`: `{entry.name}` appears more than once.")
        entries.append(entry)
    return make_catalogue(entries)


def _other_columns(header: list[str]) -> str | None:
    if sorted(header) == sorted(Configuration._fields):
        return None
    return ", ".join(f"`{name}`" for name in Configuration._fields)


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
