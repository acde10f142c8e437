"""Interior points on a batch of quadratic programs on the host, and how good their answers are."""

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from lpo.optim.backend import Status
from lpo.optim.callback import HostSolution
from lpo.optim.canonical import (
    ConeProgram,
    ProgramData,
    block_diagonal,
    evaluate,
    pattern_rows,
)
from lpo.optim.scaling import Scaling

moreau: Any = None
# the wheel does not exist for every platform; Clarabel, which cvxpy brings, does
if find_spec("moreau") is not None:
    moreau = import_module("moreau")
clarabel: Any = import_module("clarabel")

# Asked of the solvers. Which side of a kink a solution lies on is only as sure as this.
SOLVER_TOLERANCE = 1e-12
# Compiled batch sizes that are kept at a time.
_KEPT_SOLVERS = 8
_WITHOUT_POINT = (Status.INFEASIBLE, Status.UNBOUNDED)
_WORST = np.finfo(np.float64).max
# Words of Moreau and Clarabel alike; every other one is a failure.
_STATUS = {
    "Solved": Status.SOLVED,
    "AlmostSolved": Status.INACCURATE,
    "PrimalInfeasible": Status.INFEASIBLE,
    "AlmostPrimalInfeasible": Status.INFEASIBLE,
    "DualInfeasible": Status.UNBOUNDED,
    "AlmostDualInfeasible": Status.UNBOUNDED,
}


class Points(NamedTuple):
    """Solver output for a batch: x [B, n], slacks s [B, m], multipliers z [B, m], status [B]."""

    x: np.ndarray
    s: np.ndarray
    z: np.ndarray
    status: np.ndarray


def solve_batch(
    program: ConeProgram,
    theta: np.ndarray,
    scaling: Scaling,
    solvers: Sequence[Callable[[ProgramData], Points]],
    tolerance: float,
) -> HostSolution:
    """Solve at parameters theta [B, p] in scaled units, and check every KKT residual there.

    The first solver is given all problems, each further one what is not solved yet; the better
    point is kept, but a later word of infeasible or unbounded counts.
    """
    finite = np.all(np.isfinite(theta), axis=1)
    data = evaluate(program, np.where(finite[:, None], theta, 0.0))
    scaled, units = scaling(data)
    points = solvers[0](scaled)
    residual = kkt_residual(program, scaled, points)
    for solver in solvers[1:]:
        again = np.flatnonzero((points.status != Status.SOLVED) | (residual > tolerance))
        if not len(again):
            break
        rows = ProgramData(*(part[again] for part in scaled))
        second = solver(rows)
        second_residual = kkt_residual(program, rows, second)
        better = (second_residual < residual[again]) | np.isin(second.status, _WITHOUT_POINT)
        for first, other in zip((*points, residual), (*second, second_residual), strict=True):
            first[again[better]] = other[better]

    status = points.status.copy()
    ended = np.isin(status, _WITHOUT_POINT)
    status[~ended] = Status.INACCURATE
    status[~ended & (residual <= tolerance)] = Status.SOLVED
    status[~ended & (residual == _WORST)] = Status.FAILED
    status[~finite] = Status.FAILED
    residual = np.where(finite & ~ended, residual, np.inf)

    slack, z = points.s[:, program.equalities :], points.z[:, program.equalities :]
    active = np.ones(points.z.shape, bool)
    active[:, program.equalities :] = z > slack
    has_point = np.isfinite(residual) & (status != Status.FAILED)
    return HostSolution(
        x=np.where(has_point[:, None], points.x * units.columns, np.nan),
        z=np.where(has_point[:, None], points.z * units.cost / units.slack, np.nan),
        active=active,
        status=status,
        residual=residual,
        gap=np.where(has_point, np.maximum(z, slack).min(axis=1, initial=np.inf), np.nan),
    )


