"""A good allocation within seconds, for instances of any size. docs/allocate_heuristic.md."""

from time import perf_counter
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from lpo.allocate.allocation import Allocation
from lpo.allocate.heuristic.best_shares import best_shares
from lpo.allocate.heuristic.column_generation import Relaxed, penalty, relax
from lpo.allocate.heuristic.local_search import LocalSearch
from lpo.allocate.heuristic.placement import Placement, make_places
from lpo.allocate.heuristic.placement_search import search
from lpo.allocate.heuristic.pool import pool_columns, restrict, rounded
from lpo.allocate.heuristic.routing_table import RoutingTable, check_heuristic, routing_table
from lpo.allocate.heuristic.worst_cuts import Cut
from lpo.allocate.instance import Instance
from lpo.allocate.model.columns import Columns, make_columns
from lpo.allocate.model.program import instance_uncertainty
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.allocate.validate.audit import audit
from lpo.allocate.validate.cost import cost, objective
from lpo.errors import InputError
from lpo.optim.outcome import MilpStatus


class Heuristic(NamedTuple):
    """An allocation that was found, and what it costs.

    status: "feasible": every limit is kept, by the audit. "infeasible": a relaxation shows that no
    allocation keeps them. "time_limit": none was found, which proves nothing. allocation,
    objective ($): None without one. seconds: of the whole call. evaluations: replicas, or
    placements, that were valued.
    """

    allocation: Allocation | None
    status: MilpStatus
    objective: float | None
    seconds: float
    evaluations: int


_AS_BOX = 8.0  # deviations; few query types use more routes
# Parts of the time after which the relaxation, the search, and the shares end.
_RELAXED, _SEARCHED, _SHARED = 0.4, 0.8, 0.9
_CAREFULLY = 0.65  # in the place of _SEARCHED where the worst cases of the shares need cuts
_BOXED = 0.6  # of the search, over the box where the budgets' own follows
# Least pairs of the first pool, and of all query types; twice as many while there is no plan.
_PAIRS, _PLACED_PAIRS, _POOLED = 45, 70, 2000
_KICKS = 30  # of a local search
_ROUNDS = 1500  # of a search for placements


def plan_heuristically(
    instance: Instance,
    options: Options = CORRECTED,
    uncertainty: Uncertainty | None = None,
    *,
    seconds: float = 5.0,
    seed: int = 0,
) -> Heuristic:
    """Return a good allocation; its distance from the best one is told by `lower_bound`.

    A relaxation picks the pairs worth a search and where it begins; the search changes replicas
    (`LocalSearch`), or placements where every query type has one deployment
    (`placement_search.search`); the shares are the best for the replicas found. A budget of many
    deviations counts as the box until then, which is more careful.

    **Arguments:**

    - `uncertainty`: budgets or boxes; None for the instance's own budgets.
    - `seconds`: for all. The search ends by itself on small instances; where it does, the same
      arguments give the same allocation.
    - `seed`: of the random changes by which the search goes on from a local optimum.

    Raises InputError for the published profiles, ellipsoids and `seconds` that are not positive.
    """
    if not seconds > 0.0:
        raise InputError(f"`seconds` must be positive, got {seconds}.")
    uncertainty = instance_uncertainty(instance, options, uncertainty)
    check_heuristic(options, uncertainty)
    task = _Task(instance, options, uncertainty, perf_counter(), seconds)
    table, relaxed = _guide(task)
    if relaxed.bound == np.inf:
        return Heuristic(None, MilpStatus.INFEASIBLE, None, perf_counter() - task.clock, 0)
    allocation, evaluations = _search(task, table, relaxed, np.random.default_rng(seed))
    usd = None
    if allocation is not None and audit(instance, allocation, options, uncertainty).ok:
        usd = objective(cost(instance, allocation, options, uncertainty), options)
    status = MilpStatus.TIME_LIMIT if usd is None else MilpStatus.FEASIBLE
    found = None if usd is None else allocation
    return Heuristic(found, status, usd, perf_counter() - task.clock, evaluations)


class _Task(NamedTuple):
    instance: Instance
    options: Options
    uncertainty: Uncertainty
    clock: float
    seconds: float

    def at(self, part: float) -> float:
        """When a part of the time is over, of `perf_counter`."""
        return self.clock + part * self.seconds


