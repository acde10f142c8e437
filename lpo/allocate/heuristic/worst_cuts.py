"""Worst cases as linear functions of the shares. docs/allocate_heuristic.md."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from lpo.allocate.heuristic.routing_table import RoutingTable, same_pair


class Cut(NamedTuple):
    """The worst case of a limit (0 delay, 1 error) of a type is >= sum_c xi_c risk_c share_c."""

    place: int
    type: int
    xi: np.ndarray


def worst_cases(table: RoutingTable, place: int, share: np.ndarray) -> tuple[np.ndarray, ...]:
    r"""Worst case [I] of a limit at share [I, C], and the xi [I, C] that attain it.

    $\max \sum_p a_p \xi_p$ over $0 \le \xi_p \le \kappa_p$ and $\sum_p \xi_p \le \Gamma$, with what
    pair p puts at risk $a_p$: the largest first (Bertsimas and Sim, "The price of robustness",
    2004, proposition 1). What is left of the budget goes to the pairs that cost the type least,
    which a better solution may use.
    """
    starts = np.flatnonzero(np.diff(table.pair, prepend=-1))  # deployments of a pair are neighbours
    at_risk = np.add.reduceat(table.risk[place] * share, starts, axis=1)
    load = np.maximum(table.memory, table.compute)
    usd = np.where(table.most > 0.0, table.usd + load * table.replica_usd, np.inf)
    cheapest = np.argsort(np.minimum.reduceat(usd, starts, axis=1), axis=1)
    rank = np.argsort(cheapest, axis=1)
    order = np.lexsort((rank, -at_risk), axis=1)
    kept = np.broadcast_to(table.kept[place, starts], at_risk.shape)
    kept = np.take_along_axis(kept, order, axis=1)
    before = np.cumsum(kept, axis=1) - kept
    taken = np.clip(table.gamma[place] - before, 0.0, kept)
    xi = np.zeros_like(at_risk)
    np.put_along_axis(xi, order, taken, axis=1)
    return np.sum(xi * at_risk, axis=1), xi[:, pair_number(table)]


def carried(cuts: Iterable[Cut], table: RoutingTable, other: RoutingTable) -> list[Cut]:
    """Return cuts of `table` for another one, all pairs of which it has.

    Fewer pairs can make a budget a box, which needs no cuts.
    """
    same, needed = same_pair(other, table), np.isfinite(other.gamma)
    return [cut._replace(xi=cut.xi[same]) for cut in cuts if needed[cut.place]]


def pair_number(table: RoutingTable) -> np.ndarray:
    """[C]: 0, 1, ... of the pairs that have deployments; those of a pair are neighbours."""
    return np.cumsum(np.diff(table.pair, prepend=-1) != 0) - 1


def violated_cuts(
    table: RoutingTable, share: np.ndarray, worst: np.ndarray, tolerance: float
) -> list[Cut]:
    """Return the cut of every worst case above what a program takes it for, worst [2, I]."""
    found = []
    for place in np.flatnonzero(np.isfinite(table.gamma)):
        value, xi = worst_cases(table, int(place), share)
        for i in np.flatnonzero(value > worst[place] + tolerance):
            found.append(Cut(int(place), int(i), xi[i]))
    return found


def protecting_cuts(table: RoutingTable, reduced: np.ndarray, usd: np.ndarray) -> list[Cut]:
    """Return a cut of each worst case that keeps unused routes unattractive.

    reduced [I, C]: what a whole type on a route adds to the bound of the box. usd [2, I]: what a
    worst case as long as the limit costs there. In the box every xi is at its largest; a budget has
    to spend on a pair only what makes up for a negative `reduced` without it. Where its sum is
    enough for all pairs, the bound of the box holds for the budget too.
    """
    starts = np.flatnonzero(np.diff(table.pair, prepend=-1))
    at_stake = usd[:, :, None] * table.kept[:, None] * table.risk
    total = at_stake.sum(axis=0)
    bare = np.where(table.most > 0.0, reduced - total, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.clip(np.where(total > 0.0, -bare / total, 0.0), 0.0, 1.0)
    needed = np.maximum.reduceat(needed, starts, axis=1)
    bare = np.minimum.reduceat(bare, starts, axis=1)
    cuts, number = [], pair_number(table)
    for place in np.flatnonzero(np.isfinite(table.gamma)):
        kept, left = table.kept[place, starts], table.gamma[place]
        for i in range(len(bare)):
            order = np.argsort(bare[i], kind="stable")
            xi = _spend(needed[i] * kept, order, left)
            xi += _spend(kept - xi, order, left - xi.sum())
            cuts.append(Cut(int(place), i, xi[number]))
    return cuts


def _spend(most: np.ndarray, order: np.ndarray, budget: float) -> np.ndarray:
    spent = np.zeros_like(most)
    before = np.cumsum(most[order]) - most[order]
    spent[order] = np.clip(budget - before, 0.0, most[order])
    return spent
