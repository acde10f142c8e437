"""Replay of requests under plans that follow measured rates. docs/serve_replay.md."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.serve.instance import Instance
from lpo.serve.planner import Planned, Planner, make_planner
from lpo.serve.plans.levels import NO_LEVELS, ServiceLevels
from lpo.serve.plans.plan import Infeasible
from lpo.serve.policies import Policy, Targets
from lpo.serve.replay.arrival_rates import measured_rates, window_counts, window_edges
from lpo.serve.requests import Requests, Run, Served, advance, read, start


class Planning(StrEnum):
    """Where the plans of a replay come from.

    replanned: before each window, from the rates measured until then; the first from the prior
    rates. static: once, from the prior rates. hindsight: once, from the mean rates and lengths of
    the whole replay, which nobody knows beforehand.
    """

    REPLANNED = "replanned"
    STATIC = "static"
    HINDSIGHT = "hindsight"


class Replay(NamedTuple):
    """A trace that has been replayed.

    prior: what was known before. edges [K + 1]: s, of the windows. rates [K, I]: that the plan of
    each window reckons with, requests of the whole fleet per second. plans [K]: in use in each
    window. kept [K] bool: that of the window before is still in use, because the service levels
    exclude each other at these rates. hindsight: the plan for the mean rates and lengths of the
    whole replay, whose value is the reference of what was earned. requests, served: what came and
    what became of it; those that were in the fleet at the last edge have been served after it,
    under the last plan.
    """

    policy: Policy
    prior: Instance
    gpus: int
    edges: np.ndarray
    rates: np.ndarray
    plans: tuple[Planned, ...]
    kept: np.ndarray
    hindsight: Planned
    requests: Requests
    served: Served


def replay(
    policy: Policy,
    prior: Instance,
    requests: Requests,
    *,
    gpus: int,
    duration_s: float,
    window_s: float = 60.0,
    planning: Planning | str = Planning.REPLANNED,
    weight: float = 0.3,
    least: float = 0.5,
    margin: float = 1.0,
    levels: ServiceLevels = NO_LEVELS,
    gpus_max: int | None = None,
    **options: Any,
) -> Replay:
    """Replay the requests of a trace on a fleet.

    **Main arguments:**

    - `prior`: what is known before the first request: arrivals per GPU of this fleet, and mean
      lengths by class, which all plans take; also patience, hardware and prices. Take the classes
      of another day, or of the head of the trace, for a replay that knows nothing of its future.
    - `requests`: [R], of `lpo.serve.requests.trace_requests` with the patience of `prior`.
      Controllers know the classes that are seen, never the true ones.
    - `duration_s`: how long requests come; windows of `window_s` seconds cover it.

    **Other arguments:**

    - `planning`: `Planning`.
    - `weight`, `least`: of the average, as in `measured_rates`.
    - `margin`: measured rates are multiplied by it; plans made for rates that are too low cost more
      than those for rates that are too high.
    - `levels`: service levels of the plans. Penalised ones can always be planned for.
    - `gpus_max`: padding of the compiled program; None: `gpus`.
    - `options`: as in `lpo.serve.requests.start`.

    One program is built and solved at each rates; a smaller M takes effect as GPUs finish what they
    do. **Raises:** InputError on numbers out of range, Infeasible where there is not even a first
    plan.
    """
    if planning not in tuple(Planning):
        raise InputError(f"`planning` must be one of {', '.join(Planning)}, got {planning!r}.")
    if requests.arrival_s.ndim != 1 or not np.isfinite(requests.arrival_s).any():
        raise InputError("`requests` must be of one run, [R], and at least one.")
    if not (np.isfinite(margin) and margin > 0.0):
        raise InputError(f"`margin` must be positive and finite, got {margin}.")
    edges = window_edges(duration_s, window_s)
    came = np.isfinite(requests.arrival_s)  # the others fill runs up to one length
    known = Requests(*(column[came] for column in requests))
    if known.arrival_s[-1] > edges[-1]:
        raise InputError(
            f"`duration_s` = {duration_s:g} s ends before the last request, at "
            f"{known.arrival_s[-1]:g} s."
        )
    planner = make_planner(policy, prior, levels)
    expected = gpus * np.asarray(prior.arrival)
    truth = _truth(prior, known, gpus, duration_s)
    hindsight = make_planner(policy, truth, levels)(gpus * truth.arrival, gpus)
    K = len(edges) - 1
    if planning == Planning.REPLANNED:
        counts = window_counts(known.arrival_s, known.seen, len(expected), edges)
        rates = margin * measured_rates(counts, window_s, expected, weight=weight, least=least)
        plans, kept = followed(planner, rates, gpus)
    else:
        only = planner(margin * expected, gpus) if planning == Planning.STATIC else hindsight
        rates = np.tile(gpus * only.instance.arrival, (K, 1))
        plans, kept = (only,) * K, np.zeros(K, bool)
    most = gpus if gpus_max is None else gpus_max
    run = start(policy, prior, requests, gpus_max=most, **options)
    everything = read(advanced(run, [planned.targets for planned in plans], edges))
    served = Served(*(column[came] for column in everything[:-1]), now_s=everything.now_s)
    return Replay(policy, prior, gpus, edges, rates, plans, kept, hindsight, known, served)


def followed(
    planner: Planner, rates: np.ndarray, gpus: int
) -> tuple[tuple[Planned, ...], np.ndarray]:
    """Return plans for the rates [K, I] of windows, and whether each is that of the window before,
    bool [K], because no plan keeps the service levels at its own rates.

    Raises Infeasible where there is not even a first plan.
    """
    plans, kept = [planner(rates[0], gpus)], [False]
    for each in rates[1:]:
        try:
            plans.append(planner(each, gpus))
            kept.append(False)
        except Infeasible:
            plans.append(plans[-1])
            kept.append(True)
    return tuple(plans), np.array(kept)


def advanced(run: Run, targets: Sequence[Targets], edges: np.ndarray) -> Run:
    """Return the run after windows that end at edges[1:], each under its targets, and after
    everybody who came has been served or has left, under the last ones."""
    for each, end in zip(targets, edges[1:], strict=True):
        run = advance(run, each, float(end))
    return advance(run, targets[-1])


def _truth(prior: Instance, requests: Requests, gpus: int, duration_s: float) -> Instance:
    """The instance of the true classes, of prior lengths where no request of a class came."""
    I = len(prior.arrival)
    count = np.bincount(requests.kind, minlength=I)
    prompt, decode = (
        np.where(count > 0, np.bincount(requests.kind, each, I) / np.maximum(count, 1), before)
        for each, before in ((requests.prompt, prior.prompt), (requests.decode, prior.decode))
    )
    return prior._replace(arrival=count / (gpus * duration_s), prompt=prompt, decode=decode)
