"""From any numbers to whole replicas that cover the demand. docs/l2o_warm_starts.md, "Repair"."""

import numpy as np

from lpo.provision import Fleet, round_fleet


def covering_fleet(fleet: Fleet, n: np.ndarray, demand: np.ndarray) -> np.ndarray:
    """Return replicas [..., H, K], fractional, near `n`, which may be anything, NaN too.

    Each is put between none and what serves the largest demand [..., H] alone, or the limit. What
    is not served is covered by the configurations whose tokens cost least on busy replicas; those
    whose tokens cost more than unserved ones add nothing. All is served unless limits forbid it.
    """
    demand = np.asarray(demand, np.float64)
    peak = demand.max(-1)[..., None, None] / fleet.capacity
    most = np.minimum(np.ceil(peak), np.floor(fleet.limit))
    n = np.clip(np.nan_to_num(np.asarray(n, np.float64), nan=0.0), 0.0, most)
    useful = np.asarray(fleet.energy) <= fleet.unserved
    short = np.maximum(demand - n @ np.where(useful, fleet.capacity, 0.0), 0.0)
    for k in np.argsort(fleet.price / fleet.capacity + fleet.energy, kind="stable"):
        if useful[k]:
            more = np.minimum(short / fleet.capacity[k], most[..., k] - n[..., k])
            n[..., k] += more
            short = np.maximum(short - more * fleet.capacity[k], 0.0)
    return n


def whole_fleet(fleet: Fleet, n: np.ndarray, demand: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """Return whole replicas [..., H, K] near `n`: `covering_fleet`, then `round_fleet`.

    No dearer than the covering fleet rounded up, so that demand is left only where serving it costs
    more, or limits forbid it. initial: [..., K] replicas before the first slot.
    """
    return round_fleet(fleet, covering_fleet(fleet, n, demand), demand, initial=initial)
