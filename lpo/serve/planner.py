"""Plans at changing rates and fleet sizes, by one program. docs/serve_replay.md."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.serve.instance import Instance
from lpo.serve.plans.levels import NO_LEVELS, ServiceLevels
from lpo.serve.plans.plan import FluidPlan, solve_program
from lpo.serve.plans.program import fluid_program
from lpo.serve.policies import Policy, Pools, Targets, targets_of


class Planned(NamedTuple):
    """A fleet's instance (arrivals per GPU), its plan, and what its policy follows."""

    instance: Instance
    plan: FluidPlan
    targets: Targets


Planner = Callable[[np.ndarray, int], Planned]
"""From arrivals at the whole fleet, requests per second [I], and its GPUs to a plan."""


def make_planner(policy: Policy, instance: Instance, levels: ServiceLevels = NO_LEVELS) -> Planner:
    """Return a planner for a policy; lengths, patience, hardware and prices are the instance's.

    The program is built here and only solved afterwards. The planner raises InputError on rates
    that are negative or not finite and as `targets_of`, and Infeasible as `solve_program`.
    """
    program = fluid_program(
        instance, levels, policy.pricing, disaggregated=policy.pools == Pools.SPLIT
    )

    def planner(rates: np.ndarray, gpus: int) -> Planned:
        arrival = np.asarray(rates, np.float64) / gpus
        if arrival.shape != np.shape(instance.arrival) or not np.all(
            np.isfinite(arrival) & (arrival >= 0.0)
        ):
            raise InputError(
                "Rates must be finite and at least 0, one a class, requests per second, got "
                f"{np.asarray(rates).tolist()}."
            )
        of_fleet = instance._replace(arrival=arrival)
        plan = solve_program(program, of_fleet, levels)
        return Planned(of_fleet, plan, targets_of(policy, of_fleet, plan, gpus))

    return planner
