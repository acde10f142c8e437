"""What protection costs: the front of cost against violations over the uncertainty budget."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jax import Array

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import budget
from lpo.allocate.validate.deviations import Distribution
from lpo.allocate.validate.proportion import wilson
from lpo.allocate.validate.stress import Policy, stress
from lpo.optim.pareto import efficient

GAMMAS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf"))


class Front(NamedTuple):
    """Plans in order of gamma [M]: cost in $ and share of samples with any limit violated.

    in_sample_usd: what the program promises, its worst case included. realised_usd: mean over the
    samples. violated, with its 95 % interval violated_low, violated_high. efficient_in_sample,
    efficient_realised: whether no other plan costs and violates at most as much, and less of one.
    """

    gamma: np.ndarray
    in_sample_usd: np.ndarray
    realised_usd: np.ndarray
    violated: np.ndarray
    violated_low: np.ndarray
    violated_high: np.ndarray
    efficient_in_sample: np.ndarray
    efficient_realised: np.ndarray


def non_dominated(cost: np.ndarray, violated: np.ndarray, tolerance: float = 1e-6) -> np.ndarray:
    """[M] bool: points that no other one beats in cost and violations, both to be small.

    Costs closer than `tolerance`, relative, count as equal, and so do those that others connect in
    such steps: solvers find the same plan again with another last digit. Of equal points the first
    is kept.
    """
    points = np.column_stack([_levels(np.asarray(cost, np.float64), tolerance), violated])
    different, first = np.unique(points, axis=0, return_index=True)
    kept = np.zeros(len(points), bool)
    kept[first] = efficient(different)
    return kept


def _levels(cost: np.ndarray, tolerance: float) -> np.ndarray:
    """Ranks of costs, the same one for costs that differ by no more than rounding."""
    order = np.argsort(cost, kind="stable")
    ascending = cost[order]
    ranks = np.zeros(len(cost), int)
    ranks[order[1:]] = np.cumsum(np.diff(ascending) > tolerance * np.abs(ascending[:-1]))
    return ranks


def front(
    instance: Instance,
    plans: Sequence[tuple[float, Allocation]],
    key: Array,
    *,
    options: Options = CORRECTED,
    distribution: Distribution | str = Distribution.UNIFORM,
    inflation: float = 1.0,
    samples: int = 5000,
) -> Front:
    """Judge plans (gamma of delay and error, allocation) of one profile by the same draws.

    Plans of a published profile are judged as the corrected one would, which counts nominal delay.
    Raises InputError as `lpo.allocate.validate.stress.stress` does.
    """
    plans = sorted(plans, key=lambda plan: plan[0])
    policies = [
        Policy(f"gamma {gamma:g}", allocation, options, budget(gamma, gamma))
        for gamma, allocation in plans
    ]
    tested = stress(
        instance,
        policies,
        key,
        samples=samples,
        distributions=(distribution,),
        inflations=(inflation,),
        truth=CORRECTED if options.published else options,
    )
    violated, realised = tested.violated[:, 0, 0], tested.total_usd[:, 0, 0]
    low, high = wilson(violated, samples)
    return Front(
        np.array([gamma for gamma, _ in plans]),
        tested.in_sample_usd,
        realised,
        violated,
        low,
        high,
        non_dominated(tested.in_sample_usd, violated),
        non_dominated(realised, violated),
    )
