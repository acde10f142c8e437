"""Does a plan keep every limit of its model? From the decisions alone, without a solver."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lpo.allocate.allocation import Allocation, gpus
from lpo.allocate.instance import Instance, tokens
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Uncertainty, worst_case
from lpo.allocate.validate.cost import cost, stored_gb
from lpo.allocate.validate.performance import (
    USED,
    delay_divisor,
    impacts,
    performance,
    protected,
)
from lpo.errors import InputError


class Row(NamedTuple):
    """One limit: left <= right, or left = right in a balance.

    limit: its name, such as "delay of Translation". violation: how far left is beyond right,
    relative to the scale of the limit, 0 where it is kept. detail: which deployment, "" where the
    name says all.
    """

    limit: str
    left: float
    right: float
    violation: float
    detail: str = ""


class Audit(NamedTuple):
    """All rows; the largest violation; the rows violated by more than the tolerance; none are."""

    rows: tuple[Row, ...]
    largest: float
    violated: tuple[Row, ...]
    ok: bool


def audit(
    instance: Instance,
    allocation: Allocation,
    options: Options,
    uncertainty: Uncertainty,
    tolerance: float = 1e-5,
) -> Audit:
    """Evaluate every row of the profile's model at a plan, with the worst case in closed form.

    Rows: balance and unmet cap of each query type; delay and error of each (worst case over the
    set); budget and storage; memory and compute of each deployment, by the tier's name; GPUs of
    each tier with a limit; and what makes a plan one: whole replicas within their number, one
    degree a model and tier, shares only where there are replicas, one route a query type under
    single placement, every route's own delay with `route_limit`. A violation counts beyond
    `tolerance`.

    Raises InputError on a plan of other shapes, and on a negative tolerance.
    """
    if not tolerance >= 0.0:
        raise InputError(f"`tolerance` must be at least 0, got {tolerance}.")
    rows = (
        *_query_rows(instance, allocation, options, uncertainty),
        *_money_rows(instance, allocation, options, uncertainty),
        *_capacity_rows(instance, allocation, options),
        *_structure_rows(instance, allocation, options),
        *(_route_rows(instance, allocation, options, uncertainty) if options.route_limit else ()),
    )
    violated = tuple(row for row in rows if row.violation > tolerance)
    return Audit(rows, max(row.violation for row in rows), violated, not violated)


def _row(limit: str, left: float, right: float, scale: float = 1.0, detail: str = "") -> Row:
    """A row left <= right; `scale` (1 where it is 0) is what a violation is relative to."""
    excess = left - right if left > right else 0.0
    return Row(limit, float(left), float(right), float(excess / (scale or 1.0)), detail)


def _query_rows(
    instance: Instance, allocation: Allocation, options: Options, uncertainty: Uncertainty
) -> Iterator[Row]:
    data, met = instance.data, performance(instance, allocation, options, uncertainty)
    served = np.sum(allocation.share, axis=(1, 2, 3))
    # The published delay limit is multiplied by the GPUs of the last model on the last tier.
    last = np.sum(gpus(allocation, instance.tensor_parallel)[-1, -1])
    factor = last if options.published else 1.0
    for i, name in enumerate(instance.query_types):
        total = float(served[i] + allocation.unmet[i])
        yield Row(f"balance of {name}", total, 1.0, abs(total - 1.0))
        cap, delay, error = (
            float(limit[i]) for limit in (data.unmet_cap, data.delay_limit_ms, data.error_limit)
        )
        yield _row(f"unmet cap of {name}", allocation.unmet[i], cap)
        worst = met.delay_ms[i] + met.delay_added_ms[i]
        yield _row(f"delay of {name}", worst, delay * factor, delay)
        yield _row(f"error of {name}", met.error[i] + met.error_added[i], error, error)


def _money_rows(
    instance: Instance, allocation: Allocation, options: Options, uncertainty: Uncertainty
) -> Iterator[Row]:
    parts = cost(instance, allocation, options, uncertainty)
    # The published budget row has the rent once for every query type.
    times = len(instance.query_types) if options.published else 1
    spent = times * parts.rental + parts.storage_model + parts.storage_data
    budget, space = float(instance.data.budget_usd), float(instance.data.storage_gb)
    yield _row("budget", spent, budget, budget)
    yield _row("storage", stored_gb(instance, allocation, options), space, space)


def _capacity_rows(instance: Instance, allocation: Allocation, options: Options) -> Iterator[Row]:
    data, replicas, share = instance.data, allocation.replicas, allocation.share
    degrees = np.asarray(instance.tensor_parallel, np.float64)
    weights = np.asarray(data.weights_gb)[:, None, None] / degrees  # [J, 1, N] of one GPU
    room = (np.asarray(data.memory_gb)[None, :, None] - weights) * replicas
    work = tokens(data) * data.arrivals_per_hour  # [I]
    cache = np.einsum("i,ijk,ijkn->jkn", work, data.residency_h, share)
    cache *= np.asarray(data.kv_gb_per_token)[:, None, None] / degrees
    compute = np.asarray(data.compute_tflops)[None, :, None] * degrees * options.utilisation
    # TFLOP of a query, in legacy units as if alpha were per token and one query came a second.
    load = data.tflop_per_kilotoken * tokens(data)
    if not options.legacy_units:
        load = load / 1000 * data.arrivals_per_hour / 3600
    demanded = np.einsum("i,ijkn->jkn", load, share)
    for j, k, n in zip(*np.nonzero((replicas != 0) | np.any(share != 0, axis=0)), strict=True):
        tier, at = instance.tiers[k], (j, k, n)
        where = f"{instance.models[j]}, TP {instance.tensor_parallel[n]}"
        yield _row(f"memory of {tier}", cache[at], float(room[at]), float(data.memory_gb[k]), where)
        available = float(compute[0, k, n])
        there = available * float(replicas[at])
        yield _row(f"compute of {tier}", demanded[at], there, available, where)
    taken = np.sum(gpus(allocation, instance.tensor_parallel), axis=(0, 2))
    for tier, used, limit in zip(instance.tiers, taken, data.tier_limit, strict=True):
        if np.isfinite(limit):
            yield _row(f"GPUs of {tier}", float(used), float(limit))


def _structure_rows(instance: Instance, allocation: Allocation, options: Options) -> Iterator[Row]:
    replicas, share = allocation.replicas, allocation.share
    least = min(float(np.min(share)), float(np.min(allocation.unmet)), float(np.min(replicas)))
    yield _row("nothing negative", -least, 0.0)
    yield _row("whole replicas", float(np.max(np.abs(replicas - np.rint(replicas)))), 0.0)
    yield _row("most replicas", float(np.max(replicas)), options.replicas)
    degrees = np.sum(replicas > 0, axis=-1)
    for j, k in zip(*np.nonzero(degrees), strict=True):
        name = f"one degree of {instance.models[j]} on {instance.tiers[k]}"
        yield _row(name, float(degrees[j, k]), 1.0)
    routes = share > USED
    for i, name in enumerate(instance.query_types):
        stray = np.where(replicas > 0, 0.0, share[i])
        yield _row(f"{name} only where there are replicas", float(np.max(stray)), 0.0)
        if options.single_placement:
            yield _row(f"one route of {name}", float(np.sum(routes[i])), 1.0)


def _route_rows(
    instance: Instance, allocation: Allocation, options: Options, uncertainty: Uncertainty
) -> Iterator[Row]:
    data, sets = instance.data, protected(options, uncertainty)
    impact = impacts(instance, options)[0]
    per_query = np.asarray(tokens(data))[:, None, None] * np.ones(instance.shape[:3])
    alone = (data.delay_deviation * per_query)[..., None]
    added = worst_case(alone, sets.delay, None if impact is None else impact[..., None])
    worst = (data.delay_ms_per_token * per_query + added)[..., None]
    worst = worst / delay_divisor(instance, options)
    for i, j, k, n in zip(*np.nonzero(allocation.share > USED), strict=True):
        limit, name = float(data.delay_limit_ms[i]), instance.query_types[i]
        degree = instance.tensor_parallel[n]
        where = f"{instance.models[j]} on {instance.tiers[k]}, TP {degree}"
        yield _row(f"route delay of {name}", float(worst[i, j, k, n]), limit, limit, where)
