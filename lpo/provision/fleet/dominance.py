"""Configurations that others replace at no more cost: docs/milp.md."""

import math
from collections.abc import Mapping
from itertools import combinations_with_replacement

import numpy as np

from lpo.provision.fleet.parameters import Fleet

MIXTURES = 4000  # of one size, tried as replacements of one configuration


def replacements(fleet: Fleet) -> dict[int, np.ndarray]:
    """Return the configurations that nobody needs to start, and what replaces a replica of each.

    Keys are configurations; values [K] say how many replicas of which others replace one. A
    replica of k that is started and runs for a slot or more is replaced without extra cost by
    replicas m of others, without limits, when

        capacity m >= capacity_k,   price m + rise <= price_k,
        (price + startup) m + rise <= price_k + startup_k,

    with rise = capacity_k (largest energy in m - energy_k)_+, what moving its tokens can cost in a
    slot. So some cheapest fleet starts none of these configurations, and those in the values are
    none of them: a configuration that is replaced serves no more as a replacement. Tried are any
    number of one configuration, and mixtures of two to four replicas of a size that has at most
    MIXTURES of them. Initial replicas of a key that are not whole would pay for a start in part, so
    such a key is left out.
    """
    K = len(fleet.price)
    kept = list(range(K))
    found: dict[int, np.ndarray] = {}
    for k in np.argsort(-fleet.price / fleet.capacity, kind="stable"):
        others = [j for j in kept if j != k and np.isinf(fleet.limit[j])]
        if fleet.initial[k] % 1.0 or not others:
            continue
        sizes = [z for z in range(2, 5) if math.comb(len(others) + z - 1, z) <= MIXTURES]
        mixtures = [
            np.bincount(choice, minlength=K)
            for size in sizes
            for choice in combinations_with_replacement(others, size)
        ]
        for j in others:
            alone = np.zeros(K, np.int64)
            alone[j] = np.ceil(fleet.capacity[k] / fleet.capacity[j])
            mixtures.append(alone)
        m = np.stack(mixtures)
        dearest = np.where(m > 0, fleet.energy, -np.inf).max(axis=1)
        rise = fleet.capacity[k] * np.maximum(dearest - fleet.energy[k], 0.0)
        price, start = m @ fleet.price, m @ fleet.startup
        fits = (
            (m @ fleet.capacity >= fleet.capacity[k])
            & (price + rise <= fleet.price[k])
            & (price + start + rise <= fleet.price[k] + fleet.startup[k])
        )
        if fits.any():
            cost = np.where(fits, price + rise, np.inf)
            found[int(k)] = m[cost.argmin()]
            kept.remove(int(k))
    # An early replacement may be by one that was replaced itself later.
    for k in reversed(list(found)):
        for j in [j for j in found if found[k][j] > 0]:
            found[k] = found[k] + found[k][j] * (found[j] - np.eye(K, dtype=np.int64)[j])
    return found


def replace(
    fleet: Fleet, n: np.ndarray, instead: Mapping[int, np.ndarray] | None = None
) -> np.ndarray:
    """Return the fleet n [H, K] with `replacements` for every replica that it starts of them.

    Replicas that run from the beginning stay until they are dropped. It costs no more than n.
    instead: the fleet's `replacements`, where they are known already.
    """
    changed = np.array(n, np.float64)
    found = replacements(fleet) if instead is None else instead
    for k, mixture in found.items():
        inherited = np.minimum.accumulate(np.minimum(changed[:, k], fleet.initial[k]))
        started = changed[:, k] - inherited
        changed += started[:, None] * mixture
        changed[:, k] = inherited
    return changed
