"""The back ends of cvxpylayers, made jit- and vmap-able and checked: diffcp and Moreau.

They serve for comparison and for cones that the generic back end does not take; what is wrong
with their gradients is in docs/convex_layer.md. cvxpylayers canonicalises the problem; its solve
functions are not called, because those of diffcp cannot be compiled, and those of Moreau drop
constant bounds and switch x64 on for the whole process.
"""

from collections.abc import Sequence
from multiprocessing.pool import ThreadPool
from typing import Any

import cvxpy as cp
import numpy as np
import scipy.sparse as sp
from cvxpy.reductions.solvers.conic_solvers.scs_conif import dims_to_solver_dict
from diffcp.cone_program import solve_and_derivative, solve_internal
from diffcp.cones import parse_cone_dict, pi

from lpo.errors import InputError
from lpo.optim.backend import Backend, Status
from lpo.optim.callback import HostSolution, HostSolver, callback_backend
from lpo.optim.canonical import (
    ConeProgram,
    ProgramData,
    canonicalise,
    evaluate,
    pull_back,
    refuse_cones,
)
from lpo.optim.interior_point import SOLVER_TOLERANCE, Moreau, moreau_installed, solve_batch
from lpo.optim.scaling import Scaling

_DIFFCP_STATUS = {
    "Solved": Status.SOLVED,
    "Optimal Inaccurate": Status.INACCURATE,
    "Infeasible": Status.INFEASIBLE,
    "Infeasible Inaccurate": Status.INFEASIBLE,
    "Unbounded": Status.UNBOUNDED,
    "Unbounded Inaccurate": Status.UNBOUNDED,
}


def moreau_backend(
    problem: cp.Problem,
    parameters: Sequence[cp.Parameter],
    variables: Sequence[cp.Variable],
    *,
    tolerance: float = 1e-9,
) -> Backend:
    """Moreau's interior point with Moreau's own derivatives, for quadratic programs.

    Bounds on variables are kept as rows, so that none is dropped. Status and residual are checked
    as in the generic back end; the gradient is not, and is wrong where curvature is small: use
    the generic back end. The backward pass solves a second time. Raises InputError as
    `generic_backend`, and without Moreau.
    """
    if not moreau_installed():
        raise InputError("backend='moreau' needs the package moreau: pip install moreau.")
    program = canonicalise(problem, parameters, variables)
    refuse_cones(program)
    solver, derivative = Moreau(program), Moreau(program, differentiable=True)
    scaling = Scaling(program)

    def solve(theta: np.ndarray) -> HostSolution:
        return solve_batch(program, theta, scaling, [solver], tolerance)

    def adjoint(theta: np.ndarray, found: HostSolution, cotangent: np.ndarray) -> np.ndarray:
        solved = found.status == Status.SOLVED
        gradient = np.zeros_like(theta)
        if solved.any():
            data = evaluate(program, theta[solved])
            gradient[solved] = pull_back(program, derivative.adjoint(data, cotangent[solved]))
        return gradient

    return callback_backend("moreau", program, HostSolver(solve, adjoint))


def diffcp_backend(
    problem: cp.Problem,
    parameters: Sequence[cp.Parameter],
    variables: Sequence[cp.Variable],
    *,
    tolerance: float = 1e-6,
    mode: str = "dense",
) -> Backend:
    """diffcp with Clarabel, for every convex problem with linear, second-order, exponential or
    semidefinite cones.

    **Arguments:**

    - `tolerance`: largest relative residual of a solution that counts as solved, looser than that
      of the generic back end, because a quadratic objective becomes a second-order cone.
    - `mode`: how diffcp solves for the derivative: "dense" (right, cubic in the size of the
      problem), "lsqr" (the default of cvxpylayers; off by tens of percent on ill-conditioned
      problems) or "lsmr".

    The backward pass solves the problem a second time. `gap` looks at linear inequalities alone.
    Raises InputError as `canonicalise`, and for another mode.
    """
    if mode not in ("dense", "lsqr", "lsmr"):
        raise InputError(f"`mode` must be dense, lsqr or lsmr, got {mode!r}.")
    program = canonicalise(problem, parameters, variables, quadratic=False)
    cones = dims_to_solver_dict(program.cones)
    solver = _Diffcp(program, cones, mode, tolerance)
    return callback_backend("diffcp", program, HostSolver(solver.solve, solver.adjoint))


