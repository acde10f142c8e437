"""A lower bound on what any allocation costs, whatever its size. docs/allocate_heuristic.md."""

from enum import StrEnum
from time import perf_counter
from typing import NamedTuple

import numpy as np

from lpo.allocate.heuristic.column_generation import Relaxed, relax
from lpo.allocate.heuristic.routing_table import (
    RoutingTable,
    check_heuristic,
    routing_table,
    same_pair,
)
from lpo.allocate.heuristic.worst_cuts import carried, protecting_cuts
from lpo.allocate.instance import Instance
from lpo.allocate.model.columns import Columns, make_columns
from lpo.allocate.model.program import instance_uncertainty
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.errors import InputError


class BoundKind(StrEnum):
    """Where a bound comes from; compares equal to its word.

    relaxation: the linear relaxation. linked: the same with rows share <= most replicas, which is
    higher. lagrangian: prices of either before it was solved to the end. infeasible: no plan keeps
    the limits, so that the bound is infinite.
    """

    RELAXATION = "relaxation"
    LINKED = "linked"
    LAGRANGIAN = "lagrangian"
    INFEASIBLE = "infeasible"


class Bound(NamedTuple):
    """value: no allocation costs less, $; 0 where there was no time for more. seconds: of the whole
    call. notes: what was not done."""

    value: float
    kind: BoundKind
    seconds: float
    notes: tuple[str, ...]


def lower_bound(
    instance: Instance,
    options: Options = CORRECTED,
    uncertainty: Uncertainty | None = None,
    *,
    seconds: float = 60.0,
    links: bool = True,
) -> Bound:
    """Return a bound on the cost of every plan of whole replicas.

    **Arguments:**

    - `uncertainty`: budgets or boxes; None for the instance's own budgets.
    - `seconds`: for all; when they are over, the best bound so far is returned, which is valid.
    - `links`: go on to the relaxation with link rows, which has all degrees and not only the
      largest of every pair.

    Under single placement the routes that cannot serve a type alone are left out; otherwise the
    bound is that of plans that may split.

    Raises InputError for the published profiles, ellipsoids and `seconds` that are not positive.
    """
    if not seconds > 0.0:
        raise InputError(f"`seconds` must be positive, got {seconds}.")
    uncertainty = instance_uncertainty(instance, options, uncertainty)
    check_heuristic(options, uncertainty)
    clock = perf_counter()
    best, kind, complete = 0.0, BoundKind.LAGRANGIAN, True
    relaxed = last = None
    task = _Task(instance, options, uncertainty, clock + seconds)
    for linked in (False, True) if links else (False,):
        columns = make_columns(instance, largest_degree_only=not linked)
        table = routing_table(instance, options, uncertainty, columns)
        if relaxed is None or last is None:
            relaxed = _relax_from_box(task, table, columns)
        else:
            relaxed = _relax_linked(task, table, relaxed, last)
        last, complete = table, relaxed.complete
        if relaxed.bound > best:
            best, kind = relaxed.bound, BoundKind.LAGRANGIAN
            if complete:
                kind = BoundKind.LINKED if linked else BoundKind.RELAXATION
        if np.isinf(best) and best > 0.0:
            kind = BoundKind.INFEASIBLE
        if kind is BoundKind.INFEASIBLE or not complete:
            break
    notes = () if complete else ("The time was up before the last relaxation was solved.",)
    return Bound(float(best), kind, perf_counter() - clock, notes)


def gap(objective: float, bound: float) -> float:
    """(objective - bound) / objective, which a plan of `objective` is at most too dear; 0 for 0."""
    return max(objective - bound, 0.0) / objective if objective > 0.0 else 0.0


class _Task(NamedTuple):
    instance: Instance
    options: Options
    uncertainty: Uncertainty
    deadline: float


def _relax_from_box(task: _Task, table: RoutingTable, columns: Columns) -> Relaxed:
    """Relax the box first: it needs no cuts, and its prices say where a budget matters."""
    instance, options, uncertainty, deadline = task
    boxed = routing_table(instance, options, uncertainty, columns, as_box=0.0)
    first = relax(instance, boxed, options, links=False, deadline=deadline)
    if np.all(np.isinf(table.gamma)) or first.prices is None:
        return first
    usd = first.prices.limit.copy()
    usd[0] += table.limit_usd
    cuts = tuple(protecting_cuts(table, first.reduced, usd))
    return relax(
        instance, table, options, links=False, deadline=deadline, routes=first.has, cuts=cuts
    )


def _relax_linked(
    task: _Task, table: RoutingTable, relaxed: Relaxed, last: RoutingTable
) -> Relaxed:
    """Relax with link rows, from the routes and cuts of a relaxation with one degree a pair."""
    same = same_pair(table, last)
    largest = last.degree_index[same] == table.degree_index
    return relax(
        task.instance,
        table,
        task.options,
        links=True,
        deadline=task.deadline,
        routes=relaxed.has[:, same] & largest,
        cuts=tuple(carried(relaxed.cuts, last, table)),
    )
