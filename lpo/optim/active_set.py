"""Adjoint of a quadratic program's solution map through its active set, in float64 NumPy.

At a solution (x, z) with active rows A_a x = b_a, a change of the data moves the solution by

    [ P    A_a' ] [ dx   ]   [ -(dP x + dq + dA' z) ]
    [ A_a  0    ] [ dz_a ] = [ db_a - dA_a x        ]

The matrix K on the left is symmetric, so with K [w; l] = [g; 0] for a cotangent g of x,

    g' dx = -w' (dP x + dq + dA' z) + l' (db_a - dA_a x).

Rows with one entry (bounds) fix their variable: w is 0 there, and the variable leaves the system.
docs/convex_layer.md says what is returned where the solution map is not differentiable.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lu_factor, lu_solve

from lpo.optim.canonical import ConeProgram, ProgramData, pattern_rows

# Shift of the factorised matrix, relative to its scaled diagonal; refinement removes its effect.
_SHIFT_DEFINITE = 1e-12
_SHIFT_INDEFINITE = 1e-9
_REFINEMENTS = 3
# Above this relative residual a factorisation is not believed and the next method is tried.
_ACCEPTED = 1e-9
# Singular values below this share of the largest count as zero.
_RANK = 1e-10


class Pattern(NamedTuple):
    """What is known of the structure before any numbers.

    bound_row, bound_entry, bound_column: rows with one structural entry, the position of the entry
    in A's values, its column. row, column, entry: the entries of all other rows. P_row, P_column:
    the entries of P. diagonal: P has no others than diagonal entries.
    """

    bound_row: np.ndarray
    bound_entry: np.ndarray
    bound_column: np.ndarray
    row: np.ndarray
    column: np.ndarray
    entry: np.ndarray
    A_row: np.ndarray
    P_row: np.ndarray
    P_column: np.ndarray
    diagonal: bool


def pattern(program: ConeProgram) -> Pattern:
    """Sort the rows of A into bounds and others."""
    rows = pattern_rows(program.A_indptr)
    bound_row = np.flatnonzero(np.diff(program.A_indptr) == 1)
    bound_entry = program.A_indptr[bound_row]
    entry = np.flatnonzero(~np.isin(rows, bound_row))
    P_row = pattern_rows(program.P_indptr)
    return Pattern(
        bound_row=bound_row,
        bound_entry=bound_entry,
        bound_column=program.A_indices[bound_entry],
        row=rows[entry],
        column=program.A_indices[entry],
        entry=entry,
        A_row=rows,
        P_row=P_row,
        P_column=program.P_indices,
        diagonal=bool(np.array_equal(P_row, program.P_indices)),
    )


def adjoint(
    program: ConeProgram,
    pattern: Pattern,
    data: ProgramData,
    solution: tuple[np.ndarray, np.ndarray, np.ndarray],
    cotangent: np.ndarray,
) -> ProgramData:
    """Gradients with respect to the entries of P, q, A and b of sum(cotangent * x).

    solution: x [B, n], z [B, m] and the active rows [B, m], equalities included; cotangent [B, n].
    A problem with a zero cotangent costs nothing.
    """
    x, z, active = solution
    z = np.where(active, z, 0.0)
    w, multiplier = np.zeros_like(x), np.zeros_like(z)
    for i in map(int, np.flatnonzero(cotangent.any(axis=1))):
        _adjoint_of_one(pattern, data, i, active[i], cotangent[i], w[i], multiplier[i])
    return ProgramData(
        P=-(w[:, pattern.P_row] * x[:, pattern.P_column]),
        q=-w,
        A=-(
            z[:, pattern.A_row] * w[:, program.A_indices]
            + multiplier[:, pattern.A_row] * x[:, program.A_indices]
        ),
        b=multiplier,
    )


def _adjoint_of_one(
    pattern: Pattern,
    data: ProgramData,
    i: int,
    active: np.ndarray,
    g: np.ndarray,
    w: np.ndarray,
    multiplier: np.ndarray,
) -> None:
    """Solve K [w; multiplier] = [g; 0] for problem i, in place."""
    A, P, n = data.A[i], data.P[i], len(g)
    bounds = active[pattern.bound_row] & (A[pattern.bound_entry] != 0)
    bound_columns = pattern.bound_column[bounds]
    free = np.ones(n, bool)
    free[bound_columns] = False

    kept = np.flatnonzero(active[pattern.row] & free[pattern.column])
    rows, row_of = np.unique(pattern.row[kept], return_inverse=True)
    column_of = np.cumsum(free) - 1
    columns = np.flatnonzero(free)
    M = np.zeros((len(rows), len(columns)))
    M[row_of, column_of[pattern.column[kept]]] = A[pattern.entry[kept]]
    # a row whose parameters are zero restricts nothing
    norms = np.sqrt(np.einsum("ij,ij->i", M, M))
    norms[norms == 0] = 1.0
    M /= norms[:, None]

    found = None
    if pattern.diagonal:
        d = np.zeros(n)
        d[pattern.P_row] = P
        found = _by_schur_complement(d[columns], M, g[columns])
    if found is None:
        H = np.zeros((len(columns), len(columns)))
        inside = free[pattern.P_row] & free[pattern.P_column]
        places = column_of[pattern.P_row[inside]], column_of[pattern.P_column[inside]]
        H[places] = P[inside]
        found = _by_kkt_matrix(H, M, g[columns])
    w[columns] = found[0]
    multiplier[rows] = found[1] / norms

    # The rows of the fixed variables: what is left of g, shared by the bounds in proportion to
    # their coefficients where several hold one variable (the minimum-norm choice).
    left = g.copy()
    np.subtract.at(left, pattern.P_row, P * w[pattern.P_column])
    np.subtract.at(left, pattern.column, A[pattern.entry] * multiplier[pattern.row])
    a = A[pattern.bound_entry[bounds]]
    squares = np.zeros(n)
    np.add.at(squares, bound_columns, a * a)
    multiplier[pattern.bound_row[bounds]] = a * left[bound_columns] / squares[bound_columns]


def _by_schur_complement(
    d: np.ndarray, M: np.ndarray, g: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """w = (g - M' l) / d with (M D^-1 M') l = M D^-1 g; None where that is not accurate.

    Dependent rows of M are harmless: the system is consistent, the shift makes it definite, and
    refinement from zero stays in its range.
    """
    if d.size and d.min() <= 0:
        return None
    scaled = M / d
    S = scaled @ M.T
    right = scaled @ g
    scale = np.sqrt(S.diagonal())
    scale[scale == 0] = 1.0
    S /= scale[:, None] * scale
    right /= scale
    try:
        factor = cho_factor(S + _SHIFT_DEFINITE * np.eye(len(S)), check_finite=False)
    except LinAlgError:
        return None
    multiplier = np.zeros(len(S))
    for _ in range(_REFINEMENTS):
        multiplier += cho_solve(factor, right - S @ multiplier, check_finite=False)
    multiplier /= scale
    w = (g - multiplier @ M) / d
    largest = np.abs(w).max(initial=0.0)
    accurate = np.abs(M @ w).max(initial=0.0) <= _ACCEPTED * largest
    return (w, multiplier) if accurate or not largest else None


def _by_kkt_matrix(H: np.ndarray, M: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve [[H, M'], [M, 0]] [w; l] = [g; 0], H positive semidefinite; minimum norm if singular.

    A shifted quasi-definite factorisation with refinement; where the system is inconsistent (the
    solution is not unique, and g has a component along the set of solutions) the pseudo-inverse.
    """
    n, scale = len(H), np.abs(H).max(initial=0.0) or 1.0
    K = np.block([[H / scale, M.T], [M, np.zeros((len(M), len(M)))]])
    right = np.concatenate([g / scale, np.zeros(len(M))])
    shift = np.repeat([_SHIFT_INDEFINITE, -_SHIFT_INDEFINITE], [n, len(M)])
    factor = lu_factor(K + np.diag(shift), check_finite=False)
    solution = np.zeros(len(K))
    for _ in range(_REFINEMENTS):
        solution += lu_solve(factor, right - K @ solution, check_finite=False)
    error = np.abs(right - K @ solution).max(initial=0.0)
    if not error <= _ACCEPTED * np.abs(right).max(initial=0.0):
        solution = np.linalg.lstsq(K, right, rcond=_RANK)[0]
    return solution[:n], scale * solution[n:]
