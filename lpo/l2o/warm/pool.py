"""Whole allocation plans on the few pairs that past relaxations used. docs/l2o_warm_starts.md.

A pair is a model on a GPU tier. Its level is 0 where nothing is rented, else l for the l-th degree
of tensor parallelism that its weights fit at.
"""

from time import perf_counter
from typing import NamedTuple

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.heuristic.column_generation import penalty
from lpo.allocate.heuristic.routing_table import RoutingTable, routing_table
from lpo.allocate.heuristic.share_program import ShareProgram
from lpo.allocate.instance import Instance
from lpo.allocate.model.columns import Columns, make_columns
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.errors import InputError
from lpo.l2o.warm.rounding import Levels, levels_by_value

_DEARER = 100.0  # factor on the penalty for what nobody serves
_SECONDS = 60.0  # of one program of shares, which takes milliseconds
_NOTHING = 1e-9
_LEAST = 0.02  # of a deployment: less is noise of a prediction
_FULL = 0.95  # of a deployment: a predicted fraction is seldom exact


class Pool(NamedTuple):
    """Pairs [P] of one shape of instances. model, tier: [P]. most: [P], highest levels.

    columns: all degrees of the pairs, all routes to them. slot: [P, N], the deployment of each
    level from 1, -1 above `most`.
    """

    options: Options
    uncertainty: Uncertainty
    model: np.ndarray
    tier: np.ndarray
    most: np.ndarray
    columns: Columns
    slot: np.ndarray


class WholePlan(NamedTuple):
    """allocation: None where the levels leave demand that must be served. usd: with a penalty for
    what is not served. levels: [P]. asked: programs of shares that were solved."""

    allocation: Allocation | None
    usd: float
    levels: np.ndarray
    asked: int


def make_pool(
    instance: Instance, options: Options, uncertainty: Uncertainty, pairs: np.ndarray
) -> Pool:
    """Return the pool of pairs [J, K] bool.

    Raises InputError on no pairs, several replicas of a deployment, and what the heuristic of
    `lpo.allocate` does not take; worst cases count as the box, which is never less careful.
    """
    if options.replicas > 1 or options.single_placement:
        raise InputError("A pool takes one replica of a deployment and shares that may split.")
    _, J, K, N = instance.shape
    if pairs.shape != (J, K) or not pairs.any():
        raise InputError(f"`pairs` must be [{J}, {K}] with at least one, got {pairs.shape}.")
    wanted = np.repeat(pairs[..., None], N, axis=2)
    columns = make_columns(instance, deployments=wanted)
    slot = np.full((len(columns.pair_model), N), -1)
    order = np.lexsort((columns.degree, columns.deployment_pair))
    most = np.bincount(columns.deployment_pair, minlength=len(slot))
    rank = np.arange(len(order)) - (np.cumsum(most) - most)[columns.deployment_pair[order]]
    slot[columns.deployment_pair[order], rank] = order
    return Pool(options, uncertainty, columns.pair_model, columns.pair_tier, most, columns, slot)


def levels_of(pool: Pool, allocation: Allocation) -> np.ndarray:
    """Return the levels [P] of an allocation; what is not in the pool is left out."""
    columns = pool.columns
    rented = allocation.replicas[columns.model, columns.tier, columns.degree_index] > 0
    here = (pool.slot >= 0) & rented[pool.slot]
    return np.where(here.any(1), here.argmax(1) + 1, 0)


def levels_for(pool: Pool, fraction: np.ndarray) -> np.ndarray:
    """Return the fewest GPUs of each pair that hold a fraction [P] of its largest deployment."""
    degree = np.where(pool.slot >= 0, pool.columns.degree[pool.slot], 0)
    fits = degree >= _FULL * fraction[:, None] * degree.max(1, keepdims=True)
    level = np.where(fits.any(1), fits.argmax(1) + 1, pool.most)
    return np.where(fraction > _LEAST, level, 0)


def whole_plan(
    pool: Pool,
    instance: Instance,
    first: np.ndarray,
    fraction: np.ndarray,
    *,
    sweeps: int = 4,
    allowed_s: float = np.inf,
) -> WholePlan:
    """Return a plan near levels `first` [P], improved by `levels_by_value`; shares at their best.

    fraction: [P], the order of trials. allowed_s: after these seconds no further change is tried.
    """
    table = routing_table(instance, pool.options, pool.uncertainty, pool.columns, as_box=0.0)
    program = ShareProgram(instance, table, _DEARER * penalty(table))
    program.add_routes(table.most > 0.0)
    clock, known = perf_counter(), {}

    def value(level: np.ndarray) -> float:
        key = level.tobytes()
        if key not in known:
            late = bool(known) and perf_counter() - clock > allowed_s
            known[key] = np.inf if late else _usd(program, pool, level)
        return known[key]

    found: Levels = levels_by_value(fraction, pool.most, value, first=first, sweeps=sweeps)
    _usd(program, pool, found.level)
    return WholePlan(
        _allocation(program, table, pool, instance, found.level), found.usd, found.level, len(known)
    )


def _taken(pool: Pool, level: np.ndarray) -> np.ndarray:
    number = np.zeros(len(pool.columns.degree))
    some = np.flatnonzero(level > 0)
    number[pool.slot[some, level[some] - 1]] = 1.0
    return number


def _usd(program: ShareProgram, pool: Pool, level: np.ndarray) -> float:
    number = _taken(pool, level)
    program.set_replicas(number, number)
    return program.value() if program.solve(perf_counter() + _SECONDS) else np.inf


def _allocation(
    program: ShareProgram, table: RoutingTable, pool: Pool, instance: Instance, level: np.ndarray
) -> Allocation | None:
    if not program.solve(perf_counter() + _SECONDS):
        return None
    shares = program.shares()
    if shares.unserved > 1e-7:
        return None
    place = table.model, table.tier, table.degree_index
    replicas = np.zeros(instance.shape[1:], np.int64)
    replicas[place] = np.rint(_taken(pool, level)).astype(np.int64)
    share = np.zeros(instance.shape)
    share[:, *place] = np.where(shares.share > _NOTHING, shares.share, 0.0)
    unmet = np.where(shares.unmet > _NOTHING, shares.unmet, 0.0)
    whole = share.sum(axis=(1, 2, 3)) + unmet
    return Allocation(replicas, share / whole[:, None, None, None], unmet / whole)
