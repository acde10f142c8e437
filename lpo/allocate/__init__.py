"""Which models run on which GPUs, for whom, robustly. docs/allocate.md.

Names are loaded when they are asked for: a plan needs neither JAX nor cvxpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lpo.allocate.allocation import Allocation as Allocation
    from lpo.allocate.allocation import gpus as gpus
    from lpo.allocate.explain.binding import binding_limits as binding_limits
    from lpo.allocate.explain.binding import demand_prices as demand_prices
    from lpo.allocate.explain.compare import changes as changes
    from lpo.allocate.explain.repair import least_relaxation as least_relaxation
    from lpo.allocate.heuristic.bound import gap as gap
    from lpo.allocate.heuristic.bound import lower_bound as lower_bound
    from lpo.allocate.heuristic.planner import plan_heuristically as plan_heuristically
    from lpo.allocate.instance import Instance as Instance
    from lpo.allocate.instance import InstanceData as InstanceData
    from lpo.allocate.instance import check_instance as check_instance
    from lpo.allocate.instance import tokens as tokens
    from lpo.allocate.instances.demand import estimate_demand as estimate_demand
    from lpo.allocate.instances.demand import with_demand as with_demand
    from lpo.allocate.instances.files import read_instance as read_instance
    from lpo.allocate.instances.files import read_solution as read_solution
    from lpo.allocate.instances.files import write_instance as write_instance
    from lpo.allocate.instances.files import write_solution as write_solution
    from lpo.allocate.instances.generate import generate as generate
    from lpo.allocate.instances.scaling import scaled as scaled
    from lpo.allocate.instances.shifted import shift_nominal as shift_nominal
    from lpo.allocate.model.exact import AllocationInterrupted as AllocationInterrupted
    from lpo.allocate.model.exact import Solved as Solved
    from lpo.allocate.model.exact import solve_allocation as solve_allocation
    from lpo.allocate.model.exact import solve_program as solve_program
    from lpo.allocate.model.objectives import Goal as Goal
    from lpo.allocate.model.objectives import solve_lexicographic as solve_lexicographic
    from lpo.allocate.model.objectives import solve_weighted as solve_weighted
    from lpo.allocate.model.program import Program as Program
    from lpo.allocate.model.program import build as build
    from lpo.allocate.model.relaxation import Relaxation as Relaxation
    from lpo.allocate.model.relaxation import make_relaxation as make_relaxation
    from lpo.allocate.options import CORRECTED as CORRECTED
    from lpo.allocate.options import Options as Options
    from lpo.allocate.options import Profile as Profile
    from lpo.allocate.options import StorageAccounting as StorageAccounting
    from lpo.allocate.options import make_options as make_options
    from lpo.allocate.uncertainty import Box as Box
    from lpo.allocate.uncertainty import Budget as Budget
    from lpo.allocate.uncertainty import Ellipsoid as Ellipsoid
    from lpo.allocate.uncertainty import Uncertainty as Uncertainty
    from lpo.allocate.uncertainty import budget as budget
    from lpo.allocate.uncertainty import gamma_for as gamma_for
    from lpo.allocate.uncertainty import violation_bound as violation_bound
    from lpo.allocate.uncertainty import worst_case as worst_case
    from lpo.allocate.validate.audit import Audit as Audit
    from lpo.allocate.validate.audit import audit as audit
    from lpo.allocate.validate.cost import Cost as Cost
    from lpo.allocate.validate.cost import cost as cost
    from lpo.allocate.validate.cost import objective as objective
    from lpo.allocate.validate.front import Front as Front
    from lpo.allocate.validate.front import front as front
    from lpo.allocate.validate.stress import Policy as Policy
    from lpo.allocate.validate.stress import Stress as Stress
    from lpo.allocate.validate.stress import stress as stress

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
    "generate": "lpo.allocate.instances.generate",
    "read_instance": "lpo.allocate.instances.files",
    "read_solution": "lpo.allocate.instances.files",
    "write_instance": "lpo.allocate.instances.files",
    "write_solution": "lpo.allocate.instances.files",
    "scaled": "lpo.allocate.instances.scaling",
    "shift_nominal": "lpo.allocate.instances.shifted",
    "estimate_demand": "lpo.allocate.instances.demand",
    "with_demand": "lpo.allocate.instances.demand",
    "Program": "lpo.allocate.model.program",
    "build": "lpo.allocate.model.program",
    "AllocationInterrupted": "lpo.allocate.model.exact",
    "Solved": "lpo.allocate.model.exact",
    "solve_allocation": "lpo.allocate.model.exact",
    "solve_program": "lpo.allocate.model.exact",
    "Goal": "lpo.allocate.model.objectives",
    "solve_lexicographic": "lpo.allocate.model.objectives",
    "solve_weighted": "lpo.allocate.model.objectives",
    "Relaxation": "lpo.allocate.model.relaxation",
    "make_relaxation": "lpo.allocate.model.relaxation",
    "Cost": "lpo.allocate.validate.cost",
    "cost": "lpo.allocate.validate.cost",
    "objective": "lpo.allocate.validate.cost",
    "Audit": "lpo.allocate.validate.audit",
    "audit": "lpo.allocate.validate.audit",
    "Policy": "lpo.allocate.validate.stress",
    "Stress": "lpo.allocate.validate.stress",
    "stress": "lpo.allocate.validate.stress",
    "Front": "lpo.allocate.validate.front",
    "front": "lpo.allocate.validate.front",
    "plan_heuristically": "lpo.allocate.heuristic.planner",
    "gap": "lpo.allocate.heuristic.bound",
    "lower_bound": "lpo.allocate.heuristic.bound",
    "binding_limits": "lpo.allocate.explain.binding",
    "demand_prices": "lpo.allocate.explain.binding",
    "changes": "lpo.allocate.explain.compare",
    "least_relaxation": "lpo.allocate.explain.repair",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