class _Diffcp:
    def __init__(self, program: ConeProgram, cones: dict[str, Any], mode: str, tolerance: float):
        self.program, self.cones, self.mode, self.tolerance = program, cones, mode, tolerance
        self.parsed = parse_cone_dict(cones)
        names = ("tol_gap_abs", "tol_gap_rel", "tol_feas")
        self.options = {
            "solve_method": "Clarabel",
            **dict.fromkeys(names, SOLVER_TOLERANCE),
        }

    def solve(self, theta: np.ndarray) -> HostSolution:
        program, batch = self.program, len(theta)
        finite = np.all(np.isfinite(theta), axis=1)
        data = evaluate(program, np.where(finite[:, None], theta, 0.0))
        with ThreadPool() as pool:
            rows = pool.map(lambda i: self._solve_one(data, i), range(batch))
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        found = HostSolution(*columns)
        return found._replace(
            status=np.where(finite, found.status, Status.FAILED).astype(np.int32),
            residual=np.where(finite, found.residual, np.inf),
            gap=np.where(finite, found.gap, np.nan),
        )

    def adjoint(self, theta: np.ndarray, found: HostSolution, cotangent: np.ndarray) -> np.ndarray:
        program, gradient = self.program, np.zeros_like(theta)
        data = evaluate(program, theta)
        wanted = np.flatnonzero(
            np.logical_and(found.status == Status.SOLVED, cotangent.any(axis=1))
        )
        if not len(wanted):
            return gradient
        with ThreadPool() as pool:
            parts = pool.map(lambda i: self._adjoint_one(data, i, cotangent[i]), wanted.tolist())
        q, A, b = (np.array(column) for column in zip(*parts, strict=True))
        gradient[wanted] = pull_back(program, ProgramData(np.zeros((len(wanted), 0)), q, A, b))
        return gradient

    def _matrix(self, data: ProgramData, i: int) -> Any:
        program = self.program
        pattern = data.A[i], program.A_indices, program.A_indptr
        return sp.csr_matrix(pattern, shape=(program.m, program.n)).tocsc()

    def _solve_one(self, data: ProgramData, i: int) -> tuple[Any, ...]:
        A, b, c = self._matrix(data, i), data.b[i], data.q[i]
        found = solve_internal(A.copy(), b, c, self.cones, raise_on_error=False, **self.options)
        x, y, s = found["x"], found["y"], found["s"]
        status = _DIFFCP_STATUS.get(found["info"]["status"], Status.FAILED)
        active = y > s
        if status in (Status.INFEASIBLE, Status.UNBOUNDED, Status.FAILED):
            nothing = np.full_like(x, np.nan), np.full_like(y, np.nan)
            return *nothing, active, status, np.inf, np.nan
        residual = self._residual(A, b, c, (x, y, s))
        status = Status.SOLVED if residual <= self.tolerance else Status.INACCURATE
        start = self.program.equalities
        linear = slice(start, start + self.program.inequalities)
        units = np.abs(b).max(initial=0.0) or 1.0, np.abs(c).max(initial=0.0) or 1.0
        pairs = np.maximum(s[linear] / units[0], y[linear] / units[1])
        return x, y, active, status, residual, pairs.min(initial=np.inf)

    def _residual(self, A: Any, b: np.ndarray, c: np.ndarray, point: Any) -> float:
        """Largest relative violation of A x + s = b, A' y + c = 0, the cones and c'x = -b'y."""
        x, y, s = point
        Ax, Ay = A @ x, A.T @ y

        def largest(*parts: np.ndarray) -> float:
            return max(float(np.abs(part).max(initial=0.0)) for part in parts)

        outside_primal = s - pi(s, self.parsed)
        outside_dual = y - pi(y, self.parsed, dual=True)
        primal = largest(Ax + s - b, outside_primal) / max(1.0, largest(b, Ax))
        dual = largest(Ay + c, outside_dual) / max(1.0, largest(c, Ay))
        gap = abs(c @ x + b @ y) / max(1.0, abs(c @ x), abs(b @ y))
        return max(primal, dual, gap)

    def _adjoint_one(
        self, data: ProgramData, i: int, cotangent: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        A, b, c = self._matrix(data, i), data.b[i], data.q[i]
        *_, adjoint = solve_and_derivative(A, b, c, self.cones, mode=self.mode, **self.options)
        dA, db, dc = adjoint(cotangent, np.zeros_like(b), np.zeros_like(b))
        rows = dA.tocsr()
        rows.sort_indices()
        return dc, rows.data, db
