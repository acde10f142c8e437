"""A plan in words: tables that a planner reads, computed from the decisions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance, tokens
from lpo.allocate.model.coefficients import nominal_in_objective
from lpo.allocate.options import Options
from lpo.allocate.validate.audit import Audit
from lpo.allocate.validate.cost import Cost, objective
from lpo.allocate.validate.performance import USED, Performance, delay_divisor

COST_WORDS = {
    "rental": "rent of GPUs",
    "storage_model": "storage of weights",
    "storage_data": "storage of queries' data",
    "delay_nominal": "delay, as expected",
    "delay_robust": "delay, added in the worst case",
    "unmet": "dropped queries",
}
TIERS_SHOWN = 6  # by colours that can be told apart


class Usage(NamedTuple):
    """Shares [J, K, N] of the memory and of the compute of the replicas in use; NaN without any."""

    memory: np.ndarray
    compute: np.ndarray


def usage(instance: Instance, allocation: Allocation, options: Options) -> Usage:
    """Memory (weights and cache) over that of the GPUs, and compute asked for over theirs.

    The units are those of the options: in legacy units the compute row has no time in it.
    """
    data, replicas, share = instance.data, allocation.replicas, allocation.share
    degrees = np.asarray(instance.tensor_parallel, np.float64)
    work = np.asarray(tokens(data) * data.arrivals_per_hour)
    cache = np.einsum("i,ijk,ijkn->jkn", work, data.residency_h, share)
    cache = cache * np.asarray(data.kv_gb_per_token)[:, None, None] / degrees
    weights = np.asarray(data.weights_gb)[:, None, None] / degrees * replicas
    load = np.asarray(data.tflop_per_kilotoken * tokens(data))
    if not options.legacy_units:
        load = load / 1000.0 * data.arrivals_per_hour / 3600.0
    asked = np.einsum("i,ijkn->jkn", load, share)
    compute = np.asarray(data.compute_tflops)[None, :, None] * degrees * replicas
    memory = np.asarray(data.memory_gb)[None, :, None] * replicas
    with np.errstate(divide="ignore", invalid="ignore"):
        return Usage(
            np.where(replicas > 0, (weights + cache) / memory, np.nan),
            np.where(replicas > 0, asked / compute, np.nan),
        )


def plan_table(instance: Instance, allocation: Allocation, options: Options) -> pd.DataFrame:
    """One row a deployment: what it is, its GPUs, its rent, whom it serves and how full it is."""
    used, data = usage(instance, allocation, options), instance.data
    rows = []
    for number, (j, k, n) in enumerate(np.argwhere(allocation.replicas > 0), 1):
        degree = instance.tensor_parallel[n]
        replicas = int(allocation.replicas[j, k, n])
        hours = float(data.rental_hours * data.price_usd_per_hour[k])
        row = {
            "deployment": number,
            "model": instance.models[j],
            "tier": instance.tiers[k],
            "tensor_parallel": degree,
            "replicas": replicas,
            "gpus": degree * replicas,
            "rental_usd": hours * degree * replicas,
            "memory_use": used.memory[j, k, n],
            "compute_use": used.compute[j, k, n],
            "serves": _list(instance.query_types, allocation.share[:, j, k, n]) or "nobody",
        }
        rows.append(row)
    return pd.DataFrame(rows, columns=pd.Index(PLAN_COLUMNS))


PLAN_COLUMNS = (
    *("deployment", "model", "tier", "tensor_parallel", "replicas", "gpus", "rental_usd"),
    *("memory_use", "compute_use", "serves"),
)


def _list(names: Sequence[object], shares: np.ndarray) -> str:
    """Names with a share, each with it: Summarization 73.7 %, Video_Gen 3.62 %."""
    return ", ".join(
        f"{name} {percent(share)}"
        for name, share in zip(names, shares, strict=True)
        if share > USED
    )


def percent(share: float) -> str:
    """A share in words: 100 %, 34.7 %, 0.02 %."""
    return f"{100 * share:.3g} %"


def routes_table(instance: Instance, allocation: Allocation, options: Options) -> pd.DataFrame:
    """One row a route: share and queries an hour of a type, delay and error there.

    deployment: its number in the table of the plan. delay_ms, error: as expected; worst_delay_ms,
    worst_error: with the whole deviation of the route (before decision-dependent impact).
    """
    data, divisor = instance.data, delay_divisor(instance, options)
    numbers, rows = numbered(allocation), []
    for i, j, k, n in np.argwhere(allocation.share > USED):
        share, place = float(allocation.share[i, j, k, n]), (i, j, k)
        ms = float(tokens(data)[i] / divisor[n])
        rows.append(
            {
                "query_type": instance.query_types[i],
                "deployment": int(numbers[j, k, n]),
                "model": instance.models[j],
                "tier": instance.tiers[k],
                "tensor_parallel": instance.tensor_parallel[n],
                "share": share,
                "queries_per_hour": share * float(data.arrivals_per_hour[i]),
                "delay_ms": ms * float(data.delay_ms_per_token[place]),
                "worst_delay_ms": ms
                * float(data.delay_ms_per_token[place] + data.delay_deviation[place]),
                "error": float(data.error_rate[place]),
                "worst_error": float(data.error_rate[place] + data.error_deviation[place]),
            }
        )
    return pd.DataFrame(rows)


def numbered(allocation: Allocation) -> np.ndarray:
    """[J, K, N]: numbers of the deployments in the order of the table, from 1; 0 for none."""
    running = allocation.replicas > 0
    return np.where(running, np.cumsum(running).reshape(running.shape), 0)


def types_table(
    instance: Instance, allocation: Allocation, met: Performance, checked: Audit
) -> pd.DataFrame:
    """One row a query type: what is served, delay and error as expected and at worst, limits.

    served_by: shares by deployment, `#1` being the first in the table of the plan. Limits are those
    of the audit, which in the published profiles depend on the plan.
    """
    names, limits = instance.query_types, {row.limit: row.right for row in checked.rows}
    places = allocation.replicas > 0
    running = [f"#{number}" for number in range(1, int(places.sum()) + 1)]
    return pd.DataFrame(
        {
            "query_type": names,
            "queries_per_hour": instance.data.arrivals_per_hour,
            "served_by": [_list(running, share[places]) for share in allocation.share],
            "dropped_share": allocation.unmet,
            "dropped_cap": instance.data.unmet_cap,
            "delay_ms": met.delay_ms,
            "worst_delay_ms": met.delay_ms + met.delay_added_ms,
            "delay_limit_ms": [limits[f"delay of {name}"] for name in names],
            "error": met.error,
            "worst_error": met.error + met.error_added,
            "error_limit": [limits[f"error of {name}"] for name in names],
        }
    )


def costs_table(parts: Cost, options: Options) -> pd.DataFrame:
    """One row a part of the cost with its share of the objective, and the objective.

    A part that the profile's objective leaves out has no share.
    """
    total = objective(parts, options)
    counted = parts._asdict()
    if not nominal_in_objective(options):
        del counted["delay_nominal"]
    rows = [
        {
            "part": COST_WORDS[name],
            "usd": usd,
            "share": usd / total if name in counted and total else np.nan,
        }
        for name, usd in parts._asdict().items()
    ]
    return pd.DataFrame([*rows, {"part": "objective", "usd": total, "share": 1.0}])


def audit_table(found: Audit) -> pd.DataFrame:
    """Every row of the audit, the largest violation first."""
    rows = sorted(found.rows, key=lambda row: -row.violation)
    return pd.DataFrame([row._asdict() for row in rows])


def degrees_table(instance: Instance, allocation: Allocation) -> pd.DataFrame:
    """GPUs by tensor-parallel degree (rows) and tier (columns): those in use, the largest first.

    Tiers after the sixth are taken together.
    """
    degrees = np.asarray(instance.tensor_parallel)
    taken = np.einsum("jkn,n->nk", allocation.replicas, degrees)
    order = [k for k in np.argsort(-taken.sum(axis=0), kind="stable") if bool(taken[:, k].any())]
    columns = {instance.tiers[k]: taken[:, k] for k in order[:TIERS_SHOWN]}
    if len(order) > TIERS_SHOWN:
        columns["other tiers"] = taken[:, order[TIERS_SHOWN:]].sum(axis=1)
    return pd.DataFrame({"tensor_parallel": [f"TP {n}" for n in degrees], **columns})
