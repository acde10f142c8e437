"""The simulator of single requests in the command: what it runs, and what it adds to a table."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lpo.serve.command.config import ServeConfig
from lpo.serve.command.problem import Planned, Problem
from lpo.serve.command.simulating import Simulated, Span, finite, span_of
from lpo.serve.measures import Estimate, measure
from lpo.serve.requests import Requests, Status, poisson_requests, serve, stack_requests
from lpo.serve.requests.measures import RequestMeasures, estimates, measure_requests
from lpo.serve.requests.windows import window_totals

USUAL = Span(3.0, 5.0)
"""Mean decode times before anything counts, and while it counts, unless told."""


class Requested(NamedTuple):
    """A policy's single requests. experience: `Estimate` over seeds, of all and by class [1 + I].
    dropped: requests that found the decode buffer full."""

    simulated: Simulated
    experience: RequestMeasures
    dropped: int


def draw_requests(
    cfg: ServeConfig, problem: Problem, gpus: int, until_s: float, seeds: int
) -> Requests:
    """Return the requests of so many seeds, [seeds, R]: the same for every policy."""
    each = [
        poisson_requests(
            problem.instance,
            gpus,
            until_s,
            seed=np.random.default_rng([cfg.seed, number]),
            lengths=cfg.requests.lengths.name,
        )
        for number in range(seeds)
    ]
    return stack_requests(each)


def simulate_requests(cfg: ServeConfig, problem: Problem, planned: Planned, gpus: int) -> Requested:
    """Run the requests of all seeds through a fleet of `gpus` GPUs under one plan."""
    asked, instance = cfg.requests, problem.instance
    span = span_of(instance, asked.warm_up_s, asked.seconds, USUAL)
    until_s = span.warm_up_s + span.seconds
    requests = draw_requests(cfg, problem, gpus, until_s, asked.seeds)
    kv_tokens = None if asked.kv_tokens is None else int(asked.kv_tokens)
    served = serve(
        planned.policy,
        instance,
        requests,
        planned.targets,
        until_s=until_s,
        times=problem.iteration_time,
        kv_tokens=kv_tokens,
        seed=cfg.seed,
    )
    edges = np.linspace(span.warm_up_s, until_s, cfg.windows + 1)
    totals = window_totals(instance, requests, served, edges)
    experience = measure_requests(
        instance,
        requests,
        served,
        gpus=gpus,
        begin_s=span.warm_up_s,
        end_s=until_s,
        ttft_limit_s=np.inf if asked.ttft_limit_s is None else asked.ttft_limit_s,
        tpot_limit_s=np.inf if asked.tpot_limit_s is None else asked.tpot_limit_s,
        kv_tokens=kv_tokens,
    )
    simulated = Simulated(
        planned, "request", totals, measure(totals, instance, gpus, problem.pricing)
    )
    dropped = int((served.status == Status.DROPPED).sum())
    return Requested(simulated, estimates(experience), dropped)


_OF_ALL = (
    "ttft_p50_s",
    "ttft_p90_s",
    "ttft_p99_s",
    "tpot_mean_s",
    "tpot_p99_s",
    "unfinished",
    "good",
)
_OF_FLEET = {"slot_use": "request_slot_use", "cache": "cache_tokens", "cache_use": "cache_use"}


def request_row(more: Requested) -> dict[str, object]:
    """What a row of the table of policies gets: of all classes together, means over seeds."""
    found = more.experience
    row: dict[str, object] = {name: _first(getattr(found, name)) for name in _OF_ALL}
    row |= {
        "goodput_per_s": _first(found.goodput),
        "request_abandonment": _first(found.abandonment),
    }
    return row | {column: finite(getattr(found, name).mean) for name, column in _OF_FLEET.items()}


def wait_rows(more: Requested) -> pd.DataFrame:
    """One row of all requests and one a class, with standard errors over seeds."""
    found = more.experience
    classes = len(found.ttft_p50_s.mean) - 1
    table = pd.DataFrame({"class": ["all", *map(str, range(classes))]})
    table.insert(0, "policy", more.simulated.planned.policy.name)
    for name in (
        "requests",
        "ttft_p50_s",
        "ttft_p90_s",
        "ttft_p99_s",
        "tpot_mean_s",
        "tpot_p50_s",
        "tpot_p90_s",
        "tpot_p99_s",
        "abandonment",
        "unfinished",
        "good",
        "goodput",
    ):
        each: Estimate = getattr(found, name)
        table[name], table[f"{name}_se"] = each.mean, each.error
    return table


def _first(estimate: Estimate) -> float | None:
    return finite(estimate.mean[0])
