"""A linear program in HiGHS that rows and columns are added to between solves."""

from time import perf_counter
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp

Entries = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


class GrowingProgram:
    """Minimise over columns >= 0 and rows between bounds; the simplex method goes on where it was.

    Entries are (rows, columns, values), of which either the rows or the columns are new and counted
    from 0.
    """

    def __init__(self):
        self.height = self.width = 0
        self._highs: Any = highspy.Highs()
        self._highs.silent()
        self._highs.setOptionValue("solver", "simplex")
        # Without perturbed costs: from one program to the next too little changes to be degenerate.
        self._highs.setOptionValue("dual_simplex_cost_perturbation_multiplier", 0.0)

    def add_rows(self, lower: np.ndarray, upper: np.ndarray, entries: Entries) -> np.ndarray:
        """Add rows and return their numbers."""
        count = len(lower)
        matrix = _sparse(entries, (count, self.width), sp.csr_matrix)
        self._highs.addRows(
            count,
            np.asarray(lower, np.float64),
            np.asarray(upper, np.float64),
            matrix.nnz,
            matrix.indptr[:-1],
            matrix.indices,
            matrix.data,
        )
        self.height += count
        return np.arange(self.height - count, self.height)

    def add_columns(self, cost: np.ndarray, upper: np.ndarray, entries: Entries) -> np.ndarray:
        """Add columns between 0 and `upper` and return their numbers."""
        count = len(cost)
        matrix = _sparse(entries, (self.height, count), sp.csc_matrix)
        self._highs.addCols(
            count,
            np.asarray(cost, np.float64),
            np.zeros(count),
            np.asarray(upper, np.float64),
            matrix.nnz,
            matrix.indptr[:-1],
            matrix.indices,
            matrix.data,
        )
        self.width += count
        return np.arange(self.width - count, self.width)

    def set_bounds(self, columns: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
        """Set the bounds of columns."""
        self._highs.changeColsBounds(len(columns), columns.astype(np.int32), lower, upper)

    def set_cost(self, columns: np.ndarray, cost: np.ndarray) -> None:
        """Set the cost of columns."""
        self._highs.changeColsCost(len(columns), columns.astype(np.int32), cost)

    def solve(self, deadline: float, ceiling: float = np.inf) -> bool | None:
        """Solve until `deadline` of `perf_counter`.

        True: an optimum below `ceiling`. False: there is none below it; value and prices are those
        of the dual point that shows it. None: neither was found in time.
        """
        left = max(deadline - perf_counter(), 0.0)
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + left)
        self._highs.setOptionValue("objective_bound", min(ceiling, highspy.kHighsInf))
        self._highs.run()
        status, kind = self._highs.getModelStatus(), highspy.HighsModelStatus
        if status == kind.kObjectiveBound:
            return False
        return True if status == kind.kOptimal else None

    def value(self) -> float:
        """The objective."""
        return float(self._highs.getInfo().objective_function_value)

    def solution(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values of the columns, prices of the rows, reduced costs of the columns."""
        found = self._highs.getSolution()
        return np.array(found.col_value), np.array(found.row_dual), np.array(found.col_dual)


def _sparse(entries: Entries, shape: tuple[int, int], kind: Any) -> Any:
    if not entries:
        return kind(shape)
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    matrix = kind((value, (row, column)), shape)
    matrix.eliminate_zeros()
    return matrix
