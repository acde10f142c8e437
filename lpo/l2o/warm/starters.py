"""Where the search of an hour's allocation may begin without learning: nowhere, at the plan of the
hour before, at the heuristic's. docs/l2o_warm_starts.md, "Rolling horizon"."""

from collections.abc import Callable
from typing import NamedTuple

from lpo.allocate.allocation import Allocation
from lpo.allocate.heuristic.planner import plan_heuristically
from lpo.allocate.instance import Instance
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.l2o.families.allocation import Multipliers
from lpo.l2o.warm.pool import Pool, levels_of, whole_plan


class Begin(NamedTuple):
    """allocation: where to begin, None for nowhere. fell_back: the guard refused a prediction."""

    allocation: Allocation | None
    fell_back: bool = False


Starter = Callable[[Multipliers, Instance, Allocation | None], Begin]
"""(problem, its instance, the plan of the period before) -> `Begin`."""


def nowhere(problem: Multipliers, instance: Instance, previous: Allocation | None) -> Begin:
    """The cold start."""
    del problem, instance, previous
    return Begin(None)


def previous_plan(pool: Pool) -> Starter:
    """Yesterday's plan, repaired: its deployments, the best shares, levels that help."""

    def begin(problem: Multipliers, instance: Instance, previous: Allocation | None) -> Begin:
        del problem
        if previous is None:
            return Begin(None)
        levels = levels_of(pool, previous)
        return Begin(whole_plan(pool, instance, levels, levels / pool.most).allocation)

    return begin


def planner(
    options: Options, uncertainty: Uncertainty | None, seconds: float, seed: int = 0
) -> Starter:
    """The heuristic of `lpo.allocate`, which learns nothing: what a learned start must beat."""

    def begin(problem: Multipliers, instance: Instance, previous: Allocation | None) -> Begin:
        del problem, previous
        found = plan_heuristically(instance, options, uncertainty, seconds=seconds, seed=seed)
        return Begin(found.allocation)

    return begin
