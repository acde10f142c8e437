"""The least fleet for given requests, by simulation. docs/serve_replay.md, "Capacity"."""

from typing import Any

import numpy as np

from lpo.errors import InputError
from lpo.serve.capacity.limits import Limits, check_limits, check_reachable
from lpo.serve.capacity.search import Capacity, least_fleet
from lpo.serve.capacity.trials import make_trial, one_by_one
from lpo.serve.instance import Instance
from lpo.serve.iteration_time import IterationTime, TwoRegime
from lpo.serve.plans.knapsack import minimum_fleet
from lpo.serve.plans.levels import NO_LEVELS, ServiceLevels
from lpo.serve.policies import Policy, Pools
from lpo.serve.requests import Requests


def fleet_for(
    policy: Policy,
    instance: Instance,
    requests: Requests,
    limits: Limits,
    *,
    gpus: float = 1.0,
    max_gpus: int | None = None,
    from_s: float = 0.0,
    to_s: float = np.inf,
    window_s: float | None = None,
    weight: float = 0.3,
    margin: float = 1.0,
    levels: ServiceLevels = NO_LEVELS,
    seeds_share: float = 0.5,
    check: int = 2,
    **options: Any,
) -> Capacity:
    """Return the least fleet that serves requests within limits.

    **Main arguments:**

    - `instance`, `gpus`: the requests are those of `gpus` GPUs of the instance; every fleet is
      planned for them, gpus x arrival. The search begins at their `minimum_fleet`.
    - `requests`: [S, R], of S seeds: `poisson_requests` of the instance, or `trace_requests`, with
      `stack_requests`. Every fleet serves the same ones.
    - `limits`: on those that arrive between `from_s` and `to_s`; runs go on until all requests have
      been served or have left.
    - `max_gpus`: the largest fleet. None: about twice the fleet at which the search begins. Fleets
      up to there share one compiled program, whose cost per event grows with its GPUs; larger ones
      take one for twice as many.

    **Other arguments:**

    - `window_s`: fleets plan anew every that many seconds, from the rates measured until then with
      `measured_rates` (of which `weight` is one), as in a replay. None: one plan.
    - `margin`: plans are made for that many times the expected or measured rates. A plan gives to
      prefill the GPUs that these rates need, however large the fleet is, so that more GPUs do not
      shorten waits that come from bursts: a margin, plans anew, or a policy without pools do.
    - `levels`: of the plans.
    - `seeds_share`, `check`: as in `least_fleet`.
    - `options`: as in `lpo.serve.requests.start`.

    **Raises:** InputError on limits that are out of range, that no fleet can meet, or that
    `max_gpus` GPUs do not meet, and as `start`.
    """
    check_limits(limits)
    if requests.arrival_s.ndim != 2:
        raise InputError("`requests` must be of several seeds, [S, R]: use `stack_requests`.")
    begin = minimum_fleet(instance, gpus).planned
    least = 2 if policy.pools == Pools.SPLIT else 1
    padding = 2 * begin + 4
    most = padding if max_gpus is None else max_gpus
    _check_alone(policy, instance, requests, limits, (from_s, to_s), options.get("times"))
    trial = make_trial(
        policy,
        instance,
        requests,
        gpus=gpus,
        padding=min(padding, most),
        from_s=from_s,
        to_s=to_s,
        window_s=window_s,
        weight=weight,
        margin=margin,
        levels=levels,
        **options,
    )
    return least_fleet(
        trial,
        limits,
        classes=len(instance.arrival),
        start=begin,
        most=most,
        least=least,
        seeds_share=seeds_share,
        check=check,
    )


def _check_alone(
    policy: Policy,
    instance: Instance,
    requests: Requests,
    limits: Limits,
    between: tuple[float, float],
    times: IterationTime | None,
) -> None:
    hardware, classes = instance.hardware, len(instance.arrival)
    model = TwoRegime(hardware.alpha, hardware.beta, hardware.tau_solo) if times is None else times
    chunk = None if policy.prefill_pauses else int(hardware.chunk)
    for run in one_by_one(requests):
        inside = (run.arrival_s >= between[0]) & (run.arrival_s <= between[1])
        inside &= np.isfinite(run.arrival_s)
        prefill_s = _prefill_s(model, run.prompt[inside], chunk)
        check_reachable(limits, run.kind[inside], classes, prefill_s, float(model.solo(1)))


def _prefill_s(times: IterationTime, prompt: np.ndarray, chunk: int | None) -> np.ndarray:
    """Seconds that prompts take alone, with an empty cache; chunk None: in one iteration."""
    if chunk is None:
        return np.asarray(times.mixed(prompt, 0), np.float64)
    whole, rest = np.divmod(prompt, chunk)
    last = np.where(rest > 0, np.asarray(times.mixed(np.maximum(rest, 1), 0)), 0.0)
    return whole * float(times.mixed(chunk, 0)) + last
