"""Logs read from files. docs/off_policy_evaluation.md, "The log"."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lpo.bandit.ope.log import Log, first_fault, make_log
from lpo.errors import InputError
from lpo.workload.cells import CellError
from lpo.workload.tables import open_table, place, stream

_NAME = "a name or a whole number"


def read_log(
    path: str | Path,
    *,
    context: Sequence[str] | None = None,
    action: str = "action",
    reward: str = "reward",
    propensity: str = "propensity",
    actions: Sequence[str | int] | None = None,
) -> Log:
    """Read a log: a .csv, .csv.gz or .parquet file with one row a decision.

    **Arguments:**

    - `context`: names of the columns of the context; None: all but the next three.
    - `action`, `reward`, `propensity`: names of columns.
    - `actions`: names or whole numbers of all actions, in the order of the columns of policies'
      tables. None: those in the file, whole numbers by size, names by the alphabet.

    **Raises:** InputError with file, row (from 1, and the line of a CSV file) and column on a file
    that is missing, empty, unreadable or of another kind, a column that is missing or has two
    roles, a row with more or fewer cells than the header, an empty cell, text where a number must
    be, a reward or context that is not finite, a propensity outside (0, 1], and an action that
    `actions` does not have. Nothing is dropped or filled.
    """
    table = open_table(path)
    roles = [action, reward, propensity]
    chosen = [name for name in table.names if name not in roles] if context is None else context
    columns = [*chosen, *roles]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise InputError(f"{path}: column `{twice[0]}` is asked for in more than one role.")
    known = None if actions is None else [str(each) for each in actions]
    if known is not None and not 0 < len(known) == len(set(known)):
        raise InputError(f"`actions` must be distinct names, at least one, got {known}.")
    taken: list[pa.Array] = []
    numbers: dict[str, list[np.ndarray]] = {name: [] for name in columns if name != action}
    try:
        for row, batch in stream(table, columns):
            for name, read in numbers.items():
                read.append(_numbers(batch.column(name), name, row, name == propensity))
            taken.append(_actions(batch.column(action), action, row, known))
    except CellError as error:
        raise InputError(f"{path}: {place(table, error)}: {error.problem}.") from None
    n = sum(map(len, taken))
    if not n:
        raise InputError(f"{path}: has a header but no rows.")
    by_name = {name: np.concatenate(read) for name, read in numbers.items()}
    contexts = np.column_stack([np.empty((n, 0)), *(by_name[name] for name in chosen)])
    encoded = pa.concat_arrays(taken).dictionary_encode()
    found = encoded.dictionary.to_pylist()
    names = _in_order(found) if known is None else known
    places = np.array([names.index(name) for name in found])
    return make_log(
        contexts,
        places[encoded.indices.to_numpy()],
        by_name[reward],
        by_name[propensity],
        context_names=chosen,
        action_names=names,
    )


def _numbers(cells: pa.Array, column: str, first_row: int, propensity: bool) -> np.ndarray:
    """A column as float64 [rows]; raises CellError."""
    allowed = "above 0 and at most 1" if propensity else "a finite number"
    cells = _filled(cells, column, first_row, allowed)
    try:
        numbers = cells.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        row = next(i for i in range(len(cells)) if not _is_number(cells[i : i + 1]))
        shown = str(cells[row].as_py())[:40]
        raise CellError(first_row + row, column, f"{shown!r} is not {allowed}") from None
    fault = first_fault(numbers, propensity=propensity)
    if fault is not None:
        raise CellError(first_row + fault[0], column, fault[1])
    return numbers


def _actions(cells: pa.Array, column: str, first_row: int, known: list[str] | None) -> pa.Array:
    """A column of names or whole numbers as text [rows]; raises CellError."""
    cells = _filled(cells, column, first_row, _NAME)
    if pa.types.is_floating(cells.type):  # whole numbers that have been through pandas
        numbers = cells.to_numpy(zero_copy_only=False)
        whole = (numbers == np.floor(numbers)) & (np.abs(numbers) < 2.0**53)
        if not whole.all():
            at = int(np.argmin(whole))
            raise CellError(first_row + at, column, f"must be {_NAME}, got {numbers[at]:.15g}")
        cells = cells.cast(pa.int64())
    if not (_is_text(cells.type) or pa.types.is_integer(cells.type)):
        raise CellError(first_row, column, f"must be {_NAME}, got {cells.type}")
    names = cells.cast(pa.string())
    if known is not None:
        encoded = names.dictionary_encode()
        strange = ~np.isin(encoded.dictionary.to_pylist(), known)[encoded.indices.to_numpy()]
        if strange.any():
            at = int(np.argmax(strange))
            problem = f"unknown action {names[at].as_py()!r}; must be one of {', '.join(known)}"
            raise CellError(first_row + at, column, problem)
    return names


def _filled(cells: pa.Array, column: str, first_row: int, allowed: str) -> pa.Array:
    """Cells without encoding and outer spaces; raises CellError where one is empty."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    missing = cells.is_null().to_numpy(zero_copy_only=False)
    if _is_text(cells.type):
        cells = pc.utf8_trim_whitespace(cells)  # pyright: ignore[reportAttributeAccessIssue]
        missing = missing | (cells.to_numpy(zero_copy_only=False) == "")
    if missing.any():
        raise CellError(first_row + int(np.argmax(missing)), column, f"is empty; must be {allowed}")
    return cells


def _is_number(cell: pa.Array) -> bool:
    try:
        cell.cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _in_order(names: list[str]) -> list[str]:
    whole = all(name.removeprefix("-").isdecimal() for name in names)
    return sorted(names, key=int) if whole else sorted(names)
