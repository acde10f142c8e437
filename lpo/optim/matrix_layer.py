"""A program of sparse matrices as a differentiable layer: every entry is a parameter."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from lpo.optim.layer import ConvexLayer


class MatrixPattern(NamedTuple):
    """Where the entries of a program are: minimise cost'x + 1/2 x'diag(ridge)x, 0 <= x <= upper.

    row, column [nnz]: place of each entry; entries of one place add up. equal [m]: which rows are
    equations, the others are sum of entries <= right side. upper, ridge [n]: fixed numbers, upper
    infinite where there is none.
    """

    row: np.ndarray
    column: np.ndarray
    equal: np.ndarray
    upper: np.ndarray
    ridge: np.ndarray


def matrix_layer(pattern: MatrixPattern, **options: Any) -> ConvexLayer:
    """Return a layer (cost [n], entries [nnz], right [m]) -> x [n].

    options: those of `ConvexLayer` (back end, tolerance, throw). Raises InputError as that does.
    """
    problem, parameters, x = matrix_problem(pattern)
    return ConvexLayer(problem, parameters, [x], **options)


def matrix_problem(
    pattern: MatrixPattern,
) -> tuple[cp.Problem, Sequence[cp.Parameter], cp.Variable]:
    """Return the cvxpy problem of a pattern, which is DPP, its parameters and its variable."""
    n, m, count = len(pattern.upper), len(pattern.equal), len(pattern.row)
    x = cp.Variable(n, name="x")
    cost = cp.Parameter(n, name="cost")
    entries = cp.Parameter(count, name="entries")
    right = cp.Parameter(m, name="right")
    at = np.arange(count)
    gather = sp.csr_matrix((np.ones(count), (at, pattern.column)), (count, n))
    total = sp.csr_matrix((np.ones(count), (pattern.row, at)), (m, count))
    left = cp.multiply(entries, gather @ x)
    constraints: list[Any] = [x >= 0]
    for rows, equation in ((pattern.equal, True), (~pattern.equal, False)):
        chosen = np.flatnonzero(rows)
        if len(chosen):
            side = total[chosen] @ left
            constraints.append(side == right[chosen] if equation else side <= right[chosen])
    bounded = np.flatnonzero(np.isfinite(pattern.upper))
    if len(bounded):
        constraints.append(x[bounded] <= pattern.upper[bounded])
    curved = np.flatnonzero(pattern.ridge)
    value = cost @ x
    if len(curved):
        value += 0.5 * cp.sum_squares(cp.multiply(np.sqrt(pattern.ridge[curved]), x[curved]))
    return cp.Problem(cp.Minimize(value), constraints), [cost, entries, right], x
