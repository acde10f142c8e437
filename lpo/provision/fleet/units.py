"""Units in which the numbers of any fleet problem are of order one."""

from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.provision.fleet.parameters import Fleet


class Units(NamedTuple):
    """tokens, usd, replicas: how many tokens, dollars and replicas make one unit of each."""

    tokens: float
    usd: float
    replicas: float


def normalise(fleet: Fleet, *, demand: float | None = None) -> tuple[Fleet, Units]:
    """Return the same fleet in units with mean capacity 10 and mean price 1, and the units.

    demand: typical tokens a slot, which the units then make 50, so that about five replicas serve
    it; None leaves replicas as they are. The ridges of the relaxation are squares: what they change
    depends on the units, and in these it is the same for a small and a large service (docs/
    fleet.md). Problems in both units have the same solutions, up to the units. Raises InputError
    when `demand` is not positive and finite, or every price is 0.
    """
    mean = float(np.mean(fleet.capacity[fleet.capacity > 0]))
    if demand is not None and not 0.0 < demand < np.inf:
        raise InputError(f"`demand` must be positive and finite, got {demand}.")
    replicas = 1.0 if demand is None else demand / (5.0 * mean)
    tokens, usd = mean * replicas / 10.0, float(np.mean(fleet.price)) * replicas
    if usd == 0.0:
        raise InputError("`price` must not be 0 for every configuration.")
    scaled = fleet._replace(
        capacity=fleet.capacity * (replicas / tokens),
        price=fleet.price * (replicas / usd),
        energy=fleet.energy * (tokens / usd),
        startup=fleet.startup * (replicas / usd),
        initial=fleet.initial / replicas,
        unserved=fleet.unserved * (tokens / usd),
        limit=fleet.limit / replicas,
        gpus=fleet.gpus * replicas,
    )
    return scaled, Units(tokens, usd, replicas)
