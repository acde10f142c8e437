"""The matrices of a mixed-integer linear or quadratic program, and what can be done with them."""

from typing import Any, NamedTuple

import numpy as np


class MatrixProgram(NamedTuple):
    """Minimise 1/2 x' quadratic x + cost' x + offset over rows and bounds, some x whole.

    cost, lower, upper: [n], bounds may be infinite. integer: [n] bool. quadratic: [n, n], sparse
    by columns, or None. row_lower <= matrix x <= row_upper: [m, n], sparse by rows, [m] and [m];
    equal where it is an equation. binary: [n] bool, those whose bounds 0 and 1 say what they are.
    """

    cost: np.ndarray
    offset: float
    quadratic: Any
    matrix: Any
    row_lower: np.ndarray
    row_upper: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    integer: np.ndarray
    binary: np.ndarray


def feasibility(compiled: MatrixProgram, *, bounds: bool = True) -> MatrixProgram:
    """Return the same rows without an objective; without `bounds` only those of binaries stay."""
    free = ~compiled.binary
    return compiled._replace(
        cost=np.zeros_like(compiled.cost),
        offset=0.0,
        quadratic=None,
        lower=compiled.lower if bounds else np.where(free, -np.inf, compiled.lower),
        upper=compiled.upper if bounds else np.where(free, np.inf, compiled.upper),
    )


def absorb(program: MatrixProgram) -> MatrixProgram:
    """Return the program with each row of one entry as a bound: a licence counts rows.

    Bounds that contradict one another stay rows, for the solver to refuse.
    """
    matrix = program.matrix.copy()
    matrix.eliminate_zeros()
    single = np.diff(matrix.indptr) == 1
    entry = matrix.indptr[:-1][single]
    column, factor = matrix.indices[entry], matrix.data[entry]
    ends = program.row_lower[single] / factor, program.row_upper[single] / factor
    lower, upper = program.lower.copy(), program.upper.copy()
    np.maximum.at(lower, column, np.where(factor > 0, *ends))
    np.minimum.at(upper, column, np.where(factor > 0, *reversed(ends)))
    crossed = lower > upper
    lower, upper = (
        np.where(crossed, old, new) for old, new in ((program.lower, lower), (program.upper, upper))
    )
    single[single] = ~crossed[column]
    return program._replace(
        matrix=matrix[np.flatnonzero(~single)],
        row_lower=program.row_lower[~single],
        row_upper=program.row_upper[~single],
        lower=lower,
        upper=upper,
    )


def fix(program: MatrixProgram, values: np.ndarray, where: np.ndarray) -> MatrixProgram:
    """Return the program with x[where] = values[where], which need not be marked whole then."""
    return program._replace(
        lower=np.where(where, np.maximum(program.lower, values), program.lower),
        upper=np.where(where, np.minimum(program.upper, values), program.upper),
        integer=program.integer & ~where,
    )


def drop_fixed(program: MatrixProgram) -> tuple[MatrixProgram, np.ndarray, np.ndarray]:
    """Return the program without the columns whose bounds are equal, and how to come back.

    kept: [n] bool; x [n] is `values`, with the smaller program's at `kept`. Rows that lose their
    last entry go with it if they hold. A quadratic program stays as it is.
    """
    kept = ~(program.lower == program.upper)
    values = np.where(kept, 0.0, program.lower)
    if program.quadratic is not None or kept.all():
        return program, np.ones(len(kept), bool), np.zeros(len(kept))
    moved = program.matrix @ values
    row_lower, row_upper = program.row_lower - moved, program.row_upper - moved
    matrix = program.matrix[:, np.flatnonzero(kept)]
    matrix.eliminate_zeros()
    slack = 1e-9 * (1.0 + np.abs(moved))
    void = (np.diff(matrix.indptr) == 0) & (row_lower <= slack) & (row_upper >= -slack)
    rows = np.flatnonzero(~void)
    smaller = MatrixProgram(
        program.cost[kept],
        program.offset + float(program.cost @ values),
        None,
        matrix[rows],
        row_lower[rows],
        row_upper[rows],
        program.lower[kept],
        program.upper[kept],
        program.integer[kept],
        program.binary[kept],
    )
    return smaller, kept, values


def whole_bounds(program: MatrixProgram) -> MatrixProgram:
    """Return the program with bounds of whole variables at whole numbers inside them.

    They may cross then: no whole number lies between.
    """
    whole = program.integer
    lower = np.where(whole, np.ceil(program.lower - 1e-9), program.lower)
    upper = np.where(whole, np.floor(program.upper + 1e-9), program.upper)
    return program._replace(lower=lower, upper=upper)


def rows_hold_at_zero(program: MatrixProgram) -> bool:
    """Whether x = 0 keeps every row: all there is to ask of a program without columns."""
    slack = 1e-9 * (1.0 + np.abs(np.nan_to_num(program.row_upper, posinf=0.0, neginf=0.0)))
    return bool(((program.row_lower <= slack) & (program.row_upper >= -slack)).all())


def without_rows(program: MatrixProgram, rows: np.ndarray) -> MatrixProgram:
    """Return the program without the rows of these indices."""
    kept = np.setdiff1d(np.arange(len(program.row_upper)), rows)
    return program._replace(
        matrix=program.matrix[kept],
        row_lower=program.row_lower[kept],
        row_upper=program.row_upper[kept],
    )


def feasible_point(program: MatrixProgram, x: np.ndarray, tolerance: float = 1e-9) -> bool:
    """Whether x [n] is known everywhere, whole where it must be, and within all bounds and rows."""
    if np.isnan(x).any():
        return False
    left = program.matrix @ x
    size = tolerance * (1.0 + abs(program.matrix) @ np.abs(x))
    return bool(
        (np.abs(x - np.rint(x))[program.integer] <= tolerance).all()
        and (x >= program.lower - tolerance).all()
        and (x <= program.upper + tolerance).all()
        and (left >= program.row_lower - size).all()
        and (left <= program.row_upper + size).all()
    )
