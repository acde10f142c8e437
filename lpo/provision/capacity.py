"""Capacity tasks: how a forecast becomes a capacity, and what the capacity costs.

Every function of a task takes tokens per bin, arrays of any broadcastable shapes, NumPy or JAX;
on JAX arrays it is jit-, vmap- and differentiable. Formulas: docs/provision.md.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from lpo.errors import InputError
from lpo.provision.arrays import Array, namespace
from lpo.provision.objective import UtilityParameters, objective, optimal_share


class CapacityTask(NamedTuple):
    """A one-slot decision: choose a capacity before the demand is known.

    decide: forecast -> capacity. cost: (capacity, demand) -> cost in `unit`.
    optimum: demand -> the capacity of least cost at that demand, so
    cost(decide(forecast), demand) >= cost(optimum(demand), demand) for every forecast.
    fractile: the level of demand that the best capacity covers, None where the task has none.
    normalised: regret is divided by the magnitude of the oracle's cost (here a net benefit, below
    zero); where False the cost per demanded token is the score. horizon: slots that a decision
    covers; None as here, where demand has no axis of slots.
    """

    name: str
    decide: Callable[[Array], Array]
    cost: Callable[[Array, Array], Array]
    optimum: Callable[[Array], Array]
    fractile: float | None
    normalised: bool
    unit: str
    horizon: int | None = None


def newsvendor(c_over: float = 1.0, c_under: float = 10.0) -> CapacityTask:
    """Return the newsvendor task: c_over per idle token, c_under per token refused.

    cost(a, c) = c_over max(a - c, 0) + c_under max(c - a, 0). The forecast is the capacity, and
    training it on this cost is quantile regression at c_under / (c_over + c_under)
    (docs/provision.md). Raises InputError unless both prices are positive and finite.
    """
    for name, price in (("c_over", c_over), ("c_under", c_under)):
        if not 0.0 < price < math.inf:
            raise InputError(f"`{name}` must be positive and finite, got {price}.")

    def cost(capacity: Array, demand: Array) -> Array:
        xp = namespace(capacity, demand)
        idle = xp.maximum(capacity - demand, 0.0)
        refused = xp.maximum(demand - capacity, 0.0)
        return c_over * idle + c_under * refused

    return CapacityTask(
        name="newsvendor",
        decide=lambda forecast: forecast,
        cost=cost,
        optimum=lambda demand: demand,
        fractile=c_under / (c_over + c_under),
        normalised=False,
        unit="idle tokens" if c_over == 1.0 else f"1/{c_over:g} idle tokens",
    )


def utility(parameters: UtilityParameters, bin_s: float = 5.0) -> CapacityTask:
    """Return the energy-accuracy task of `parameters` for bins of `bin_s` seconds.

    The decision is a*(c) = clip(rho c, 0, 1) in units of the capacity range, that is, inside the
    range, lo + rho (tokens - lo) tokens. A demand below `lo` is 0 units. The range is stated
    per 5 s and scales with `bin_s`. Raises InputError unless `bin_s` is positive and finite.
    """
    if not 0.0 < bin_s < math.inf:
        raise InputError(f"`bin_s` must be positive and finite, got {bin_s}.")
    lo = parameters.lo_tokens * bin_s / 5.0
    span = parameters.hi_tokens * bin_s / 5.0 - lo
    rho = optimal_share(parameters)

    def to_units(tokens: Array) -> Array:
        return namespace(tokens).maximum((tokens - lo) / span, 0.0)

    def decide(forecast: Array) -> Array:
        return lo + span * namespace(forecast).clip(rho * to_units(forecast), 0.0, 1.0)

    def cost(capacity: Array, demand: Array) -> Array:
        return objective(parameters, to_units(capacity), to_units(demand))

    return CapacityTask(
        name=parameters.name,
        decide=decide,
        cost=cost,
        optimum=decide,
        fractile=None,
        normalised=True,
        unit=f"utility of {span:g} tokens",
    )
