"""Single placement by ruin and recreate. docs/allocate_heuristic.md."""

from time import perf_counter

import numpy as np

from lpo.allocate.heuristic.placement import Load, Placement, loads, single_loads

_RUINED = 0.15  # largest part of the types that is taken out at random
_LEAST_RUINED = 4
_WORSE = 2.0  # of what one type costs: how much more is gone on from in the first round
_BLINK = 0.05  # of the pairs that a type might go to, how many are overlooked


def search(
    start: Placement, rounds: int, deadline: float, rng: np.random.Generator
) -> tuple[Placement, int]:
    """Return the best placement found, and the rounds done, from `start` on.

    A round takes the types of up to two pairs and some more out of the placement, puts them back by
    largest regret, and moves types and whole pairs while that pays (Schrimpf et al., "Record
    breaking optimization results using the ruin and recreate principle", 2000; the regret of Ropke
    and Pisinger 2006; the blinks of Christiaens and Vanden Berghe 2020). The search goes on from
    what costs little more than the best, and less and less (Dueck, "New optimization heuristics:
    the great deluge and the record-to-record travel", 1993). deadline: of `perf_counter`.
    """
    current = start.copy()
    recreate(current, None)
    descend(current, deadline)
    best, worse = current.copy(), _WORSE / len(start.pair)
    for done in range(rounds):
        if perf_counter() > deadline:
            return best, done
        trial = current.copy()
        _ruin(trial, rng)
        recreate(trial, rng)
        record = best.cost * (1.0 + worse * (1.0 - done / rounds))
        if trial.cost < record:
            descend(trial, deadline)
            current = trial
        if trial.cost < best.cost * (1.0 - 1e-9):
            best = trial.copy()
    return best, rounds


def recreate(placement: Placement, rng: np.random.Generator | None) -> None:
    """Give every type without a pair the one that costs least, largest regret first.

    Regret: what the second cheapest pair costs more. Types that fit nowhere stay out. rng: chooses
    the pairs that are overlooked; None: none.
    """
    out = np.flatnonzero(placement.pair < 0)
    group = single_loads(placement.places, out)
    usd = placement.joining(group)
    if rng is not None:
        usd[rng.random(usd.shape) < _BLINK] = np.inf
    second = min(1, usd.shape[1] - 1)
    while len(out):
        two = np.partition(usd, second, axis=1)
        fits = np.isfinite(two[:, 0])
        if not fits.any():
            return
        with np.errstate(invalid="ignore"):
            regret = np.where(fits, two[:, second] - two[:, 0], -1.0)
        s = int(np.argmax(regret))
        p = int(np.argmin(usd[s]))
        placement.move(out[[s]], p)
        if not placement.within:
            placement.move(out[[s]], -1)
            usd[s, p] = np.inf
            continue
        left = np.arange(len(out)) != s
        out, usd, group = out[left], usd[left], group.groups(left)
        at = slice(p, p + 1)
        usd[:, at] = placement.joining(group.part(at), at)


def descend(placement: Placement, deadline: float) -> None:
    """Move single types, and all types of a pair together, to other pairs while that pays."""
    improved = True
    while improved and perf_counter() < deadline:
        served = np.flatnonzero(placement.pair >= 0)
        active = np.unique(placement.pair[served])
        whole = (placement.pair == active[:, None]).astype(np.float64)
        groups = np.concatenate([np.eye(len(placement.pair))[served], whole])
        parts = single_loads(placement.places, served), loads(placement.places, whole)
        group = Load(
            *(
                np.concatenate(pair, axis=axis)
                for pair, axis in zip(zip(*parts, strict=True), (1, 0, 1, 0), strict=True)
            )
        )
        improved = _move_groups(placement, groups, group)


def _move_groups(placement: Placement, groups: np.ndarray, group: Load) -> bool:
    """Move groups [S, I], each of one pair, in the order of what that saves; whether any was.

    group: their loads [S, P].
    """
    here = placement.pair[groups.argmax(axis=1)]
    change = placement.joining(group)
    change[np.arange(len(groups)), here] = np.inf
    to = np.argmin(change, axis=1)
    change = change.min(axis=1) - placement.leaving(group, here)
    touched, tolerance = set(), -1e-9 * placement.cost
    for s in np.argsort(change, kind="stable"):
        if not change[s] < tolerance:
            break
        pairs = {int(here[s]), int(to[s])}
        if not pairs & touched:
            types = np.flatnonzero(groups[s])
            placement.move(types, int(to[s]))
            if placement.within:
                touched |= pairs
            else:
                placement.move(types, int(here[s]))
    return bool(touched)


def _ruin(placement: Placement, rng: np.random.Generator) -> None:
    """Take out the types of one or two pairs, and some others."""
    I = len(placement.pair)
    active = np.unique(placement.pair[placement.pair >= 0])
    closed = rng.permutation(active)[: rng.integers(0, 3)]
    some = rng.permutation(I)[: rng.integers(1, max(_LEAST_RUINED, int(_RUINED * I)) + 1)]
    out = np.flatnonzero(np.isin(placement.pair, closed) | np.isin(np.arange(I), some))
    placement.move(out[placement.pair[out] >= 0], -1)
