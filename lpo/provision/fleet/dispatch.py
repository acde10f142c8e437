"""Second stage of one service: which replicas serve the demand, in closed form."""

from typing import NamedTuple

from lpo.provision.arrays import Array, namespace
from lpo.provision.fleet.parameters import Fleet


class Dispatch(NamedTuple):
    """served: [..., H, K] tokens of each configuration. unserved: [..., H] tokens."""

    served: Array
    unserved: Array


def dispatch(fleet: Fleet, n: Array, demand: Array) -> Dispatch:
    """Return the cheapest way to serve `demand` with the fleet `n`, slot by slot.

    n: [..., H, K] replicas, demand: [..., H] tokens, both >= 0; leading axes broadcast. The program
    min sum(energy q) + unserved u over 0 <= q <= capacity n, u >= 0, sum_k q + u = demand is a
    continuous knapsack: configurations fill in the order of their energy price, as far as the
    demand goes, and those dearer than an unserved token stay idle. Equal prices go in the order of
    the configurations. NumPy float64, or JAX and then differentiable; at a kink (demand at the edge
    of a configuration) the gradient is between the one-sided ones.
    """
    xp = namespace(n, demand, *fleet)
    energy = xp.asarray(fleet.energy)
    order = xp.argsort(energy, stable=True)
    most = xp.where(energy <= fleet.unserved, n * fleet.capacity, 0.0)[..., order]
    through = xp.cumsum(most, axis=-1)
    left = xp.asarray(demand)[..., None] - (through - most)
    filled = xp.minimum(xp.maximum(left, 0.0), most)
    unserved = xp.maximum(demand - through[..., -1], 0.0)
    return Dispatch(filled[..., xp.argsort(order)], unserved)
