"""Changes of one pair's replicas, and what they must cost at least. docs/allocate_heuristic.md."""

from typing import NamedTuple

import numpy as np

from lpo.allocate.heuristic.routing_table import RoutingTable


class Moves(NamedTuple):
    """M ways to change the replicas of one pair.

    pair [M]; change [M, C] of the replicas; gives_up [M] bool, some replica is given up.
    """

    pair: np.ndarray
    change: np.ndarray
    gives_up: np.ndarray


def pair_moves(table: RoutingTable, replicas: np.ndarray, most: int) -> Moves:
    """Return the moves from replicas [C]: open a pair, close it, change its degree or its number.

    An open pair changes to any degree with one replica, about half as many GPUs, or about as many
    and a replica more or less. most: replicas of a deployment.
    """
    C = len(replicas)
    active = np.flatnonzero(replicas)
    open_pairs = np.zeros(table.pair.max(initial=-1) + 1, bool)
    open_pairs[table.pair[active]] = True
    usable = np.any(table.most > 0.0, axis=0)
    new = np.flatnonzero(usable & ~open_pairs[table.pair])
    changes = [np.eye(C)[new]]
    for a in active:
        own = np.flatnonzero(usable & (table.pair == table.pair[a]))
        equal = replicas[a] * table.gpus[a] / table.gpus[own]  # replicas with as many GPUs
        numbers = np.stack([equal - 1, equal, equal + 1, equal / 2, np.ones(len(own))])
        numbers = np.clip([np.floor(numbers), np.ceil(numbers)], 1, most).reshape(-1, len(own))
        deployment, number = np.divmod(
            np.unique(np.arange(len(own)) * (most + 1) + numbers), most + 1
        )
        target = np.zeros((len(number) + 1, C))  # the first closes the pair
        target[np.arange(len(number)) + 1, own[deployment.astype(np.int64)]] = number
        target[:, a] -= replicas[a]
        changes.append(target[np.any(target != 0.0, axis=1)])
    change = np.concatenate(changes)
    pair = table.pair[np.argmax(change != 0.0, axis=1)]
    return Moves(pair, change, np.any(change < 0.0, axis=1))


class LowerBounds:
    """Linear functions of the replicas [C] that their cost is never below (Benders cuts)."""

    def __init__(self, deployments: int, keep: int):
        self._keep = keep
        self._slope, self._constant = np.empty((0, deployments)), np.empty(0)

    def add(self, replicas: np.ndarray, usd: float, prices: np.ndarray) -> None:
        """Add usd + prices [C] times (others - replicas); the oldest goes when there are many."""
        self._slope = np.concatenate([self._slope, prices[None]])[-self._keep :]
        constant = usd - prices @ replicas
        self._constant = np.append(self._constant, constant)[-self._keep :]

    def combined(
        self, replicas: np.ndarray, *kinds: np.ndarray, latest: bool = False
    ) -> np.ndarray:
        """What replicas [C] with a change of each kind, [M_1, C] and so on, cost at least.

        Returns [M_1, ...]; with `latest` by the function that was added last alone.
        """
        first = -1 if latest else 0
        shape = tuple(len(kind) for kind in kinds)
        least = np.full(shape, -np.inf)
        for slope, constant in zip(self._slope[first:], self._constant[first:], strict=True):
            usd = np.full((), constant + slope @ replicas)
            for kind in kinds:
                usd = usd[..., None] + kind @ slope
            np.maximum(least, usd, out=least)
        return least
