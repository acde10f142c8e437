"""The generic back end: any quadratic program, exact derivatives by the active set.

Forward, a batched interior point on the host (Moreau, or Clarabel problem by problem); backward,
`lpo.optim.active_set`. docs/convex_layer.md.
"""

from collections.abc import Sequence

import cvxpy as cp
import numpy as np

from lpo.errors import InputError
from lpo.optim import active_set
from lpo.optim.backend import Backend, Status
from lpo.optim.callback import HostSolution, HostSolver, callback_backend
from lpo.optim.canonical import canonicalise, evaluate, pull_back, refuse_cones
from lpo.optim.interior_point import Clarabel, Moreau, moreau_installed, solve_batch
from lpo.optim.scaling import Scaling


def generic_backend(
    problem: cp.Problem,
    parameters: Sequence[cp.Parameter],
    variables: Sequence[cp.Variable],
    *,
    tolerance: float = 1e-9,
    solver: str = "auto",
) -> Backend:
    """A `Backend` for a quadratic program in DPP form, linear constraints and objective included.

    **Arguments:**

    - `parameters`, `variables`: in the order of the arguments and of the values.
    - `tolerance`: largest relative KKT residual of a solution that counts as solved.
    - `solver`: "moreau", "clarabel", or "auto": Moreau where it is installed.

    A problem that Moreau does not solve is given to Clarabel; the better point is kept. Raises
    InputError for integer variables, for other cones, and as `canonicalise`.
    """
    if solver not in ("auto", "moreau", "clarabel"):
        raise InputError(f"`solver` must be auto, moreau or clarabel, got {solver!r}.")
    if solver == "moreau" and not moreau_installed():
        raise InputError("solver='moreau' needs the package moreau: pip install moreau.")
    program = canonicalise(problem, parameters, variables)
    refuse_cones(program)
    structure = active_set.pattern(program)
    if solver == "auto":
        solver = "moreau" if moreau_installed() else "clarabel"
    solvers = [Clarabel(program)] if solver == "clarabel" else [Moreau(program), Clarabel(program)]
    scaling = Scaling(program)

    def solve(theta: np.ndarray) -> HostSolution:
        return solve_batch(program, theta, scaling, solvers, tolerance)

    def adjoint(theta: np.ndarray, found: HostSolution, cotangent: np.ndarray) -> np.ndarray:
        solved = (found.status == Status.SOLVED)[:, None]
        point = (np.where(solved, found.x, 0.0), np.where(solved, found.z, 0.0), found.active)
        data = evaluate(program, np.where(solved, theta, 0.0))
        gradient = active_set.adjoint(
            program, structure, data, point, np.where(solved, cotangent, 0.0)
        )
        return pull_back(program, gradient)

    return callback_backend("generic", program, HostSolver(solve, adjoint))
