"""Curves of k under load, and without."""

from enum import StrEnum
from typing import Any

import numpy as np

from lpo.errors import InputError
from lpo.scale.accuracy import accuracy_moments
from lpo.scale.curves import Curves, Estimate
from lpo.scale.exact import exact_curves
from lpo.scale.laws import Latency, LawNumbers, Laws
from lpo.scale.models import Models
from lpo.scale.passes import Pairs
from lpo.scale.under_load.cluster import (
    Cluster,
    mean_lengths,
    moments_at_prices,
    seconds_per_token,
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
    _check(laws, cost)
    shape, steady = found.steady.shape, found.steady
    unknown = np.inf, np.nan, np.nan
    each = zip(time_in_run(laws, found)[:3], unknown, strict=True)
    time = Estimate(*(np.where(steady, known, none) for known, none in each))
    mean, sd = (np.atleast_2d(leaf) for leaf in accuracy_moments(laws, numbers, models, found.k))
    mean, sd = (np.broadcast_to(leaf[:, None], shape) for leaf in (mean, sd))
    accuracy = Estimate(mean, sd, np.zeros(shape))
    if cost == Cost.MARGINAL:
        of_query = _marginal(models, cluster, found.k, pairs, shape)
    else:
        served = np.where(found.steady, cluster.queries_per_s, found.completed_per_s)
        of_query = _average(cluster, served, found.steady)
    return Curves(found.k, found.parallel, of_query, time, accuracy)


def curves_without_load(
    laws: Laws,
    numbers: LawNumbers,
    models: Models,
    cluster: Cluster,
    k: Any,
    parallel: Any,
    *,
    pairs: Pairs | None = None,
    cost: str = Cost.AVERAGE,
) -> Curves:
    """Return what `curves_under_load` would be if no pass ever met another, [m, p, K].

    The closed form with the seconds per token of a pass that is alone on a GPU
    (`seconds_per_token`), as many GPUs as it takes, and the same costs: a share of all GPUs of q
    queries per second, whether or not they can be served.

    **Raises:** InputError as `curves_under_load` and `exact_curves`.
    """
    _check(laws, cost)
    means = zip(*mean_lengths(models, pairs), strict=True)
    each = [seconds_per_token(cluster, float(prompt), float(out)) for prompt, out in means]
    input_s, output_s = np.array(each).T
    own = models._replace(input_s=input_s, output_s=output_s)
    waves = laws._replace(latency=Latency.WAVES)
    curves = exact_curves(waves, numbers, own, k, parallel, pairs)
    if laws.latency == Latency.MEAN:
        shared = exact_curves(laws, numbers, own, k, parallel, pairs).time
        longer = curves.k > curves.parallel[:, None]
        pick = (np.where(longer, a, b) for a, b in zip(shared[:3], curves.time[:3], strict=True))
        curves = curves._replace(time=Estimate(*pick))
    shape = curves.time.mean.shape
    if cost == Cost.MARGINAL:
        of_query = _marginal(models, cluster, curves.k, pairs, shape)
    else:
        rate = np.full(shape, cluster.queries_per_s)
        of_query = _average(cluster, rate, np.ones(shape, bool))
    return curves._replace(cost=of_query)


def time_in_run(laws: Laws, found: UnderLoad) -> Estimate:
    """Return the time of a query by the latency of `laws`, [m, p, K], steady or not: what runs of
    this length show."""
    if laws.latency != Latency.MEAN:
        return found.query_s
    k, slots = found.k, found.parallel[:, None]
    factors = k / slots, np.sqrt(k) / slots, k / slots
    each = zip(found.query_s[:3], found.pass_s[:3], factors, strict=True)
    return Estimate(*(np.where(k > slots, of * one, query) for query, one, of in each))


def _check(laws: Laws, cost: str) -> None:
    if laws.latency not in (Latency.WAVES, Latency.MEAN):
        raise InputError(f"`latency` must be waves or mean under load, got {laws.latency}.")
    if cost not in tuple(Cost):
        raise InputError(f"`cost` must be one of {', '.join(Cost)}, got {cost!r}.")


def _average(cluster: Cluster, served: np.ndarray, known: np.ndarray) -> Estimate:
    """Of queries per second that are served; known: whether that is certain."""
    with np.errstate(divide="ignore"):
        mean = cluster.gpus * cluster.usd_per_s / served
    return Estimate(mean, np.zeros(served.shape), np.where(known, 0.0, np.nan))


def _marginal(
    models: Models, cluster: Cluster, k: np.ndarray, pairs: Pairs | None, shape: tuple[int, ...]
) -> Estimate:
    prices = [
        token_prices(cluster, float(prompt), float(output))
        for prompt, output in zip(*mean_lengths(models, pairs), strict=True)
    ]
    per_prompt, per_output = np.array(prices).T
    one = moments_at_prices(models, per_prompt, per_output, pairs)
    mean, sd = (leaf[:, None, None] for leaf in (one.cost, one.cost_sd))
    every = np.ones(shape)
    return Estimate(every * mean * k, every * sd * np.sqrt(k), 0.0 * every)
