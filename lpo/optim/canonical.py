"""A parametrised cvxpy problem as a cone program whose data are affine in the parameters.

    minimise  1/2 x' P x + q' x    subject to  A x + s = b,  s in K

cvxpylayers (and cvxpy below it) does the canonicalisation; what is kept of it here is plain: the
sparsity patterns of P and A, four sparse matrices that map the parameters to the entries of P, q,
A and b, and index arrays between parameters and the stacked vector, and between x and variables.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np
import scipy.sparse as sp
from cvxpylayers.interfaces.base import SolverInterface
from cvxpylayers.utils.parse_args import parse_args

from lpo.errors import InputError

# Attributes of a variable that cvxpy turns into constraints or into an index pattern.
_PLAIN_ATTRIBUTES = {"nonneg", "nonpos", "pos", "neg", "bounds", "symmetric", "PSD", "NSD"}


class ConeProgram(NamedTuple):
    """Data of the program for theta = stacked parameters [p]; `[theta, 1]` enters the maps.

    P (full, symmetric) and A are in CSR patterns: `*_indptr`, `*_indices`; `P_map` [nnz P, p + 1],
    `q_map` [n, p + 1], `A_map` [nnz A, p + 1], `b_map` [m, p + 1]. The first `equalities` rows
    have s = 0, the next `inequalities` s >= 0; `cones` are cvxpy's dimensions, with the rest.
    parameters, variables: one index array each. theta takes `parameter.ravel()[index]` of each
    parameter in the order `order`; a variable is `x[index]`.
    """

    n: int
    m: int
    equalities: int
    inequalities: int
    cones: Any
    P_indptr: np.ndarray
    P_indices: np.ndarray
    P_map: sp.csr_matrix
    q_map: sp.csr_matrix
    A_indptr: np.ndarray
    A_indices: np.ndarray
    A_map: sp.csr_matrix
    b_map: sp.csr_matrix
    order: tuple[int, ...]
    parameters: tuple[np.ndarray, ...]
    symmetric: tuple[bool, ...]
    variables: tuple[np.ndarray, ...]


class ProgramData(NamedTuple):
    """Entries of a batch of programs: P [B, nnz P], q [B, n], A [B, nnz A], b [B, m], float64."""

    P: np.ndarray
    q: np.ndarray
    A: np.ndarray
    b: np.ndarray


def check_problem(
    problem: cp.Problem, parameters: Sequence[cp.Parameter], variables: Sequence[cp.Variable]
) -> None:
    """Raise InputError unless the problem is DPP, convex and continuous and the lists belong to it.

    Every parameter of the problem must be in `parameters`, once; `variables` may be some of them.
    """
    if problem.is_mixed_integer():
        names = ", ".join(
            v.name()
            for v in problem.variables()
            if v.attributes["integer"] or v.attributes["boolean"]
        )
        raise InputError(f"A layer needs continuous variables, but these are integer: {names}.")
    if not problem.is_dcp():
        raise InputError("The problem is not convex by cvxpy's rules (DCP).")
    if not problem.is_dpp() and not _is_quadratic_dpp(problem):
        raise InputError(
            "The problem is not DPP: its parameters do not enter affinely (a product of two "
            "parameters, or a parameter in a nonlinear function, needs a parameter of its own)."
        )
    given, own = [p.id for p in parameters], {p.id: p for p in problem.parameters()}
    if len(set(given)) != len(given):
        raise InputError("`parameters` names a parameter twice.")
    missing = [p.name() for p in own.values() if p.id not in given]
    foreign = [p.name() for p in parameters if p.id not in own]
    if missing or foreign:
        raise InputError(
            f"`parameters` must be those of the problem; missing: {', '.join(missing) or 'none'}, "
            f"not in the problem: {', '.join(foreign) or 'none'}."
        )
    own_variables = {v.id for v in problem.variables()}
    foreign = [v.name() for v in variables if v.id not in own_variables]
    if foreign or not variables:
        raise InputError(
            "`variables` must be at least one variable of the problem; "
            f"not in the problem: {', '.join(foreign) or 'none'}."
        )
    for kind, leaves in (("parameter", parameters), ("variable", problem.variables())):
        for leaf in leaves:
            odd = [a for a, on in leaf.attributes.items() if on and a not in _PLAIN_ATTRIBUTES]
            if odd:
                raise InputError(
                    f"The {kind} {leaf.name()} has the attribute {odd[0]}, which a layer does not "
                    "take: state it as a constraint."
                )


def refuse_cones(program: ConeProgram) -> None:
    """Raise InputError, naming them, where the program has other than linear constraints."""
    names = {
        "second-order": program.cones.soc,
        "exponential": program.cones.exp,
        "semidefinite": program.cones.psd,
        "power": list(program.cones.p3d) + list(program.cones.pnd),
    }
    found = [name for name, cones in names.items() if cones]
    if found:
        raise InputError(
            f"This back end solves quadratic programs; the problem has {' and '.join(found)} "
            "cones. Use backend='diffcp'."
        )


def canonicalise(
    problem: cp.Problem,
    parameters: Sequence[cp.Parameter],
    variables: Sequence[cp.Variable],
    *,
    quadratic: bool = True,
) -> ConeProgram:
    """Canonicalise a problem once. `quadratic=False` moves a quadratic objective into cones.

    Bounds on variables (attributes and constraints alike) become rows of A. Raises InputError as
    `check_problem`, and where cvxpylayers cannot take a parameter.
    """
    check_problem(problem, parameters, variables)
    if quadratic:
        # any cvxpy solver that takes P and all constraints as rows gives the form wanted here
        options: dict[str, Any] = {"custom_solver": _rows_and_quadratic()}
    else:
        options = {}
    try:
        context: Any = parse_args(
            problem, list(variables), list(parameters), None if quadratic else "DIFFCP", **options
        )
    except (ValueError, NotImplementedError, cp.SolverError) as error:
        raise InputError(f"The problem cannot become a layer: {error}") from error

    linear = sp.csr_matrix(context.q)
    n, width = context.q.shape[0] - 1, context.q.shape[1]
    A_indptr, A_indices, A_map, b_map = _constraint_maps(context.reduced_A, n)
    P_indptr, P_indices, P_map = _objective_map(context.reduced_P, n, width)
    indices, symmetric = [], []
    for parameter, upper in zip(parameters, context.param_triu_indices, strict=True):
        flat = np.arange(parameter.size).reshape(parameter.shape)
        indices.append(flat.ravel(order="F") if upper is None else flat[upper])
        symmetric.append(upper is not None)
    order = np.argsort(context.user_order_to_col_order)
    dims = context.cone_dims
    return ConeProgram(
        n=n,
        m=len(A_indptr) - 1,
        equalities=int(dims.zero),
        inequalities=int(dims.nonneg),
        cones=dims,
        P_indptr=P_indptr,
        P_indices=P_indices,
        P_map=P_map,
        q_map=linear[:n],  # the last row is the constant of the objective,
        A_indptr=A_indptr,
        A_indices=A_indices,
        A_map=A_map,
        b_map=b_map,
        order=tuple(int(i) for i in order),
        parameters=tuple(indices),
        symmetric=tuple(symmetric),
        variables=tuple(_variable_index(recovery) for recovery in context.var_recover),
    )


def evaluate(program: ConeProgram, theta: np.ndarray) -> ProgramData:
    """Entries of the programs at parameters theta [B, p]."""
    stacked = np.concatenate([theta, np.ones((len(theta), 1))], axis=1).T
    maps = (program.P_map, program.q_map, program.A_map, program.b_map)
    return ProgramData(*(np.ascontiguousarray((affine @ stacked).T) for affine in maps))


def pull_back(program: ConeProgram, gradient: ProgramData) -> np.ndarray:
    """Gradient [B, p] with respect to theta from gradients with respect to the entries."""
    maps = (program.P_map, program.q_map, program.A_map, program.b_map)
    total = sum(affine.T @ part.T for affine, part in zip(maps, gradient, strict=True))
    return np.asarray(total)[:-1].T


def pattern_rows(indptr: np.ndarray) -> np.ndarray:
    """Row of every entry of a CSR pattern."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def block_diagonal(
    indptr: np.ndarray, indices: np.ndarray, columns: int, entries: np.ndarray
) -> sp.csr_matrix:
    """One matrix with the B matrices of `entries` [B, nnz] (same pattern) as diagonal blocks."""
    batch, nnz = entries.shape
    starts = indptr[:-1] + nnz * np.arange(batch)[:, None]
    shifted = indices + columns * np.arange(batch)[:, None]
    return sp.csr_matrix(
        (entries.ravel(), shifted.ravel(), np.append(starts.ravel(), batch * nnz)),
        shape=(batch * (len(indptr) - 1), batch * columns),
    )


