"""What the table of a sensitivity analysis says of one plan. docs/allocate_sweeps.md."""

from collections.abc import Mapping

import numpy as np

from lpo.allocate.allocation import Allocation, gpus
from lpo.allocate.instance import Instance, tokens
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.allocate.validate.cost import cost, objective
from lpo.allocate.validate.performance import USED, performance

_BEFORE_DEGREES = (
    "total_cost",
    "C1_rental",
    "C2_storage",
    "C2_model",
    "C2_data",
    "C3_robust_delay",
    "C4_unmet",
    "C1_pct",
    "C2_pct",
    "C3_pct",
    "C4_pct",
    "num_allocations",
    "num_gpu_configs",
    "total_gpus",
    "num_unmet_queries",
    "total_unmet_fraction",
    "avg_delay",
    "avg_error",
    "num_tp_configs",
    "avg_tp_degree",
)


def common_columns(tensor_parallel: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the columns of a plan that every analysis has, in their order."""
    return (*_BEFORE_DEGREES, *(f"tp_{degree}_count" for degree in tensor_parallel))


def plan_columns(
    instance: Instance, allocation: Allocation, options: Options, uncertainty: Uncertainty
) -> dict[str, float]:
    """Return the columns that every analysis has, in the order of `common_columns`.

    **Dollars**: total_cost is the objective of the profile, C1 + C2 + C3 + C4. C3_robust_delay is
    all the delay that the objective counts: nominal and what the worst case adds, in `reference`
    only the latter. The pct columns are per cent of total_cost.
    **Counts**: num_allocations routes with a share, num_gpu_configs pairs of a model and a tier in
    use, num_tp_configs deployments in use and tp_<n>_count those at degree n. num_unmet_queries
    query types of which something is dropped, total_unmet_fraction the sum of the dropped shares.
    avg_tp_degree: mean over GPUs.
    **Means over served shares**: avg_delay ms a query, nominal, as the delay limit counts it
    (divided by the degree except in the published profiles); avg_error, nominal, a fraction.
    """
    parts = cost(instance, allocation, options, uncertainty)
    met = performance(instance, allocation, options, uncertainty)
    total = objective(parts, options)
    storage = parts.storage_model + parts.storage_data
    delay = total - parts.rental - storage - parts.unmet
    degrees = np.asarray(instance.tensor_parallel)
    taken, used = gpus(allocation, instance.tensor_parallel), allocation.replicas > 0
    served = float(np.sum(allocation.share))
    number = int(np.sum(taken))
    values = (
        total,
        parts.rental,
        storage,
        parts.storage_model,
        parts.storage_data,
        delay,
        parts.unmet,
        *(
            100.0 * part / total if total else 0.0
            for part in (parts.rental, storage, delay, parts.unmet)
        ),
        int(np.sum(allocation.share > USED)),
        int(np.sum(np.any(used, axis=-1))),
        number,
        int(np.sum(allocation.unmet > USED)),
        float(np.sum(allocation.unmet)),
        float(np.sum(met.delay_ms)) / served if served else np.nan,
        float(np.sum(met.error)) / served if served else np.nan,
        int(np.sum(used)),
        float(np.sum(taken * degrees)) / number if number else np.nan,
        *(int(count) for count in np.sum(used, axis=(0, 1))),
    )
    return dict(zip(common_columns(instance.tensor_parallel), values, strict=True))


def scaled_columns(instance: Instance) -> dict[str, float]:
    """Means of what the scales of the instance multiply; there with and without a plan."""
    data = instance.data
    price, budget = float(np.mean(data.price_usd_per_hour)), float(data.budget_usd)
    return {
        "budget_threshold": budget,
        "scaled_p_c_mean": price,
        "scaled_delta": budget,
        "scaled_Delta_i_mean": float(np.mean(data.delay_limit_ms)),
        "scaled_epsilon_mean": float(np.mean(data.error_limit)),
        "scaled_gpu_cost_mean": price,
        "scaled_C_gpu_mean": float(np.mean(data.memory_gb)),
    }


def limit_columns(
    instance: Instance, allocation: Allocation, options: Options, uncertainty: Uncertainty
) -> dict[str, float]:
    """How much of the limits a plan uses.

    budget_utilization, budget_slack ($): of what the profile counts against the budget; the
    published ones count the rent once for every query type. avg and max over query types of
    nominal delay and error over the limits; in the published profiles, whose delay limit is
    multiplied by the GPUs of an unrelated pair, more than 1 is possible. avg_memory_util and
    max_memory_util: weights and cache over the memory of the GPUs, over deployments in use.
    """
    data = instance.data
    parts = cost(instance, allocation, options, uncertainty)
    met = performance(instance, allocation, options, uncertainty)
    times = len(instance.query_types) if options.published else 1
    spent = times * parts.rental + parts.storage_model + parts.storage_data
    budget = float(data.budget_usd)
    delay, error = met.delay_ms / data.delay_limit_ms, met.error / data.error_limit
    memory = memory_use(instance, allocation)
    return {
        "budget_utilization": spent / budget,
        "budget_slack": budget - spent,
        "avg_delay_utilization": float(np.mean(delay)),
        "max_delay_utilization": float(np.max(delay)),
        "avg_error_utilization": float(np.mean(error)),
        "max_error_utilization": float(np.max(error)),
        "avg_memory_util": float(np.mean(memory)) if memory.size else np.nan,
        "max_memory_util": float(np.max(memory)) if memory.size else np.nan,
    }


def memory_use(instance: Instance, allocation: Allocation) -> np.ndarray:
    """Weights and cache over memory of every deployment in use, on one of its GPUs."""
    data, degrees = instance.data, np.asarray(instance.tensor_parallel, np.float64)
    work = tokens(data) * data.arrivals_per_hour
    cache = np.einsum("i,ijk,ijkn->jkn", work, data.residency_h, allocation.share)
    cache *= np.asarray(data.kv_gb_per_token)[:, None, None] / degrees
    j, k, n = np.nonzero(allocation.replicas > 0)
    weights = data.weights_gb[j] / degrees[n]
    return (weights + cache[j, k, n] / allocation.replicas[j, k, n]) / data.memory_gb[k]


def row_of_plan(
    instance: Instance,
    allocation: Allocation | None,
    options: Options,
    uncertainty: Uncertainty,
    extra: tuple[str, ...],
) -> Mapping[str, float]:
    """Columns of a plan and the `extra` ones; without a plan only those of the instance."""
    known = scaled_columns(instance)
    row: dict[str, float] = {}
    if allocation is not None:
        row = plan_columns(instance, allocation, options, uncertainty)
        known |= limit_columns(instance, allocation, options, uncertainty)
    return row | {name: known[name] for name in extra if name in known}
