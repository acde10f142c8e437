"""The linear relaxation with few of its routes and rows. docs/allocate_heuristic.md."""

from time import perf_counter
from typing import NamedTuple

import numpy as np

from lpo.allocate.heuristic.lagrangian import price_out
from lpo.allocate.heuristic.routing_table import RoutingTable
from lpo.allocate.heuristic.share_program import Prices, ShareProgram, Shares
from lpo.allocate.heuristic.worst_cuts import Cut, violated_cuts
from lpo.allocate.instance import Instance
from lpo.allocate.options import Options


class Relaxed(NamedTuple):
    """bound: no plan costs less, $; infinite when there is none.

    complete: whether the bound is the value of the relaxation. shares, prices: of the last program,
    None when not even the first was solved. reduced [I, C]: as in `Priced`. has [I, C]: routes of
    the program. cuts: of worst cases. rounds: programs solved.
    """

    bound: float
    complete: bool
    shares: Shares | None
    prices: Prices | None
    reduced: np.ndarray
    has: np.ndarray
    cuts: tuple[Cut, ...]
    rounds: int


_FIRST, _FURTHER = 8, 4  # routes a type in the first program, and added after each
_TOLERANCE = 1e-7  # of shares, and of the value
_DEARER, _RAISES = 30.0, 4  # factor on the penalty for what nobody serves, and how often


def relax(
    instance: Instance,
    table: RoutingTable,
    options: Options,
    *,
    links: bool,
    deadline: float,
    routes: np.ndarray | None = None,
    cuts: tuple[Cut, ...] = (),
) -> Relaxed:
    """Solve the relaxation by column and row generation.

    A program of few routes is solved; its prices show which routes it misses, and give a bound that
    holds whether or not it misses some (Lübbecke and Desrosiers, "Selected topics in column
    generation", 2005). Worst cases and, with `links`, rows share <= most replicas are added where
    they are violated. deadline: of `perf_counter`; the best bound until then is returned. routes
    [I, C], cuts: to begin with.
    """
    C = table.most.shape[1]
    program = ShareProgram(instance, table, penalty(table), options.replicas if links else None)
    program.add_routes(first_routes(table) if routes is None else routes)
    program.add_cuts(list(cuts))
    nothing, most = np.zeros(C), np.full(C, float(options.replicas))
    bound, rounds, raises, complete = -np.inf, 0, 0, False
    shares = prices = None
    reduced, dearest = np.full(table.most.shape, np.inf), dearest_plan(instance, table)
    while not complete and perf_counter() < deadline:
        program.set_replicas(nothing, most)
        if not program.solve(deadline):
            break
        shares, prices = program.shares(), program.prices()
        rounds += 1
        priced = price_out(instance, table, program.cuts, prices, options.replicas, links=links)
        reduced, bound = priced.reduced, max(bound, priced.bound)
        if bound > dearest:
            bound, complete = np.inf, True
            break
        changes = 0
        if shares.usd - priced.bound > _TOLERANCE * abs(shares.usd):
            missed = reduced < -_TOLERANCE
            if links:
                # A deployment whose best use is one route can be missed at a reduced cost of 0.
                missed = (reduced <= _TOLERANCE) & (priced.replica < -_TOLERANCE)
            order = np.broadcast_to(priced.replica, missed.shape) if links else reduced
            wanted = np.where(missed & ~program.has, order, np.inf)
            changes += program.add_routes(lowest(wanted, _FURTHER))
        if links:
            over = shares.share > table.most * shares.replicas + _TOLERANCE
            changes += program.add_links(over)
        found = violated_cuts(table, shares.share, shares.worst, _TOLERANCE)
        program.add_cuts(found)
        complete = changes + len(found) == 0
        if complete and shares.unserved > _TOLERANCE and raises < _RAISES:
            raises, complete = raises + 1, False
            program.set_penalty(_DEARER**raises * penalty(table))
    return Relaxed(
        bound, complete, shares, prices, reduced, program.has, tuple(program.cuts), rounds
    )


def penalty(table: RoutingTable) -> np.ndarray:
    """[I] $ for serving nothing of a type: more than a route and two of the dearest replicas."""
    usd = np.where(table.most > 0.0, table.usd, 0.0).max(axis=1, initial=0.0)
    return 2.0 * table.replica_usd.max(initial=0.0) + usd + table.unmet_usd


def dearest_plan(instance: Instance, table: RoutingTable) -> float:
    """What no plan costs more than: the budget, all delays at their limits, all dropped demand."""
    unmet = np.sum(table.unmet_usd * table.unmet_cap)
    return float(instance.data.budget_usd + np.sum(table.limit_usd) + unmet) * (1.0 + 1e-6)


def first_routes(table: RoutingTable) -> np.ndarray:
    """[I, C] bool: the cheapest routes of each type, with rent by load, and the careful ones."""
    load = np.maximum(table.memory, table.compute)
    usd = np.where(table.most > 0.0, table.usd + load * table.replica_usd, np.inf)
    alone = np.all(table.level + table.kept[:, None] * table.risk <= 1.0, axis=0)
    return lowest(usd, _FIRST) | lowest(np.where(alone, usd, np.inf), _FIRST)


def lowest(values: np.ndarray, count: int) -> np.ndarray:
    """[I, C] bool: the `count` lowest finite entries of each row."""
    which = np.zeros(values.shape, bool)
    count = min(count, values.shape[1])
    if count:
        columns = np.argpartition(values, count - 1, axis=1)[:, :count]
        np.put_along_axis(which, columns, True, axis=1)
    return which & np.isfinite(values)
