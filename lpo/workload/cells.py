"""Columns of a file to numbers: time stamps to nanoseconds, token counts to floats, all checked."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LAST_SECOND = 9_000_000_000  # numbers of seconds must fit int64 nanoseconds; the year 2255
LARGEST_COUNT = 2**53  # above it, float64 no longer holds every whole number

_NAIVE, _ZONED = pa.timestamp("ns"), pa.timestamp("ns", "UTC")
_TIME = (
    "a time stamp like 2024-05-10 00:00:00.0099300 or 2024-05-10T00:00:00Z (years 1678 to 2261, "
    "up to nine fractional digits) of the same form as in row 1"
)


class CellError(Exception):
    """What is wrong with a cell: `row` counts data rows from 0, `column` is None for a whole row.

    Raised where the file's name is not known; the reader turns it into an `InputError` that has it.
    """

    def __init__(self, row: int, column: str | None, problem: str):
        super().__init__(row, column, problem)
        self.row, self.column, self.problem = row, column, problem


class Clock(NamedTuple):
    """How a file writes time, decided by its first time stamp.

    `target`: the Arrow type that cells are cast to: float64 for seconds from an unnamed zero.
    `zone`: "Z" where the stamps name their zone (they are then taken to UTC), "" otherwise.
    """

    target: pa.DataType
    zone: str

    @property
    def calendar(self) -> bool:
        """Whether time zero is known."""
        return pa.types.is_timestamp(self.target)


def clock_of(stamps: pa.Array) -> Clock:
    """The clock of a column, from its type or, for text, from its first cell."""
    kind = stamps.type
    if pa.types.is_timestamp(kind):
        return Clock(_NAIVE, "") if kind.tz is None else Clock(_ZONED, "Z")
    if _is_text(kind):
        for clock in (Clock(pa.float64(), ""), Clock(_ZONED, "Z")):
            if _castable(stamps[:1], clock.target):
                return clock
        return Clock(_NAIVE, "")
    return Clock(pa.float64(), "")


def nanoseconds(stamps: pa.Array, clock: Clock, column: str, first_row: int) -> np.ndarray:
    """Time stamps as int64 [rows] nanoseconds from the clock's zero (1970 for a calendar).

    Raises `CellError` for an empty cell, text that is no time stamp, one written in another form
    than the first (a zone missing or appearing), and a number of seconds that is not finite or so
    large that it can only be milliseconds or a corruption.
    """
    if clock.calendar:
        return _cast(stamps, clock.target, _TIME, column, first_row).cast(pa.int64()).to_numpy()
    seconds = _cast(stamps, clock.target, "a number of seconds", column, first_row).to_numpy()
    _refuse(
        ~(np.abs(seconds) <= LAST_SECOND),
        seconds,
        f"is not a number of seconds within ±{LAST_SECOND:.0e} (milliseconds?)",
        column,
        first_row,
    )
    return np.rint(seconds * 1e9).astype(np.int64)


def counts(cells: pa.Array, column: str, first_row: int, *, whole: bool) -> np.ndarray:
    """Token counts as float64 [rows], tokens.

    Raises `CellError` for an empty cell, text that is no number, and a count that is negative, not
    finite, above 2^53, or (with `whole`) not a whole number.
    """
    allowed = "a whole number of tokens" if whole else "a number of tokens"
    tokens = _cast(cells, pa.float64(), allowed, column, first_row).to_numpy()
    _refuse(~np.isfinite(tokens), tokens, "is not a finite count", column, first_row)
    _refuse(tokens < 0, tokens, "is a negative count", column, first_row)
    _refuse(tokens > LARGEST_COUNT, tokens, "is above 2^53, too large a count", column, first_row)
    if whole:
        _refuse(tokens != np.floor(tokens), tokens, f"is not {allowed}", column, first_row)
    return tokens


def _cast(
    cells: pa.Array, target: pa.DataType, allowed: str, column: str, first_row: int
) -> pa.Array:
    """Cast a column; a `CellError` names the first cell that does not go."""
    if cells.null_count:
        row = pc.index(cells.is_null(), True).as_py()  # pyright: ignore[reportAttributeAccessIssue]
        raise CellError(first_row + row, column, f"empty cell, expected {allowed}")
    if not (_is_text(cells.type) or _is_number(cells.type) or pa.types.is_timestamp(cells.type)):
        raise CellError(first_row, column, f"has type {cells.type}, expected {allowed}")
    try:
        return cells.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        row = _first_uncastable(cells, target)
        text = str(cells[row].as_py())
        shown = f"{text[:40]!r} is not" if text else "empty cell, expected"
        raise CellError(first_row + row, column, f"{shown} {allowed}") from None


def _first_uncastable(cells: pa.Array, target: pa.DataType) -> int:
    """Index of the first cell that cannot be cast, by bisection; there is one."""
    lo, hi = 0, len(cells) - 1
    while lo < hi:
        middle = (lo + hi) // 2
        if _castable(cells[lo : middle + 1], target):
            lo = middle + 1
        else:
            hi = middle
    return lo


def _castable(cells: pa.Array, target: pa.DataType) -> bool:
    try:
        cells.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _refuse(bad: np.ndarray, values: np.ndarray, problem: str, column: str, first_row: int) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise CellError(first_row + row, column, f"{values[row]:.15g} {problem}")
