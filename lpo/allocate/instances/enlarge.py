"""Instances of any size: published rows, varied copies of them, and a plan that must be possible.

docs/allocate_instances.md, "Other sizes".
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpo.allocate.instance import InstanceData, tokens
from lpo.allocate.instances.presets import (
    MODELS,
    QUERY_TYPES,
    TENSOR_PARALLEL,
    TIERS,
    Model,
    Picked,
    QueryType,
    Tier,
)
from lpo.errors import InputError

JITTER = (0.75, 1.25)  # size of a copy over that of its row
SLACK = 1.25  # of a limit that had to be loosened, over what the witness needs

# What a small instance keeps first: models and tiers that can serve every query type.
_MODEL_ORDER = (1, 2, 0, 5, 3, 4)
_TIER_ORDER = (9, 8, 7, 4, 3, 5, 6, 1, 0, 2)


def vary(size: tuple[int, int, int], rng: np.random.Generator) -> Picked:
    """Return rows of I query types, J models and K tiers.

    Below the published numbers some rows are left out. Beyond them come copies, round and round;
    copy c = 2, 3, ... is named "<name>_c", a tier "<GPU>_c_<precision>". One factor from `JITTER`
    a copy multiplies the tokens of a query type, of which there are as much fewer; the weights,
    cache and delay of a model, and by its square root the quality; the memory, compute and price
    of a tier.
    """
    types, models, tiers = size
    rows = _rows(types, range(len(QUERY_TYPES)))
    return Picked(
        tuple(_query_type(QUERY_TYPES[row], copy, rng) for row, copy in rows),
        tuple(_model(MODELS[row], copy, rng) for row, copy in _rows(models, _MODEL_ORDER)),
        tuple(_tier(TIERS[row], copy, rng) for row, copy in _rows(tiers, _TIER_ORDER)),
        tuple(row for row, _ in rows),
    )


class Witness(NamedTuple):
    """A plan that keeps every limit, whatever the uncertainty budget, without unmet demand.

    share: [J, K], of every query type, on pairs rented at the largest degree; sums to 1.
    usd: rent and storage, over the rental period. storage_gb: weights on the pairs used.
    """

    share: np.ndarray
    usd: float
    storage_gb: float


def with_witness(data: InstanceData) -> InstanceData:
    """Return the data with the limits loosened that are too tight for a `witness`.

    In this order: delay and error limits that the best pair breaks are raised to `SLACK` times
    what it needs; arrivals and work a token are lowered when all pairs that keep the limits are
    too small together; budget and storage grow with the number of query types, and are raised to
    `SLACK` times what the witness needs.
    """
    use = _limit_use(data)
    worst = np.where(_room(data) > 0.0, use.max(axis=(0, 1)), np.inf)
    best = np.unravel_index(np.argmin(worst), worst.shape)
    use = use[:, :, best[0], best[1]]
    factor = np.where(use > 1.0, SLACK * use, 1.0)
    data = data._replace(
        delay_limit_ms=data.delay_limit_ms * factor[0], error_limit=data.error_limit * factor[1]
    )
    room = float(np.sum(_room(data)[_keeps_limits(data)]))
    lower = min(1.0, room / SLACK)
    data = data._replace(
        arrivals_per_hour=data.arrivals_per_hour * lower,
        tflop_per_kilotoken=data.tflop_per_kilotoken * lower,
    )
    plan = witness(data)
    grown = max(1.0, len(data.input_tokens) / len(QUERY_TYPES))
    return data._replace(
        budget_usd=max(data.budget_usd * grown, SLACK * plan.usd),
        storage_gb=max(data.storage_gb * grown, SLACK * plan.storage_gb),
    )


def witness(data: InstanceData) -> Witness:
    """Return the plan that takes pairs by rent a unit of demand until they hold all of it.

    Units are the published ones (`legacy_units`). Raises InputError when all pairs together that
    keep every type's limits are too small.
    """
    room = np.where(_keeps_limits(data), _room(data), 0.0)
    if room.sum() < 1.0:
        raise InputError("No plan that treats all query types alike keeps the limits.")
    rent = TENSOR_PARALLEL[-1] * data.price_usd_per_hour * np.ones_like(room)
    rent_a_unit = np.divide(rent, room, out=np.full(room.shape, np.inf), where=room > 0.0)
    order = np.argsort(rent_a_unit, axis=None, kind="stable")
    after = np.minimum(np.cumsum(room.flat[order]), 1.0)
    share = np.zeros(room.shape)
    share.flat[order] = np.diff(after, prepend=0.0)
    weights_gb = float(np.sum(data.weights_gb[:, None] * (share > 0.0)))
    data_gb = float(np.sum(data.data_per_token * tokens(data) * data.arrivals_per_hour))
    storage = data.storage_usd_per_gb_hour * (weights_gb + data_gb)
    usd = data.rental_hours * (float(np.sum(rent[share > 0.0])) + storage)
    return Witness(share, usd, weights_gb)


def _room(data: InstanceData) -> np.ndarray:
    """[J, K]: share of all demand that fits a pair at the largest degree, by memory and compute."""
    degree = TENSOR_PARALLEL[-1]
    spare_gb = degree * data.memory_gb - data.weights_gb[:, None]
    arriving = (tokens(data) * data.arrivals_per_hour)[:, None, None]
    cache_gb = data.kv_gb_per_token[:, None] * np.sum(arriving * data.residency_h, axis=0)
    work = np.sum(data.tflop_per_kilotoken * tokens(data))
    return np.maximum(np.minimum(spare_gb / cache_gb, degree * data.compute_tflops / work), 0.0)


def _limit_use(data: InstanceData) -> np.ndarray:
    """[2, I, J, K]: worst delay and error at the largest degree, in units of their limits."""
    delay = (data.delay_ms_per_token + data.delay_deviation) * tokens(data)[:, None, None]
    error = data.error_rate + data.error_deviation
    return np.stack(
        [
            delay / TENSOR_PARALLEL[-1] / data.delay_limit_ms[:, None, None],
            error / data.error_limit[:, None, None],
        ]
    )


def _keeps_limits(data: InstanceData) -> np.ndarray:
    """[J, K]: whether a pair keeps the delay and error limits of every query type."""
    return np.all(_limit_use(data) <= 1.0, axis=(0, 1))


def _rows(count: int, order: Sequence[int]) -> list[tuple[int, int]]:
    """(row, copy) of each entry; `order` tells which rows come first when not all do."""
    number = len(order)
    if count < number:
        return [(row, 1) for row in sorted(order[:count])]
    return [(index % number, index // number + 1) for index in range(count)]


def _factor(copy: int, rng: np.random.Generator) -> float:
    return 1.0 if copy == 1 else rng.uniform(*JITTER)


def _query_type(entry: QueryType, copy: int, rng: np.random.Generator) -> QueryType:
    factor = _factor(copy, rng)
    low, high = entry.arrivals
    return entry._replace(
        name=_name(entry.name, copy),
        input_tokens=round(entry.input_tokens * factor),
        output_tokens=round(entry.output_tokens * factor),
        arrivals=(math.floor(low / factor), math.ceil(high / factor)),
    )


def _model(entry: Model, copy: int, rng: np.random.Generator) -> Model:
    factor = _factor(copy, rng)
    return entry._replace(
        name=_name(entry.name, copy),
        weights_gb=entry.weights_gb * factor,
        kv_gb_per_token=entry.kv_gb_per_token * factor,
        delay_factor=entry.delay_factor * factor,
        quality=entry.quality * math.sqrt(factor),
    )


def _tier(entry: Tier, copy: int, rng: np.random.Generator) -> Tier:
    factor = _factor(copy, rng)
    gpu = entry.name.removesuffix(f"_{entry.precision}")
    return entry._replace(
        name=f"{_name(gpu, copy)}_{entry.precision}",
        memory_gb=entry.memory_gb * factor,
        tflops=entry.tflops * factor,
        usd_per_hour=entry.usd_per_hour * factor,
    )


def _name(name: str, copy: int) -> str:
    return name if copy == 1 else f"{name}_{copy}"
