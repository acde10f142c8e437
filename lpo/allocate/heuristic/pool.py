"""Which deployments and routes are worth a search. docs/allocate_heuristic.md."""

import numpy as np

from lpo.allocate.heuristic.column_generation import Relaxed, lowest
from lpo.allocate.heuristic.routing_table import RoutingTable, same_pair
from lpo.allocate.instance import Instance
from lpo.allocate.model.columns import Columns, make_columns

# Least pairs of a pool that a query type may go to, and of all query types together.
_PAIRS, _TOGETHER = 20, 1000


def pool_columns(instance: Instance, table: RoutingTable, relaxed: Relaxed, pairs: int) -> Columns:
    """Return all degrees of the pairs that a solved relaxation used or nearly used.

    table: that of the relaxation, one deployment a pair. pairs: how many; more if it used more.
    """
    assert relaxed.shares is not None
    near = np.where(relaxed.shares.replicas > 0.0, -np.inf, relaxed.reduced.min(axis=0))
    used = int(np.sum(relaxed.shares.replicas > 0.0))
    chosen = np.argsort(near, kind="stable")[: max(pairs, used)]
    keep = np.zeros(instance.shape[1:], bool)
    keep[table.model[chosen], table.tier[chosen]] = True
    return make_columns(instance, deployments=keep)


def restrict(table: RoutingTable, relaxed: Relaxed, whole: RoutingTable) -> RoutingTable:
    """Return the pool's table with only the cheapest pairs of each type allowed.

    whole: the table of the relaxation, which has every pair of the pool.
    """
    at = same_pair(table, whole)
    reduced = np.where(table.most > 0.0, relaxed.reduced[:, at], np.inf)
    pairs, first = np.unique(table.pair, return_index=True)
    near = lowest(relaxed.reduced[:, at[first]], max(_PAIRS, _TOGETHER // len(reduced)))
    allowed = near[:, np.searchsorted(pairs, table.pair)] & np.isfinite(reduced)
    return table._replace(most=np.where(allowed, table.most, 0.0))


def rounded(table: RoutingTable, relaxed: Relaxed, whole: RoutingTable, most: int) -> np.ndarray:
    """[C] replicas of the pool: of each pair used in the relaxation, the fewest GPUs that fit."""
    assert relaxed.shares is not None
    share = relaxed.shares.share[:, same_pair(table, whole)]
    load = np.maximum((table.memory * share).sum(axis=0), (table.compute * share).sum(axis=0))
    number = np.clip(np.ceil(load - 1e-9), 1, most)
    fits = (load <= most * (1.0 + 1e-9)) & np.any(table.most > 0.0, axis=0)
    gpus = np.where(fits, number * table.gpus, np.inf)
    replicas = np.zeros(len(table.pair))
    for pair in np.unique(table.pair[load > 0.0]):
        own = np.flatnonzero(table.pair == pair)
        best = own[np.argmin(gpus[own])]
        if np.isfinite(gpus[best]):
            replicas[best] = number[best]
    return replicas