def _is_quadratic_dpp(problem: Any) -> bool:
    """DPP where a quadratic objective may stay one: its matrix may then be a parameter."""
    return problem.is_dpp(quad_form_dpp="qp")


def _rows_and_quadratic() -> SolverInterface:
    def unused(*_: Any) -> Any:
        raise NotImplementedError("only the canonicalisation of cvxpylayers is used")

    return SolverInterface.from_functions(
        unused, unused, canon_solver="CLARABEL", supports_quad_obj=True
    )


def _constraint_maps(
    reduced: Any, n: int
) -> tuple[np.ndarray, np.ndarray, sp.csr_matrix, sp.csr_matrix]:
    """Pattern of A and the maps to A and b, from cvxpy's [A | b] with the sign -A x + b in K."""
    width = 0 if reduced.reduced_mat is None else reduced.reduced_mat.shape[1]
    rows, indptr, (m, _) = reduced.problem_data_index
    columns = np.repeat(np.arange(n + 1), np.diff(indptr))
    entries = sp.csr_matrix(reduced.reduced_mat) if width else sp.csr_matrix((0, 1))
    of_A, of_b = np.flatnonzero(columns < n), np.flatnonzero(columns == n)
    of_A = of_A[np.lexsort((columns[of_A], rows[of_A]))]
    counts = np.bincount(rows[of_A], minlength=m)
    place = sp.csr_matrix((np.ones(len(of_b)), (rows[of_b], np.arange(len(of_b)))), (m, len(of_b)))
    return (
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        columns[of_A].astype(np.int64),
        sp.csr_matrix(-entries[of_A]),
        sp.csr_matrix(place @ entries[of_b]),
    )


def _objective_map(
    reduced: Any, n: int, width: int
) -> tuple[np.ndarray, np.ndarray, sp.csr_matrix]:
    if reduced.reduced_mat is None:
        empty = np.zeros(n + 1, np.int64), np.zeros(0, np.int64)
        return *empty, sp.csr_matrix((0, width))
    rows, indptr, _ = reduced.problem_data_index
    # P is symmetric, so its columns are its rows; within a row the entries come sorted
    columns = pattern_rows(indptr)
    order = np.lexsort((rows, columns))
    return (
        indptr.astype(np.int64),
        rows[order].astype(np.int64),
        sp.csr_matrix(reduced.reduced_mat)[order],
    )


def _variable_index(recovery: Any) -> np.ndarray:
    """Where the entries of a variable, in its shape, lie in x."""
    start, stop = recovery.primal.start, recovery.primal.stop
    if recovery.unpack_fn == "reshape":
        return np.arange(start, stop).reshape(recovery.shape, order="F")
    size = recovery.shape[0]
    index = np.zeros((size, size), np.int64)
    index[np.triu_indices(size)] = np.arange(start, stop)
    return np.maximum(index, index.T)
