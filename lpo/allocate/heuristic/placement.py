"""One deployment for each query type: what pairs cost with the types that they serve.

docs/allocate_heuristic.md.
"""

from typing import NamedTuple

import numpy as np

from lpo.allocate.heuristic.routing_table import RoutingTable
from lpo.allocate.instance import Instance

_SLACK = 1e-9  # of a room


class Places(NamedTuple):
    """A routing table by pair and degree [P, N].

    slot: deployment, -1 where the pair has not got the degree. need [3, I, P, N]: memory and
    compute, share of a replica's, and dollars of a type. barred [I, P, N]: 1 where it may not go.
    stored [2, I, P]: $ of the budget and GB that the route takes. replica [3, P, N]: $, GB and GPUs
    of one replica. tier [P]. most: replicas of a deployment. limits: budget, storage; gpus [K].
    """

    slot: np.ndarray
    need: np.ndarray
    barred: np.ndarray
    stored: np.ndarray
    replica: np.ndarray
    tier: np.ndarray
    most: int
    limits: np.ndarray
    gpus: np.ndarray


def make_places(instance: Instance, table: RoutingTable, most: int) -> Places:
    """Return the table by pair and degree; `most`: replicas of a deployment."""
    number = np.unique(table.pair, return_inverse=True)[1]
    slot = np.full((number.max() + 1, len(instance.tensor_parallel)), -1)
    slot[number, table.degree_index] = np.arange(len(number))
    first = np.unique(number, return_index=True)[1]
    data = instance.data
    return Places(
        slot=slot,
        need=np.stack([table.memory, table.compute, table.usd])[:, :, slot],
        barred=((table.most <= 0.0)[:, slot] | (slot < 0)).astype(np.float64),
        stored=np.stack([table.data_usd, table.route_gb])[:, :, first],
        replica=np.stack([table.replica_usd, table.weights_gb, table.gpus])[:, slot],
        tier=table.tier[first],
        most=most,
        limits=np.array([data.budget_usd, data.storage_gb]),
        gpus=np.asarray(data.tier_limit, np.float64),
    )


class Load(NamedTuple):
    """What pairs [..., P] serve, sums over types: need [3, ..., P, N], barred [..., P, N], stored
    [2, ..., P]; and types [..., P], how many."""

    need: np.ndarray
    barred: np.ndarray
    stored: np.ndarray
    types: np.ndarray

    def part(self, pairs: slice) -> "Load":
        """Those of some pairs."""
        need, barred = self.need[..., pairs, :], self.barred[..., pairs, :]
        return Load(need, barred, self.stored[..., pairs], self.types[..., pairs])

    def groups(self, which: np.ndarray) -> "Load":
        """Those of some groups, where the load is one of groups [S, P]."""
        need, stored = self.need[:, which], self.stored[:, which]
        return Load(need, self.barred[which], stored, self.types[which])


def single_loads(places: Places, types: np.ndarray) -> Load:
    """Load [S, P] on every pair of single query types [S]."""
    count = np.ones((len(types), len(places.slot)))
    return Load(places.need[:, types], places.barred[types], places.stored[:, types], count)


def loads(places: Places, groups: np.ndarray) -> Load:
    """Load [S, P] on every pair of groups [S, I] of query types: 1 for its members, else 0."""
    need, barred, stored = (
        np.moveaxis(np.tensordot(groups, values, axes=(1, axis)), 0, axis)
        for values, axis in ((places.need, 1), (places.barred, 0), (places.stored, 1))
    )
    types = np.broadcast_to(groups.sum(axis=1)[:, None], stored.shape[1:])
    return Load(need, barred, stored, types)