def kkt_residual(program: ConeProgram, data: ProgramData, points: Points) -> np.ndarray:
    """Largest of four relative residuals [B] of a quadratic program's optimality conditions.

    Primal |A x + s - b| with s >= 0 enforced, over max(|b|, |A x|, 1); dual |P x + q + A' z| with
    z >= 0 enforced, over max(|q|, |P x|, |A' z|, 1); complementarity sum |s z| over
    max(1, |objective|), all in the units of `data`. The largest float where x is not finite.
    """
    batch, e = len(points.x), program.equalities
    finite = np.all(np.isfinite(points.x), axis=1) & np.all(np.isfinite(points.z), axis=1)
    x = np.where(finite[:, None], points.x, 0.0)
    z = np.where(finite[:, None], points.z, 0.0)
    A = block_diagonal(program.A_indptr, program.A_indices, program.n, data.A)
    P = block_diagonal(program.P_indptr, program.P_indices, program.n, data.P)
    Ax = (A @ x.ravel()).reshape(batch, program.m)
    Px = (P @ x.ravel()).reshape(batch, program.n)
    Az = (A.T @ z.ravel()).reshape(batch, program.n)

    def largest(*parts: np.ndarray) -> np.ndarray:
        return np.max([np.abs(part).max(axis=1, initial=0.0) for part in parts], axis=0)

    slack = data.b - Ax
    violated = np.concatenate([slack[:, :e], np.minimum(slack[:, e:], 0.0)], axis=1)
    primal = largest(violated) / np.maximum(largest(data.b, Ax), 1.0)
    wrong_sign = np.minimum(z[:, e:], 0.0)
    dual = largest(Px + data.q + Az, wrong_sign) / np.maximum(largest(data.q, Px, Az), 1.0)
    objective = np.abs((0.5 * Px * x + data.q * x).sum(axis=1))
    complementarity = np.abs(slack[:, e:] * z[:, e:]).sum(axis=1) / np.maximum(objective, 1.0)
    return np.where(finite, np.max([primal, dual, complementarity], axis=0), _WORST)


def moreau_installed() -> bool:
    """Whether Moreau can be imported here."""
    return moreau is not None


class Moreau:
    """Moreau's interior point on a batch of programs, one compiled solver a batch size.

    Bounds x >= 0 with constant coefficients are handed over as direct cones, which saves a quarter
    of the time; not where Moreau's own derivatives are wanted (`differentiable`), which need every
    row. A lock admits one thread at a time: the compiled solvers have state.
    """

    def __init__(self, program: ConeProgram, *, differentiable: bool = False):
        self.program = program
        self.differentiable = differentiable
        self.lock = Lock()
        self.solvers: dict[int, Any] = {}
        self.direct, self.columns = _constant_bounds(program)
        if differentiable:
            self.direct, self.columns = self.direct[:0], self.columns[:0]
        rows = np.ones(program.m, bool)
        rows[self.direct] = False
        self.rows = np.flatnonzero(rows)
        self.entries = np.flatnonzero(rows[pattern_rows(program.A_indptr)])

    def __call__(self, data: ProgramData) -> Points:
        program, batch = self.program, len(data.q)
        with self.lock:
            found, words = self._solve(data)
        status = np.array([_STATUS.get(word, Status.FAILED) for word in words], np.int32)
        x = np.array(found.x).reshape(batch, program.n)
        s, z = np.zeros((batch, program.m)), np.zeros((batch, program.m))
        s[:, self.rows] = np.reshape(found.s, (batch, -1))
        z[:, self.rows] = np.reshape(found.z, (batch, -1))
        if len(self.direct):
            # a row -c x + s = 0 and the cone x >= 0 have the slacks c x, x and multipliers z, c z
            c = -data.A[:, program.A_indptr[self.direct]]
            s[:, self.direct] = x[:, self.columns] * c
            z[:, self.direct] = np.reshape(found.z_x, (batch, -1)) / c
        return Points(x, s, z, status)

    def adjoint(self, data: ProgramData, cotangent: np.ndarray) -> ProgramData:
        """Moreau's own gradients of sum(cotangent * x) with respect to P, q, A and b."""
        with self.lock:
            self._solve(data)
            solver, unused = self.solvers[len(data.q)], np.zeros_like(data.b)
            found = solver.backward(cotangent, unused, unused)
        names = ("dP_values", "dq", "dA_values", "db")
        return ProgramData(*(np.reshape(found[name], (len(data.q), -1)) for name in names))

    def _solve(self, data: ProgramData) -> tuple[Any, list[str]]:
        batch = len(data.q)
        if batch not in self.solvers:
            if len(self.solvers) == _KEPT_SOLVERS:
                self.solvers.clear()
            self.solvers[batch] = self._compile(batch)
        solver = self.solvers[batch]
        solver.setup(data.P, np.ascontiguousarray(data.A[:, self.entries]))
        found = solver.solve(data.q, np.ascontiguousarray(data.b[:, self.rows]))
        return found, [str(status) for status in solver.info.status]

    def _compile(self, batch: int) -> Any:
        program = self.program
        counts = np.diff(program.A_indptr)[self.rows]
        cones = moreau.Cones(
            num_zero_cones=program.equalities,
            num_nonneg_cones=len(self.rows) - program.equalities,
        )
        if len(self.columns):
            spec = moreau.DirectConeSpec(kind="nonneg", indices=self.columns.tolist())
            cones.dir_cones = [spec]
        tolerances = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), SOLVER_TOLERANCE)
        settings = moreau.Settings(
            solver="ipm",
            device="cpu",
            batch_size=batch,
            enable_grad=self.differentiable,
            ipm_settings=moreau.IPMSettings(direct_solve_method="qdldl", **tolerances),
        )
        return moreau.CompiledSolver(
            n=program.n,
            m=len(self.rows),
            P_row_offsets=program.P_indptr,
            P_col_indices=program.P_indices,
            A_row_offsets=np.concatenate([[0], np.cumsum(counts)]),
            A_col_indices=program.A_indices[self.entries],
            cones=cones,
            settings=settings,
        )


