"""The utility task as a conic program over several slots, where limits may couple the slots.

Without coupling it equals the closed form of `lpo.provision.objective` slot by slot, which the
tests check; with a ramp limit or a power budget there is no closed form. docs/provision.md.
"""

from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np

from lpo.errors import InputError
from lpo.provision.objective import UtilityParameters


class ProvisioningProgram(NamedTuple):
    """A parametrised problem (DPP) and its handles, all [slots] in normalised units."""

    problem: cp.Problem
    demand: cp.Parameter
    capacity: cp.Variable
    served: cp.Variable


class ProvisioningSolution(NamedTuple):
    """status: cvxpy's word. value: optimal cost. capacity, served: [slots] in normalised units.

    The last three are None when the solver returned no point.
    """

    status: str
    value: float | None
    capacity: np.ndarray | None
    served: np.ndarray | None


def provisioning_program(
    parameters: UtilityParameters,
    slots: int,
    *,
    ramp: float | None = None,
    power_budget: float | None = None,
) -> ProvisioningProgram:
    """Build min sum_i p s_i + q (a_i - s_i) - k c_i ln(A s_i / c_i + 1) over a, s.

    Subject to 0 <= s <= a <= 1 and s <= c, with the workload c a parameter: the last term is
    k rel_entr(c, A s + c), jointly convex. `ramp` bounds |a_i - a_{i-1}|; `power_budget` bounds
    sum_i p s_i + q (a_i - s_i). None leaves a limit out. Where a limit forces a_i above rho c_i,
    the program may serve less than min(a_i, c_i); the closed form never idles so.
    Raises InputError when slots < 1 or a limit is negative.
    """
    if slots < 1:
        raise InputError(f"`slots` must be at least 1, got {slots}.")
    for name, limit in (("ramp", ramp), ("power_budget", power_budget)):
        if limit is not None and limit < 0:
            raise InputError(f"`{name}` must not be negative, got {limit}.")

    demand = cp.Parameter(slots, nonneg=True, name="demand")
    capacity = cp.Variable(slots, name="capacity")
    served = cp.Variable(slots, name="served")
    power = cp.sum(parameters.active * served + parameters.idle * (capacity - served))
    lost_accuracy = cp.sum(cp.rel_entr(demand, parameters.saturation * served + demand))
    constraints: list[Any] = [served >= 0, served <= capacity, served <= demand, capacity <= 1]
    if ramp is not None and slots > 1:
        constraints.append(cp.abs(cp.diff(capacity)) <= ramp)
    if power_budget is not None:
        constraints.append(power <= power_budget)
    problem = cp.Problem(cp.Minimize(power + parameters.benefit * lost_accuracy), constraints)
    return ProvisioningProgram(problem, demand, capacity, served)


def solve(
    program: ProvisioningProgram, demand: np.ndarray, *, tolerance: float = 1e-10
) -> ProvisioningSolution:
    """Solve the program at a workload [slots] in normalised units with Clarabel.

    tolerance: absolute and relative duality gap and feasibility asked of the solver; the status
    says whether it was reached. Raises cvxpy.error.SolverError when Clarabel breaks down.
    """
    program.demand.value = np.asarray(demand, np.float64)
    value: Any = program.problem.solve(
        solver=cp.CLARABEL,
        tol_gap_abs=tolerance,
        tol_gap_rel=tolerance,
        tol_feas=tolerance,
    )
    found = program.capacity.value is not None
    return ProvisioningSolution(
        status=program.problem.status,
        value=float(value) if found else None,
        capacity=program.capacity.value,
        served=program.served.value,
    )
