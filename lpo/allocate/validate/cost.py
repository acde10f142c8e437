"""What a plan costs in dollars, from the decisions alone: no solver. docs/allocate.md."""

from typing import NamedTuple

import numpy as np

from lpo.allocate.allocation import Allocation, gpus
from lpo.allocate.instance import Instance, tokens
from lpo.allocate.options import Options, Profile, StorageAccounting
from lpo.allocate.uncertainty import Uncertainty
from lpo.allocate.validate.performance import USED, check_shapes, performance


class Cost(NamedTuple):
    """Parts of the objective, $.

    rental: GPUs over the rental period. storage_model, storage_data: space for weights and for
    queries over the rental period. delay_nominal: delay as expected; delay_robust: what the worst
    case adds. unmet: dropped queries. The last three are for one hour, or for the rental period
    with `horizon_consistent`.
    """

    rental: float
    storage_model: float
    storage_data: float
    delay_nominal: float
    delay_robust: float
    unmet: float


def stored_gb(instance: Instance, allocation: Allocation, options: Options) -> float:
    """Weights that the plan keeps in storage, GB: $\\sum B_j r_{jkn}$, or B_j of every used route.

    Under single placement every query type has a route, so one that is dropped altogether is put
    to the lightest model there is; that matters only where weights are stored by route.
    """
    weights = np.asarray(instance.data.weights_gb, np.float64)
    if options.storage_accounting is StorageAccounting.DEPLOYMENT:
        return float(np.einsum("j,jkn->", weights, allocation.replicas))
    routes = np.any(allocation.share > USED, axis=-1)  # [I, J, K]
    total = np.einsum("j,ijk->", weights, routes)
    active = np.any(allocation.replicas > 0, axis=(1, 2))
    if options.single_placement and np.any(active):
        total += np.sum(~np.any(routes, axis=(1, 2))) * np.min(weights[active])
    return float(total)


def data_gb(instance: Instance, allocation: Allocation, options: Options) -> np.ndarray:
    """Data of the served queries [I], GB (legacy units: the number of MB, taken for GB)."""
    data = instance.data
    served = np.sum(allocation.share, axis=(1, 2, 3))
    scale = 1.0 if options.legacy_units else 1e-3
    return scale * data.data_per_token * tokens(data) * data.arrivals_per_hour * served


def rental_usd(instance: Instance, allocation: Allocation) -> float:
    """Rent of all GPUs over the rental period, $."""
    data = instance.data
    rented = np.sum(gpus(allocation, instance.tensor_parallel), axis=(0, 2))  # [K]
    return float(data.rental_hours * np.sum(data.price_usd_per_hour * rented))


def cost(
    instance: Instance, allocation: Allocation, options: Options, uncertainty: Uncertainty
) -> Cost:
    """Return the cost of a plan with the worst case of `uncertainty` in closed form.

    All parts are filled in every profile, also those that its objective leaves out (`objective`).
    Raises InputError on a plan of other shapes than the instance's.
    """
    check_shapes(instance, allocation)
    data = instance.data
    met = performance(instance, allocation, options, uncertainty)
    hours = float(data.rental_hours) if options.horizon_consistent else 1.0
    per_ms = hours * data.delay_usd_per_ms * data.arrivals_per_hour
    storage = float(data.rental_hours * data.storage_usd_per_gb_hour)
    return Cost(
        rental=rental_usd(instance, allocation),
        storage_model=storage * stored_gb(instance, allocation, options),
        storage_data=storage * float(np.sum(data_gb(instance, allocation, options))),
        delay_nominal=float(np.sum(per_ms * met.delay_ms)),
        delay_robust=float(np.sum(per_ms * met.delay_added_ms)),
        unmet=hours * float(np.sum(data.unmet_usd * data.arrivals_per_hour * allocation.unmet)),
    )


def objective(cost: Cost, options: Options) -> float:
    """What the profile minimises, $: the sum; the published robust one forgets nominal delay."""
    left_out = cost.delay_nominal if options.profile is Profile.REFERENCE else 0.0
    return sum(cost) - left_out