class Clarabel:
    """Clarabel on the programs of a batch, one after the other."""

    def __init__(self, program: ConeProgram):
        self.program = program
        self.upper = program.P_indices <= pattern_rows(program.P_indptr)
        counts = np.bincount(pattern_rows(program.P_indptr)[self.upper], minlength=program.n)
        self.upper_indptr = np.concatenate([[0], np.cumsum(counts)])
        self.cones = [
            clarabel.ZeroConeT(program.equalities),
            clarabel.NonnegativeConeT(program.inequalities),
        ]
        self.settings = clarabel.DefaultSettings()
        self.settings.verbose = False
        for name in ("tol_gap_abs", "tol_gap_rel", "tol_feas"):
            setattr(self.settings, name, SOLVER_TOLERANCE)

    def __call__(self, data: ProgramData) -> Points:
        program, batch = self.program, len(data.q)
        x = np.full((batch, program.n), np.nan)
        s, z = np.full((batch, program.m), np.nan), np.full((batch, program.m), np.nan)
        status = np.full(batch, Status.FAILED, np.int32)
        for i in range(batch):
            # rows of the lower triangle are columns of the upper one
            P = sp.csc_matrix(
                (data.P[i][self.upper], program.P_indices[self.upper], self.upper_indptr),
                shape=(program.n, program.n),
            )
            A = sp.csr_matrix(
                (data.A[i], program.A_indices, program.A_indptr), shape=(program.m, program.n)
            ).tocsc()
            found = clarabel.DefaultSolver(
                P, data.q[i], A, data.b[i], self.cones, self.settings
            ).solve()
            x[i], s[i], z[i] = found.x, found.s, found.z
            status[i] = _STATUS.get(str(found.status), Status.FAILED)
        return Points(x, s, z, status)


def _constant_bounds(program: ConeProgram) -> tuple[np.ndarray, np.ndarray]:
    """Rows -c x_j + s = 0 with a constant c > 0, at most one a column: rows and columns."""
    rows = np.flatnonzero(np.diff(program.A_indptr) == 1)
    rows = rows[rows >= program.equalities]
    A_map, b_map = program.A_map[program.A_indptr[rows]].tocsr(), program.b_map[rows].tocsr()
    A_map.eliminate_zeros()
    b_map.eliminate_zeros()
    negative = A_map[:, -1].toarray().ravel() < 0
    rows = rows[negative & (np.diff(A_map.indptr) == 1) & (np.diff(b_map.indptr) == 0)]
    columns, first = np.unique(program.A_indices[program.A_indptr[rows]], return_index=True)
    return rows[first], columns