def _guide(task: _Task) -> tuple[RoutingTable, Relaxed]:
    """The relaxation over the box, or where that has no plan over the budgets themselves."""
    instance, options, uncertainty, *_ = task
    deadline = task.at(_RELAXED)
    columns = make_columns(instance, largest_degree_only=True)
    table = routing_table(instance, options, uncertainty, columns, as_box=0.0)
    relaxed = relax(instance, table, options, links=False, deadline=deadline)
    exact = routing_table(instance, options, uncertainty, columns)
    if relaxed.bound == np.inf and np.any(np.isfinite(exact.gamma)):
        relaxed = relax(instance, exact, options, links=False, deadline=deadline)
        return exact, relaxed
    return table, relaxed


def _search(
    task: _Task, table: RoutingTable, relaxed: Relaxed, rng: np.random.Generator
) -> tuple[Allocation | None, int]:
    """An allocation from a pool of pairs, larger while there is none in it, and the evaluations."""
    instance, single = task.instance, task.options.single_placement
    if not len(table.pair):  # no model fits any tier: only demand that may be dropped can be
        none, I = np.zeros(instance.shape), instance.shape[0]
        return Allocation(np.zeros(instance.shape[1:], np.int64), none, np.ones(I)), 0
    allocation, evaluations = None, 0
    pairs = max(_PLACED_PAIRS if single else _PAIRS, _POOLED // instance.shape[0])
    while relaxed.shares is not None and allocation is None:
        columns = pool_columns(instance, table, relaxed, pairs)
        found = (_placed if single else _split)(task, table, relaxed, columns, rng)
        allocation, evaluations = found[0], evaluations + found[1]
        if pairs >= len(table.pair) or perf_counter() > task.at(_SEARCHED):
            break
        pairs *= 2
    return allocation, evaluations


def _split(
    task: _Task, whole: RoutingTable, relaxed: Relaxed, columns: Columns, rng: np.random.Generator
) -> tuple[Allocation | None, int]:
    """Replicas by local search, where budgets need cuts over the box first, which does not."""
    instance, options, uncertainty, *_ = task
    sets = [0.0, _AS_BOX] if np.all(np.isinf(whole.gamma)) else [np.inf]
    tables = [
        routing_table(instance, options, uncertainty, columns, as_box=as_box) for as_box in sets
    ]
    careful = np.any(np.isfinite(tables[-1].gamma))
    tables = tables if careful else tables[:1]
    end = task.at(_CAREFULLY if careful else _SEARCHED)
    replicas, evaluations = rounded(tables[0], relaxed, whole, options.replicas), 0
    table, cuts = tables[0], []
    for table in tables:
        last = table is tables[-1]
        until = end if last else _BOXED * end + (1.0 - _BOXED) * perf_counter()
        local = LocalSearch(instance, restrict(table, relaxed, whole), options, until)
        replicas = local.run(local.trim(replicas), _KICKS if last else 0, rng)
        evaluations, cuts = evaluations + local.evaluations, local.binding()
    chosen = np.zeros(instance.shape[1:], np.int64)
    chosen[table.model, table.tier, table.degree_index] = np.rint(replicas)
    return _shares(task, chosen, known=(table, cuts)), evaluations


def _placed(
    task: _Task, whole: RoutingTable, relaxed: Relaxed, columns: Columns, rng: np.random.Generator
) -> tuple[Allocation | None, int]:
    """One deployment for each query type."""
    instance, options, uncertainty, *_ = task
    table = routing_table(instance, options, uncertainty, columns)
    places = make_places(instance, table, options.replicas)
    start = Placement(places, 30.0 * penalty(table))
    with threadpool_limits(1, user_api="blas"):  # for small products more threads only wait
        best, rounds = search(start, _ROUNDS, task.at(_SEARCHED), rng)
    if np.any(best.pair < 0):
        return None, rounds
    pair = np.arange(len(places.slot))
    where = places.slot[pair, best.degree]
    replicas, routes = np.zeros(instance.shape[1:], np.int64), np.zeros(instance.shape, bool)
    used = best.replicas > 0
    place = tuple(part[where] for part in (table.model, table.tier, table.degree_index))
    replicas[tuple(part[used] for part in place)] = np.rint(best.replicas[used])
    routes[(np.arange(len(best.pair)), *(part[best.pair] for part in place))] = True
    return _shares(task, replicas, routes), rounds


def _shares(
    task: _Task,
    replicas: np.ndarray,
    routes: np.ndarray | None = None,
    known: tuple[RoutingTable, list[Cut]] | None = None,
) -> Allocation | None:
    """The best shares; those of the box where the time does not allow for the budgets' own."""
    instance, options, uncertainty, *_ = task
    end = task.at(_SHARED)
    exact = best_shares(instance, replicas, options, uncertainty, end, routes=routes, known=known)
    if exact is not None:
        return exact
    return best_shares(
        instance, replicas, options, uncertainty, end + 60.0, routes=routes, as_box=0.0
    )