def usd_by_degree(
    places: Places, load: Load, pairs: slice | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return usd and replicas [..., P, N] of pairs with as many replicas as the load needs.

    Infinite where the degree cannot serve it, 0 without types.
    """
    number = np.maximum(np.ceil(np.maximum(load.need[0], load.need[1]) - _SLACK), 1.0)
    usd = number * places.replica[0, pairs] + load.need[2]
    usd[(load.barred > 0.5) | (number > places.most)] = np.inf
    usd[load.types < 0.5] = 0.0
    return usd, number


class Placement:
    """Which pair serves each type: pair [I], -1 for none, and the loads and bills that follow."""

    def __init__(self, places: Places, penalty: np.ndarray):
        P, N = places.slot.shape
        self.places, self.penalty = places, penalty
        self.pair = np.full(len(penalty), -1)
        self.load = Load(np.zeros((3, P, N)), np.zeros((P, N)), np.zeros((2, P)), np.zeros(P))
        self.usd, self.degree, self.replicas = np.zeros(P), np.zeros(P, np.int64), np.zeros(P)

    def copy(self) -> "Placement":
        """A placement of its own."""
        other = Placement.__new__(Placement)
        other.places, other.penalty = self.places, self.penalty
        other.pair, other.usd, other.degree, other.replicas = (
            each.copy() for each in (self.pair, self.usd, self.degree, self.replicas)
        )
        other.load = Load(*(each.copy() for each in self.load))
        return other

    @property
    def cost(self) -> float:
        """$ of all pairs, and the penalty of types without one."""
        return float(self.usd.sum() + self.penalty[self.pair < 0].sum())

    @property
    def within(self) -> bool:
        """Whether budget, storage and numbers of GPUs are kept."""
        places, pairs = self.places, np.arange(len(self.usd))
        taken = places.replica[:, pairs, self.degree] * self.replicas
        totals = taken[:2].sum(axis=1) + self.load.stored.sum(axis=1)
        gpus = np.bincount(places.tier, taken[2], len(places.gpus))
        return bool(np.all(totals <= places.limits) and np.all(gpus <= places.gpus))

    def move(self, types: np.ndarray, pair: int) -> None:
        """Let `pair` serve all of `types` [S], -1 for none."""
        changed = {int(p) for p in (*self.pair[types], pair) if p >= 0}
        for i in types.tolist():
            if self.pair[i] >= 0:
                self._add(i, int(self.pair[i]), -1)
            if pair >= 0:
                self._add(i, pair, 1)
        self.pair[types] = pair
        for p in changed:
            at = slice(p, p + 1)
            usd, number = usd_by_degree(self.places, self.load.part(at), at)
            n = int(np.argmin(usd[0]))
            self.usd[p], self.degree[p] = usd[0, n], n
            self.replicas[p] = number[0, n] * (self.load.types[p] > 0.5)

    def joining(self, group: Load, pairs: slice = slice(None)) -> np.ndarray:
        """$ [S, pairs] that loads [S, pairs] of types without a pair add to each pair.

        Infinite where they do not fit the pair. Budget, storage and GPUs are not looked at.
        """
        mine = self.load.part(pairs)
        both = Load(
            group.need + mine.need[:, None],
            group.barred + mine.barred,
            group.stored,
            group.types + mine.types,
        )
        usd = usd_by_degree(self.places, both, pairs)[0].min(axis=-1)
        return np.subtract(usd, self.usd[pairs], out=usd, where=np.isfinite(usd))

    def leaving(self, group: Load, here: np.ndarray) -> np.ndarray:
        """$ [S] that the pairs `here` [S] save without the loads [S, P] of some of their types."""
        s, mine = np.arange(len(here)), self.load
        rest = Load(
            mine.need[:, here] - group.need[:, s, here],
            mine.barred[here] - group.barred[s, here],
            mine.stored[:, here],
            mine.types[here] - group.types[s, here],
        )
        return self.usd[here] - usd_by_degree(self.places, rest, here)[0].min(axis=-1)

    def _add(self, i: int, pair: int, sign: int) -> None:
        places, load = self.places, self.load
        load.types[pair] += sign
        if load.types[pair] == 0:  # leave no rounding behind
            load.need[:, pair], load.barred[pair], load.stored[:, pair] = 0.0, 0, 0.0
            return
        load.need[:, pair] += sign * places.need[:, i, pair]
        load.barred[pair] += sign * places.barred[i, pair]
        load.stored[:, pair] += sign * places.stored[:, i, pair]
