"""Bounds that the local search screens its moves by, against the programs that they stand for."""

from time import perf_counter

import numpy as np

from lpo.allocate.heuristic.column_generation import penalty
from lpo.allocate.heuristic.local_search import LocalSearch
from lpo.allocate.heuristic.moves import LowerBounds, pair_moves
from lpo.allocate.heuristic.routing_table import routing_table
from lpo.allocate.heuristic.share_program import ShareProgram
from lpo.allocate.instances.generate import generate
from lpo.allocate.model.columns import make_columns
from lpo.allocate.options import make_options
from lpo.allocate.uncertainty import budget


def searched(replicas: int):
    instance = generate("robust", 2, size=(3, 3, 4))
    options = make_options(replicas=replicas)
    table = routing_table(instance, options, budget(1.5, 50), make_columns(instance))
    return instance, options, table, perf_counter() + 60.0


def test_no_bound_exceeds_what_other_replicas_cost():
    instance, options, table, deadline = searched(2)
    local, rng = LocalSearch(instance, table, options, deadline), np.random.default_rng(0)
    C = len(table.pair)
    draws = [rng.integers(1, 3, C) * (rng.random(C) < 0.3) * 1.0 for _ in range(60)]
    draws = [each for each in draws if local.within(each)]
    values, served = [], []
    for replicas in draws:
        values.append(local.value(replicas))
        local.value(replicas + np.eye(C)[0], ceiling=0.9 * values[-1])  # stopped early
        shares = local._shares(replicas)
        assert shares is not None
        served.append(shares.unserved < 1e-9)
    bounds = np.array([local._bounds.combined(replicas).item() for replicas in draws])
    # Where nobody serves some demand, it is not at the limits of those that do.
    assert sum(served) > 15
    assert np.all((bounds / values)[served] <= 1.0 + 1e-6)
    fresh = ShareProgram(instance, table, penalty(table))  # the simplex method from the beginning
    fresh.add_routes(table.most > 0.0)
    fresh.add_cuts(local._program.cuts)
    for replicas, value in zip(draws[:5], values, strict=False):
        fresh.set_replicas(replicas, replicas)
        assert fresh.solve(deadline) and np.isclose(fresh.value(), value, rtol=1e-5)


def test_combined_bounds_are_sums_of_changes():
    bounds, rng = LowerBounds(3, keep=2), np.random.default_rng(0)
    slopes, at = rng.normal(size=(3, 3)), rng.normal(size=3)
    for usd, slope in zip((1.0, 2.0, 3.0), slopes, strict=True):
        bounds.add(at, usd, slope)
    first, second, start = rng.normal(size=(4, 3)), rng.normal(size=(5, 3)), rng.normal(size=3)
    got, latest = (bounds.combined(start, first, second, latest=each) for each in (False, True))
    for m in range(4):
        for n in range(5):
            step = start + first[m] + second[n] - at
            kept = [usd + slope @ step for usd, slope in zip((2.0, 3.0), slopes[1:], strict=True)]
            assert np.isclose(got[m, n], max(kept)) and np.isclose(latest[m, n], kept[-1])


def test_moves_change_one_pair_and_keep_one_degree():
    _, options, table, _ = searched(3)
    replicas = np.zeros(len(table.pair))
    replicas[[0, 7]] = 2.0, 1.0
    moves = pair_moves(table, replicas, options.replicas)
    after = replicas + moves.change
    assert np.all((after >= 0) & (after <= 3) & (after == np.rint(after)))
    assert len(np.unique(after, axis=0)) == len(after) and not np.any(np.all(after == replicas, 1))
    for p in np.unique(table.pair):
        assert np.all(np.sum(after[:, table.pair == p] > 0, axis=1) <= 1)
    for change, pair in zip(moves.change, moves.pair, strict=True):
        assert set(table.pair[change != 0]) == {pair}
    assert np.array_equal(moves.gives_up, np.any(moves.change < 0, axis=1))
    for c in np.flatnonzero(table.pair == table.pair[0]):  # every degree, and closing
        assert np.any(after[:, c] > 0)
    assert np.any(np.all(after[:, table.pair == table.pair[0]] == 0, axis=1))
