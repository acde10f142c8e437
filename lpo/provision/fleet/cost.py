"""What a fleet costs once the demand is known."""

from typing import NamedTuple

from lpo.provision.arrays import Array, namespace
from lpo.provision.fleet.dispatch import Dispatch, dispatch
from lpo.provision.fleet.parameters import Fleet, services


class FleetCost(NamedTuple):
    """Cost of a fleet over a horizon, each [...], in dollars, and two more figures.

    rent: replicas, used or not. energy: tokens served. startup: replicas started. unserved: tokens
    not served. total: the sum of the four. unserved_share: unserved tokens / demanded tokens, 0
    without demand. gpus: GPUs, mean over the slots.
    """

    rent: Array
    energy: Array
    startup: Array
    unserved: Array
    total: Array
    unserved_share: Array
    gpus: Array


def fleet_cost(
    fleet: Fleet, n: Array, demand: Array, *, dispatched: Dispatch | None = None
) -> FleetCost:
    """Return the cost of the fleet `n` at the realised `demand`.

    n: [..., H, K] replicas, whole or not; demand: [..., H] tokens, or [..., I, H] for services.
    Started replicas are (n[t] - n[t-1])_+, with n[-1] = fleet.initial. dispatched: the second
    stage, None for the cheapest of one service (`dispatch`); several services need theirs
    (`dispatch_services`). NumPy or JAX, then differentiable.
    """
    xp = namespace(n, demand, *fleet)
    if dispatched is None:
        if services(fleet) is not None:
            raise TypeError("several services need `dispatched`, from `dispatch_services`.")
        dispatched = dispatch(fleet, n, demand)
    # Sums over everything but the leading axes: slots, configurations and services.
    by_service = 0 if services(fleet) is None else 1
    slots, cells = (-1, -2)[: 1 + by_service], (-1, -2, -3)[: 2 + by_service]
    energy, unserved = xp.asarray(fleet.energy), xp.asarray(fleet.unserved)
    if by_service:
        energy, unserved = energy[:, None, :], unserved[:, None]

    # The slot before the first, repeated over the leading axes.
    before = xp.broadcast_to(xp.asarray(fleet.initial), (*n.shape[:-2], 1, n.shape[-1]))
    started = xp.maximum(n - xp.concatenate([before, n[..., :-1, :]], axis=-2), 0.0)
    rent = xp.sum(n * fleet.price, axis=(-2, -1))
    starting = xp.sum(started * fleet.startup, axis=(-2, -1))
    serving = xp.sum(dispatched.served * energy, axis=cells)
    missing = xp.sum(dispatched.unserved * unserved, axis=slots)
    lost, wanted = xp.sum(dispatched.unserved, axis=slots), xp.sum(demand, axis=slots)
    share = xp.where(wanted > 0, lost / xp.where(wanted > 0, wanted, 1.0), 0.0)
    gpus = xp.mean(xp.sum(n * fleet.gpus, axis=-1), axis=-1)
    total = rent + serving + starting + missing
    # A fleet and several demands: the first stage is the same for all of them.
    rent, starting, gpus = (xp.broadcast_to(x, total.shape) for x in (rent, starting, gpus))
    return FleetCost(rent, serving, starting, missing, total, share, gpus)
