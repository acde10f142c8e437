"""Fleets of any size under the same requests, for a search. docs/serve_replay.md, "Capacity"."""

from functools import cache
from typing import Any

import jax
import numpy as np

from lpo.errors import InputError
from lpo.serve.capacity.limits import Experience
from lpo.serve.capacity.search import Trial
from lpo.serve.instance import Instance
from lpo.serve.planner import Planner, make_planner
from lpo.serve.plans.levels import NO_LEVELS, ServiceLevels
from lpo.serve.plans.plan import Infeasible
from lpo.serve.policies import Policy, Targets
from lpo.serve.replay import measured_rates, window_counts, window_edges
from lpo.serve.replay.replanning import advanced, followed
from lpo.serve.requests import Requests, Run, Status, latencies_of, read, start


def make_trial(
    policy: Policy,
    instance: Instance,
    requests: Requests,
    *,
    gpus: float,
    padding: int,
    from_s: float = 0.0,
    to_s: float = np.inf,
    window_s: float | None = None,
    weight: float = 0.3,
    margin: float = 1.0,
    levels: ServiceLevels = NO_LEVELS,
    **options: Any,
) -> Trial:
    """Return what a search calls; the arguments are those of `fleet_for`.

    padding: one compiled program serves fleets of up to that many GPUs; for larger ones it is
    doubled. One linear program plans for all of them. A fleet that has no plan, because the levels
    exclude each other there, serves nobody.
    """
    if not (np.isfinite(margin) and margin > 0.0):
        raise InputError(f"`margin` must be positive and finite, got {margin}.")
    runs = one_by_one(requests)
    rates = margin * gpus * np.asarray(instance.arrival)
    by_window, edges = np.tile(rates, (len(runs), 1, 1)), np.array([0.0, np.inf])
    if window_s is not None:
        last = float(requests.arrival_s[np.isfinite(requests.arrival_s)].max())
        edges = window_edges(last, window_s)
        by_window = np.stack(
            [_by_window(run, rates, edges, window_s, weight, margin) for run in runs]
        )
    planner = make_planner(policy, instance, levels)

    @cache
    def begun(most: int) -> Run:
        return start(policy, instance, requests, gpus_max=most, **options)

    def trial(fleet: int) -> list[Experience]:
        try:
            targets = _targets(planner, by_window, fleet)
        except Infeasible:
            return [_of_nobody(run) for run in runs]
        most = padding
        while most < fleet:
            most *= 2
        served = read(advanced(begun(most), targets, edges))
        waits = latencies_of(requests, served)
        came = (requests.arrival_s >= from_s) & (requests.arrival_s <= to_s)
        came &= served.status != Status.TO_COME
        columns = (requests.kind, *waits)
        return [Experience(*(column[s][came[s]] for column in columns)) for s in range(len(runs))]

    return trial


def one_by_one(requests: Requests) -> list[Requests]:
    """Return the runs of [S, R]."""
    return [Requests(*columns) for columns in zip(*requests, strict=True)]


def _by_window(
    run: Requests,
    rates: np.ndarray,
    edges: np.ndarray,
    window_s: float,
    weight: float,
    margin: float,
) -> np.ndarray:
    """Rates to plan for in each window, [K, I]; the first are given."""
    counts = window_counts(run.arrival_s, run.seen, len(rates), edges)
    return margin * measured_rates(counts, window_s, rates / margin, weight=weight)


def _targets(planner: Planner, rates: np.ndarray, gpus: int) -> list[Targets]:
    """Targets of each window, with a first axis [S], for rates [S, K, I]."""
    known: dict[bytes, list[Targets]] = {}
    for each in rates:  # the same trace in all seeds has the same plans
        if each.tobytes() not in known:
            plans = followed(planner, each, gpus)[0]
            known[each.tobytes()] = [planned.targets for planned in plans]
    windows = zip(*(known[each.tobytes()] for each in rates), strict=True)
    return [jax.tree.map(lambda *leaves: np.stack(leaves), *window) for window in windows]


def _of_nobody(run: Requests) -> Experience:
    never = np.full(run.kind.shape, np.nan)
    return Experience(run.kind, never, never, np.ones(run.kind.shape, bool))
