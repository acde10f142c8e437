"""Which models run on which GPUs, for whom, robustly. docs/allocate.md.

Names are loaded when they are asked for: a plan needs neither JAX nor cvxpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lpo.allocate.allocation import Allocation as Allocation
    from lpo.allocate.allocation import gpus as gpus
    from lpo.allocate.audit import Audit as Audit
    from lpo.allocate.audit import audit as audit
    from lpo.allocate.bound import lower_bound as lower_bound
    from lpo.allocate.compare import changes as changes
    from lpo.allocate.cost import Cost as Cost
    from lpo.allocate.cost import cost as cost
    from lpo.allocate.cost import objective as objective
    from lpo.allocate.demand import estimate_demand as estimate_demand
    from lpo.allocate.demand import with_demand as with_demand
    from lpo.allocate.exact import AllocationInterrupted as AllocationInterrupted
    from lpo.allocate.exact import Solved as Solved
    from lpo.allocate.exact import solve_allocation as solve_allocation
    from lpo.allocate.exact import solve_program as solve_program
    from lpo.allocate.explain import binding_limits as binding_limits
    from lpo.allocate.explain import demand_prices as demand_prices
    from lpo.allocate.files import read_instance as read_instance
    from lpo.allocate.files import read_solution as read_solution
    from lpo.allocate.files import write_instance as write_instance
    from lpo.allocate.files import write_solution as write_solution
    from lpo.allocate.front import Front as Front
    from lpo.allocate.front import front as front
    from lpo.allocate.generate import generate as generate
    from lpo.allocate.heuristic import plan_heuristically as plan_heuristically
    from lpo.allocate.instance import Instance as Instance
    from lpo.allocate.instance import InstanceData as InstanceData
    from lpo.allocate.instance import check_instance as check_instance
    from lpo.allocate.instance import tokens as tokens
    from lpo.allocate.objectives import Goal as Goal
    from lpo.allocate.objectives import solve_lexicographic as solve_lexicographic
    from lpo.allocate.objectives import solve_weighted as solve_weighted
    from lpo.allocate.options import CORRECTED as CORRECTED
    from lpo.allocate.options import Options as Options
    from lpo.allocate.options import Profile as Profile
    from lpo.allocate.options import StorageAccounting as StorageAccounting
    from lpo.allocate.options import make_options as make_options
    from lpo.allocate.program import Program as Program
    from lpo.allocate.program import build as build
    from lpo.allocate.relaxation import Relaxation as Relaxation
    from lpo.allocate.relaxation import make_relaxation as make_relaxation
    from lpo.allocate.repair import least_relaxation as least_relaxation
    from lpo.allocate.scaling import scaled as scaled
    from lpo.allocate.shifted import shift_nominal as shift_nominal
    from lpo.allocate.stress import Policy as Policy
    from lpo.allocate.stress import Stress as Stress
    from lpo.allocate.stress import stress as stress
    from lpo.allocate.sweep import sweep as sweep
    from lpo.allocate.uncertainty import Box as Box
    from lpo.allocate.uncertainty import Budget as Budget
    from lpo.allocate.uncertainty import Ellipsoid as Ellipsoid
    from lpo.allocate.uncertainty import Uncertainty as Uncertainty
    from lpo.allocate.uncertainty import budget as budget
    from lpo.allocate.uncertainty import gamma_for as gamma_for
    from lpo.allocate.uncertainty import violation_bound as violation_bound
    from lpo.allocate.uncertainty import worst_case as worst_case

_HOMES = {
    "Allocation": "lpo.allocate.allocation",
    "gpus": "lpo.allocate.allocation",
    "Instance": "lpo.allocate.instance",
    "InstanceData": "lpo.allocate.instance",
    "check_instance": "lpo.allocate.instance",
    "tokens": "lpo.allocate.instance",
    "CORRECTED": "lpo.allocate.options",
    "Options": "lpo.allocate.options",
    "Profile": "lpo.allocate.options",
    "StorageAccounting": "lpo.allocate.options",
    "make_options": "lpo.allocate.options",
    "Box": "lpo.allocate.uncertainty",
    "Budget": "lpo.allocate.uncertainty",
    "Ellipsoid": "lpo.allocate.uncertainty",
    "Uncertainty": "lpo.allocate.uncertainty",
    "budget": "lpo.allocate.uncertainty",
    "gamma_for": "lpo.allocate.uncertainty",
    "violation_bound": "lpo.allocate.uncertainty",
    "worst_case": "lpo.allocate.uncertainty",
    "generate": "lpo.allocate.generate",
    "read_instance": "lpo.allocate.files",
    "read_solution": "lpo.allocate.files",
    "write_instance": "lpo.allocate.files",
    "write_solution": "lpo.allocate.files",
    "scaled": "lpo.allocate.scaling",
    "shift_nominal": "lpo.allocate.shifted",
    "estimate_demand": "lpo.allocate.demand",
    "with_demand": "lpo.allocate.demand",
    "Program": "lpo.allocate.program",
    "build": "lpo.allocate.program",
    "AllocationInterrupted": "lpo.allocate.exact",
    "Solved": "lpo.allocate.exact",
    "solve_allocation": "lpo.allocate.exact",
    "solve_program": "lpo.allocate.exact",
    "Goal": "lpo.allocate.objectives",
    "solve_lexicographic": "lpo.allocate.objectives",
    "solve_weighted": "lpo.allocate.objectives",
    "Relaxation": "lpo.allocate.relaxation",
    "make_relaxation": "lpo.allocate.relaxation",
    "Cost": "lpo.allocate.cost",
    "cost": "lpo.allocate.cost",
    "objective": "lpo.allocate.cost",
    "Audit": "lpo.allocate.audit",
    "audit": "lpo.allocate.audit",
    "Policy": "lpo.allocate.stress",
    "Stress": "lpo.allocate.stress",
    "stress": "lpo.allocate.stress",
    "Front": "lpo.allocate.front",
    "front": "lpo.allocate.front",
    "plan_heuristically": "lpo.allocate.heuristic",
    "lower_bound": "lpo.allocate.bound",
    "binding_limits": "lpo.allocate.explain",
    "demand_prices": "lpo.allocate.explain",
    "changes": "lpo.allocate.compare",
    "least_relaxation": "lpo.allocate.repair",
    "sweep": "lpo.allocate.sweep",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
