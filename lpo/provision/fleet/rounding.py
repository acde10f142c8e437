"""Whole replicas from a fractional fleet: the best simple rounding, improved by paths of changes.

A change adds a replica of one configuration in a slot, drops one, or replaces one by another. The
search takes the best sequence of changes, one (or none) a slot, out of all (changes)^H of them: by
dynamic programming over the slots, because a start-up ties each slot to the one before it only.
It ends where no sequence makes the fleet cheaper. docs/milp.md.
"""

import numpy as np

from lpo.errors import InputError
from lpo.provision.fleet.cost import fleet_cost
from lpo.provision.fleet.dispatch import dispatch
from lpo.provision.fleet.dominance import replace, replacements
from lpo.provision.fleet.parameters import Fleet

_WHOLE = 1e-6  # a replica count within this of a whole number is that number


def round_fleet(
    fleet: Fleet,
    n: np.ndarray,
    demand: np.ndarray,
    *,
    initial: np.ndarray | None = None,
    sweeps: int = 20,
) -> np.ndarray:
    """Return whole replicas [..., H, K] for the fractional fleet `n`, at the demand planned for.

    n: [..., H, K] replicas, demand: [..., H] tokens; initial: [..., K] replicas before the first
    slot, None for the fleet's. Leading axes broadcast. No dearer than `n` rounded down, up or to
    the nearest, each cut to the limits, whichever is the cheapest. `sweeps` searches at most follow
    from each of the three, none with 0, after `replace`. Deterministic, float64.
    Raises InputError on shapes that do not agree, several services, and numbers that are negative
    or not finite.
    """
    n, demand = np.asarray(n, np.float64), np.asarray(demand, np.float64)
    before = np.asarray(fleet.initial if initial is None else initial, np.float64)
    lead, H, K = _shapes(fleet, n, demand, before)
    flat = np.broadcast_to(n, (*lead, H, K)).reshape(-1, H, K)
    wanted = np.broadcast_to(demand, (*lead, H)).reshape(-1, H)
    running = np.broadcast_to(before, (*lead, K)).reshape(-1, K)
    most = np.floor(fleet.limit + _WHOLE)
    simple = [np.floor(flat + _WHOLE), np.rint(flat), np.ceil(flat - _WHOLE)]
    starts = np.minimum(np.stack(simple), most)

    best = np.zeros_like(flat)
    known: dict[bytes, dict[int, np.ndarray]] = {}
    for row in range(len(flat)):
        mine = fleet._replace(initial=running[row])
        # They depend on the initial replicas by which of them are whole alone.
        key = (running[row] % 1.0 > 0.0).tobytes()
        if key not in known:
            known[key] = replacements(mine)
        least = np.inf
        for start in starts[:, row]:
            found = _improved(mine, start, wanted[row], known[key], sweeps) if sweeps else start
            cost = float(fleet_cost(mine, found, wanted[row]).total)
            if cost < least:
                best[row], least = found, cost
    return best.reshape(*lead, H, K)


def _improved(
    fleet: Fleet,
    n: np.ndarray,
    demand: np.ndarray,
    instead: dict[int, np.ndarray],
    sweeps: int,
) -> np.ndarray:
    """Take the best sequence of changes until there is none that helps. n: [H, K]."""
    n = replace(fleet, n, instead)
    K = n.shape[1]
    # What is never worth starting is left out; what of it runs may still be dropped.
    useful = [k for k in range(K) if k not in instead or n[:, k].any()]
    changes = _changes(len(useful)) @ np.eye(K)[useful]
    for _ in range(sweeps):
        path, gain = _best_path(fleet, n, demand, changes)
        if gain <= 1e-12 * float(demand.sum() * fleet.unserved):  # rounding, not a gain
            break
        n = n + changes[path]
    return n


def _changes(configurations: int) -> np.ndarray:
    """[M, K]: nothing, one more, one less, one instead of another."""
    unit = np.eye(configurations)
    swaps = [
        unit[k] - unit[j] for k in range(configurations) for j in range(configurations) if k != j
    ]
    return np.concatenate([np.zeros((1, configurations)), unit, -unit, *(s[None] for s in swaps)])


def _best_path(
    fleet: Fleet, n: np.ndarray, demand: np.ndarray, changes: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the change of each slot [H] on the cheapest path, and what it saves."""
    H, M = len(n), len(changes)
    changed = n[:, None] + changes  # [H, M, K]
    served = dispatch(fleet, np.maximum(changed, 0.0), demand[:, None])
    slot = changed @ fleet.price + served.served @ fleet.energy + served.unserved * fleet.unserved
    slot[((changed < 0) | (changed > fleet.limit)).any(axis=-1)] = np.inf

    cost = slot[0] + np.maximum(changed[0] - fleet.initial, 0.0) @ fleet.startup
    unchanged = cost[0]
    came_from = np.zeros((H, M), np.int64)
    for t in range(1, H):
        unchanged += slot[t, 0] + np.maximum(n[t] - n[t - 1], 0.0) @ fleet.startup
        starting = _start_costs(fleet, n[t] - n[t - 1], changes)  # [from, to]
        through = cost[:, None] + starting
        came_from[t] = through.argmin(axis=0)
        cost = through[came_from[t], np.arange(M)] + slot[t]
    path = np.zeros(H, np.int64)
    path[-1] = cost.argmin()
    for t in range(H - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path, float(unchanged - cost.min())


def _start_costs(fleet: Fleet, rise: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """[M, M]: start-up costs between two slots after a change in each, by pairs (from, to)."""
    total = np.zeros((len(changes), len(changes)))
    level = (changes + 1.0).astype(np.int64)  # every entry is -1, 0 or 1
    for k, cost in enumerate(fleet.startup):
        if cost > 0.0:
            table = cost * np.maximum(rise[k] + np.arange(-2, 3), 0.0)  # by change of the rise + 2
            total += table[level[None, :, k] - level[:, None, k] + 2]
    return total


def _shapes(
    fleet: Fleet, n: np.ndarray, demand: np.ndarray, initial: np.ndarray
) -> tuple[tuple[int, ...], int, int]:
    if np.ndim(fleet.capacity) != 1:
        raise InputError("Rounding takes a fleet of one service, got one with an axis of services.")
    K = len(fleet.price)
    fits = n.ndim >= 2 and n.shape[-1] == K and demand.shape[-1:] == n.shape[-2:-1]
    if not fits or initial.shape[-1:] != (K,):
        raise InputError(
            f"Rounding takes [..., H, {K}] replicas, [..., H] tokens and [..., {K}] initial "
            f"replicas, got {n.shape}, {demand.shape} and {initial.shape}."
        )
    for name, array in (("n", n), ("demand", demand), ("initial", initial)):
        if not (np.isfinite(array).all() and (array >= -_WHOLE).all()):
            raise InputError(f"`{name}` must be finite and not negative.")
    try:
        lead = np.broadcast_shapes(n.shape[:-2], demand.shape[:-1], initial.shape[:-1])
    except ValueError:
        raise InputError(
            f"Leading axes must broadcast, got {n.shape[:-2]}, {demand.shape[:-1]} and "
            f"{initial.shape[:-1]}."
        ) from None
    return lead, n.shape[-2], K
