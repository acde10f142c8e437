"""What placements cost and moves change, against sums over query types one by one."""

import numpy as np
import pytest

from lpo.allocate.heuristic.column_generation import penalty
from lpo.allocate.heuristic.placement import Placement, loads, make_places, single_loads
from lpo.allocate.heuristic.placement_search import recreate, search
from lpo.allocate.heuristic.routing_table import routing_table
from lpo.allocate.instances.generate import generate
from lpo.allocate.model.columns import make_columns
from lpo.allocate.options import make_options
from lpo.allocate.uncertainty import budget

MOST = 2


@pytest.fixture(scope="module")
def table():
    instance = generate("robust", 4, size=(5, 3, 4))
    options = make_options(single_placement=True, replicas=MOST)
    return instance, routing_table(instance, options, budget(1, 1), make_columns(instance))


def by_hand(table, pair_of: np.ndarray) -> float:
    """$ of the cheapest degrees for a placement, type by type."""
    total, pairs = 0.0, np.unique(table.pair)
    for p in np.unique(pair_of[pair_of >= 0]):
        types, best = np.flatnonzero(pair_of == p), np.inf
        for c in np.flatnonzero(table.pair == pairs[p]):
            memory, compute = table.memory[types, c].sum(), table.compute[types, c].sum()
            replicas = max(1, int(np.ceil(max(memory, compute) - 1e-9)))
            if replicas <= MOST and np.all(table.most[types, c] > 0):
                best = min(best, replicas * table.replica_usd[c] + table.usd[types, c].sum())
        total += best
    return total


def test_cost_of_placements_and_of_moves(table):
    instance, table = table
    places = make_places(instance, table, MOST)
    rng, P = np.random.default_rng(0), len(places.slot)
    placement = Placement(places, np.zeros(5))
    for _ in range(60):
        placement.move(rng.permutation(5)[: rng.integers(1, 4)], int(rng.integers(-1, P)))
        assert placement.usd.sum() == pytest.approx(by_hand(table, placement.pair))
    out = np.flatnonzero(placement.pair < 0)
    placement.move(out, 0)
    placement.move(np.array([1, 3]), -1)
    before = placement.pair.copy()
    single = placement.joining(single_loads(places, np.array([1, 3])))
    group = np.zeros((1, 5))
    group[0, [1, 3]] = 1.0
    together = placement.joining(loads(places, group))[0]
    for p in range(P):
        for s, i in enumerate((1, 3)):
            pair = before.copy()
            pair[i] = p
            base = by_hand(table, before)
            if np.isfinite(base):
                assert base + single[s, p] == pytest.approx(by_hand(table, pair))
        pair = before.copy()
        pair[[1, 3]] = p
        if np.isfinite(by_hand(table, before)):
            assert by_hand(table, before) + together[p] == pytest.approx(by_hand(table, pair))


def test_what_types_leave_behind(table):
    instance, table = table
    placement = Placement(make_places(instance, table, MOST), penalty(table))
    recreate(placement, None)
    assert np.all(placement.pair >= 0) and placement.within
    types = np.arange(5)
    saved = placement.leaving(single_loads(placement.places, types), placement.pair)
    for i in types:
        pair = placement.pair.copy()
        pair[i] = -1
        rest = by_hand(table, pair)
        assert placement.cost - saved[i] == pytest.approx(rest)


def test_search_never_ends_worse_and_keeps_the_limits(table):
    instance, table = table
    data = instance.data._replace(tier_limit=np.array([4.0, 4.0, 8.0, 8.0]))
    places = make_places(instance._replace(data=data), table, MOST)
    start = Placement(places, 30 * penalty(table))
    recreate(start, None)
    best, _ = search(start, 100, np.inf, np.random.default_rng(0))
    assert best.within and best.cost <= start.cost
    served = best.usd.sum()
    assert served == pytest.approx(by_hand(table, best.pair))
