"""Curves of k under load, and what they do not say."""

from enum import StrEnum

import numpy as np

from lpo.errors import InputError
from lpo.scale.accuracy import accuracy_moments
from lpo.scale.curves import Curves, Estimate
from lpo.scale.laws import Latency, LawNumbers, Laws
from lpo.scale.models import Models
from lpo.scale.passes import Pairs
from lpo.scale.under_load.cluster import (
    Cluster,
    mean_lengths,
    moments_at_prices,
    token_prices,
)
from lpo.scale.under_load.simulation import UnderLoad


class Cost(StrEnum):
    """What a query is charged. average: its share of all GPUs, dollars per second over queries per
    second. marginal: the GPU seconds that its passes take where GPUs are full (`token_prices`)."""

    AVERAGE = "average"
    MARGINAL = "marginal"


def curves_under_load(
    laws: Laws,
    numbers: LawNumbers,
    models: Models,
    cluster: Cluster,
    found: UnderLoad,
    *,
    pairs: Pairs | None = None,
    cost: str = Cost.AVERAGE,
) -> Curves:
    """Return cost, time and accuracy of k passes on a cluster, [m, p, K], for selections.

    **Arguments:**

    - `laws`: rule and law of scores; and for k > P the latency: `waves` as measured, one after the
      other, or `mean`, k / P passes. Up to P the passes of a query are over with the longest one.
    - `models`, `cluster`, `pairs`: as `found` was simulated with.

    Where a cluster is not steady the time is infinite and its spread NaN, so that no limit of time
    is kept; a share of all GPUs is then that of the queries that were completed, in steady state
    that of all, q. Accuracies are exact.

    **Raises:** InputError for the latencies contended (the cluster itself slows passes down) and
    work_conserving, for an unknown cost, and as `accuracy_moments`.
    """
    if laws.latency not in (Latency.WAVES, Latency.MEAN):
        raise InputError(f"`latency` must be waves or mean under load, got {laws.latency}.")
    if cost not in tuple(Cost):
        raise InputError(f"`cost` must be one of {', '.join(Cost)}, got {cost!r}.")
    shape = found.steady.shape
    mean, sd = (np.atleast_2d(leaf) for leaf in accuracy_moments(laws, numbers, models, found.k))
    mean, sd = (np.broadcast_to(leaf[:, None], shape) for leaf in (mean, sd))
    accuracy = Estimate(mean, sd, np.zeros(shape))
    of_query = _marginal(models, cluster, found, pairs) if cost == Cost.MARGINAL else None
    return Curves(
        found.k,
        found.parallel,
        _average(cluster, found) if of_query is None else of_query,
        _time(laws, found),
        accuracy,
    )


def notes(found: UnderLoad) -> list[str]:
    """Return which times are not to be trusted, and why."""
    said = []
    for model, slots, count in np.argwhere(~found.steady):
        load = found.load[model, count]
        why = "above 1" if load >= 1.0 else "and yet passes pile up, or are lost"
        said.append(
            f"Model {model}, k = {found.k[count]} on {found.parallel[slots]} slots: a load of "
            f"{load:.3g}, {why}; times grow with the length of the run."
        )
    return said


def _time(laws: Laws, found: UnderLoad) -> Estimate:
    k, slots = found.k, found.parallel[:, None]
    mean, sd, error = found.query_s[:3]
    if laws.latency == Latency.MEAN:
        longer = k > slots
        one, spread, of_one = found.pass_s[:3]
        mean = np.where(longer, k / slots * one, mean)
        sd = np.where(longer, np.sqrt(k) / slots * spread, sd)
        error = np.where(longer, k / slots * of_one, error)
    steady = found.steady
    return Estimate(
        np.where(steady, mean, np.inf),
        np.where(steady, sd, np.nan),
        np.where(steady, error, np.nan),
    )


def _average(cluster: Cluster, found: UnderLoad) -> Estimate:
    served = np.where(found.steady, cluster.queries_per_s, found.completed_per_s)
    with np.errstate(divide="ignore"):
        mean = cluster.gpus * cluster.usd_per_s / served
    none = np.zeros_like(mean)
    return Estimate(mean, none, np.where(found.steady, 0.0, np.nan))


def _marginal(models: Models, cluster: Cluster, found: UnderLoad, pairs: Pairs | None) -> Estimate:
    prices = [
        token_prices(cluster, float(prompt), float(output))
        for prompt, output in zip(*mean_lengths(models, pairs), strict=True)
    ]
    per_prompt, per_output = np.array(prices).T
    one = moments_at_prices(models, per_prompt, per_output, pairs)
    mean, sd = (leaf[:, None, None] for leaf in (one.cost, one.cost_sd))
    every = np.ones(found.steady.shape)
    return Estimate(every * mean * found.k, every * sd * np.sqrt(found.k), 0.0 * every)
