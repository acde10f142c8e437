"""What a service level costs: the plan along its limit, with the limit's price as the slope."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.serve.instance import Instance
from lpo.serve.plans.levels import NO_LEVELS, RULES, ServiceLevels
from lpo.serve.plans.plan import FluidPlan, Infeasible, solve_plan, solve_program
from lpo.serve.plans.program import Pricing, fluid_program


class Front(NamedTuple):
    """Plans along the limits [K] of one level, ascending; None where no plan keeps it.

    value [K]: `FluidPlan.value`, NaN without a plan. slope [K]: its derivative in the limit, the
    dual of the level; of a level of every class, when the limits of all classes move together.
    free: the value without the level.
    """

    level: str
    limits: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    free: float
    plans: tuple[FluidPlan | None, ...]


def level_front(
    instance: Instance,
    level: str,
    limits: Sequence[float] | np.ndarray,
    levels: ServiceLevels = NO_LEVELS,
    *,
    pricing: Pricing | str = Pricing.BUNDLED,
) -> Front:
    """Solve one program at every limit of `level`, which is hard.

    limits [K]: a level of every class takes each for all classes. levels: what else is asked for;
    its own limit of `level` does not count. At kinks a slope is one-sided or between the two sides.
    Raises InputError on an unknown level, on no limits, and as `solve_plan`; Infeasible where the
    other levels exclude each other.
    """
    if level not in RULES:
        raise InputError(f"`level` must be one of {', '.join(RULES)}, got {level!r}.")
    if not len(limits):
        raise InputError(f"`limits` of {level} must be at least one number.")
    ascending = np.unique(np.asarray(limits, np.float64))
    each = [levels._replace(**{level: float(limit)}) for limit in ascending]
    program = fluid_program(instance, each[0], pricing)
    without = solve_plan(instance, levels._replace(**{level: None}), pricing=pricing)
    plans: list[FluidPlan | None] = []
    for at in each:
        try:
            plans.append(solve_program(program, instance, at))
        except Infeasible:
            plans.append(None)
    return Front(
        level=level,
        limits=ascending,
        value=np.array([np.nan if plan is None else plan.value for plan in plans]),
        slope=np.array(
            [np.nan if p is None else float(p.duals.levels[level].sum()) for p in plans]
        ),
        free=without.value,
        plans=tuple(plans),
    )
