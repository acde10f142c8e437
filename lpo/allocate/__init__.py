"""Which models run on which GPUs, for whom, robustly. docs/allocate.md.

Names are loaded when they are asked for: a plan needs neither JAX nor cvxpy.
"""

from typing import TYPE_CHECKING

from lpo.lazy import lazily

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

__getattr__ = lazily(
    __name__,
    {
        "Allocation": "allocation",
        "gpus": "allocation",
        "Instance": "instance",
        "InstanceData": "instance",
        "check_instance": "instance",
        "tokens": "instance",
        "CORRECTED": "options",
        "Options": "options",
        "Profile": "options",
        "StorageAccounting": "options",
        "make_options": "options",
        "Box": "uncertainty",
        "Budget": "uncertainty",
        "Ellipsoid": "uncertainty",
        "Uncertainty": "uncertainty",
        "budget": "uncertainty",
        "gamma_for": "uncertainty",
        "violation_bound": "uncertainty",
        "worst_case": "uncertainty",
        "generate": "instances.generate",
        "read_instance": "instances.files",
        "read_solution": "instances.files",
        "write_instance": "instances.files",
        "write_solution": "instances.files",
        "scaled": "instances.scaling",
        "shift_nominal": "instances.shifted",
        "estimate_demand": "instances.demand",
        "with_demand": "instances.demand",
        "Program": "model.program",
        "build": "model.program",
        "AllocationInterrupted": "model.exact",
        "Solved": "model.exact",
        "solve_allocation": "model.exact",
        "solve_program": "model.exact",
        "Goal": "model.objectives",
        "solve_lexicographic": "model.objectives",
        "solve_weighted": "model.objectives",
        "Relaxation": "model.relaxation",
        "make_relaxation": "model.relaxation",
        "Cost": "validate.cost",
        "cost": "validate.cost",
        "objective": "validate.cost",
        "Audit": "validate.audit",
        "audit": "validate.audit",
        "Policy": "validate.stress",
        "Stress": "validate.stress",
        "stress": "validate.stress",
        "Front": "validate.front",
        "front": "validate.front",
        "plan_heuristically": "heuristic.planner",
        "gap": "heuristic.bound",
        "lower_bound": "heuristic.bound",
        "binding_limits": "explain.binding",
        "demand_prices": "explain.binding",
        "changes": "explain.compare",
        "least_relaxation": "explain.repair",
    },
)
