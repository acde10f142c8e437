"""What a policy knows about a plan, for a fleet of a given size. docs/serve_policies.md."""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.serve.instance import Instance
from lpo.serve.plans.knapsack import load
from lpo.serve.plans.levels import NO_LEVELS, ServiceLevels
from lpo.serve.plans.plan import FluidPlan, solve_plan
from lpo.serve.policies.kinds import Gate, Policy, Pools, Rounding
from lpo.serve.rates import service_rates

LIGHT = 0.9
"""Load below which the credit gate admits everybody in the order of arrival."""


class Targets(NamedTuple):
    """Numbers that a policy follows; a pytree of float32 arrays, so that fleets can be batched.

    gpus []: n. mixed []: M, GPUs that may prefill, a whole number for every rounding but `random`,
    where it is m itself. mixed_slots []: decode slots of each of them, B - 1 or 0. x [I]: planned
    prefills n x. waiting [I]: planned queue n q_p. rate [I]: planned admissions per second,
    n mu_p x. cap [I]: most credit. solo_share [I]: planned share of decodes on GPUs without
    prefills. solo_weight, mixed_weight [I]: planned completions there and on the others, per
    second, from which a freed slot draws a class. order [I]: decode / prompt. exempt [I] bool:
    classes that need no credit. open [] bool: everybody is admitted in the order of arrival.
    """

    gpus: Any
    mixed: Any
    mixed_slots: Any
    x: Any
    waiting: Any
    rate: Any
    cap: Any
    solo_share: Any
    solo_weight: Any
    mixed_weight: Any
    order: Any
    exempt: Any
    open: Any


def plan_for(policy: Policy, instance: Instance, levels: ServiceLevels = NO_LEVELS) -> FluidPlan:
    """Return the plan that a policy follows: with its pricing, disaggregated if its GPUs are.

    Raises as `solve_plan`.
    """
    return solve_plan(
        instance, levels, pricing=policy.pricing, disaggregated=policy.pools == Pools.SPLIT
    )


def targets_of(policy: Policy, instance: Instance, plan: FluidPlan, gpus: int) -> Targets:
    """Return what `policy` follows on `gpus` GPUs under a plan of `plan_for`.

    Raises InputError on a fleet that is not a whole number of at least 1, and of less than 2 where
    GPUs that prefill are others than those that decode.
    """
    least = 2 if policy.pools == Pools.SPLIT else 1
    if not least <= gpus < np.inf or gpus != np.floor(gpus):
        raise InputError(
            f"`n` must be a whole number of at least {least} for {policy.name}, got {gpus}."
        )
    rates, n = service_rates(instance), float(gpus)
    share = float(plan.x.sum())
    rate = n * rates.mu_p * plan.x
    solo, mixed = rates.mu_s * plan.y_s, rates.mu_m * plan.y_m
    mixed_number = mixed_gpus(policy, n * share, gpus)
    if mixed_number >= gpus:  # a pool without GPUs serves nobody, whatever the plan's share
        solo = 0.0 * solo
    full = plan.admitted >= instance.arrival * (1.0 - 1e-6)
    light = policy.gate == Gate.CREDIT and load(instance) < LIGHT
    numbers = {
        "gpus": n,
        "mixed": mixed_number,
        "mixed_slots": 0.0 if policy.pools == Pools.SPLIT else instance.hardware.batch - 1.0,
        "x": n * plan.x,
        "waiting": n * plan.q_p,
        "rate": rate,
        "cap": 1.0 + np.maximum(2.0, 3.0 * np.sqrt(rate)),
        "solo_share": np.where(
            solo + mixed > 0.0, solo / np.maximum(solo + mixed, 1e-30), float(mixed_number < gpus)
        ),
        "solo_weight": solo,
        "mixed_weight": mixed,
        "order": instance.decode / instance.prompt,
    }
    return Targets(
        **{name: np.asarray(number, np.float32) for name, number in numbers.items()},
        exempt=full & (policy.bypass and share < 1.0 - 1e-6),
        open=np.asarray(light),
    )


def mixed_gpus(policy: Policy, planned: float, gpus: int) -> float:
    """Return M for `planned` = n m busy prefill slots; planned itself for random rounding.

    At least one GPU prefills, and one decodes where the two are different GPUs. Every GPU may
    where there are no pools.
    """
    if policy.pools == Pools.NONE:
        return float(gpus)
    most = gpus - 1 if policy.pools == Pools.SPLIT else gpus
    near = planned * (1.0 - 1e-9)  # a whole number that rounding has made larger by a bit
    number = {
        Rounding.CEIL: np.ceil(near),
        Rounding.ROUND: np.floor(planned + 0.5),
        Rounding.RANDOM: planned,
        Rounding.SQUARE_ROOT: np.ceil(near + np.sqrt(planned)),
    }[policy.rounding]
    return float(np.clip(number, 1, most))
