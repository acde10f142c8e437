"""Which simulator runs a policy, for how long, and what comes out."""

from typing import NamedTuple

import jax
import numpy as np

from lpo.serve import aggregated, per_gpu
from lpo.serve.command.config import ServeConfig, SimulatorKind
from lpo.serve.command.problem import Planned, Problem
from lpo.serve.instance import Instance
from lpo.serve.measures import Measures, measure
from lpo.serve.policies import Policy, Pools
from lpo.serve.rates import service_rates
from lpo.serve.totals import Totals

WARM_UP, HORIZON = 20.0, 100.0
"""Mean decode times that a chain runs before anything counts, and while it counts, unless told."""


class Span(NamedTuple):
    """Seconds of a run: before anything counts, and while it counts."""

    warm_up_s: float
    seconds: float


class Simulated(NamedTuple):
    """A policy on a fleet. simulator: the one that ran, in the words of the configuration."""

    planned: Planned
    simulator: str
    totals: Totals
    measures: Measures


def mean_decode_s(instance: Instance) -> float:
    """Return the seconds that a decode takes beside a prefill, mean over arrivals."""
    share = instance.arrival / max(float(instance.arrival.sum()), 1e-30)
    return float(share @ instance.decode) * float(service_rates(instance).tau)


def span_of(
    instance: Instance, warm_up_s: float | None, seconds: float | None, default: Span | None = None
) -> Span:
    """Return how long to run: what is given, else as many mean decode times as is usual."""
    warm_up, horizon = default or Span(WARM_UP, HORIZON)
    unit = mean_decode_s(instance)
    return Span(
        unit * warm_up if warm_up_s is None else warm_up_s,
        unit * horizon if seconds is None else seconds,
    )


def chain_of(cfg: ServeConfig, policy: Policy) -> str:
    """Return aggregate or per_gpu; without pools GPUs differ, and each is simulated."""
    whole = cfg.simulator is SimulatorKind.aggregate and policy.pools != Pools.NONE
    return "aggregate" if whole else "per_gpu"


def simulate_chain(cfg: ServeConfig, problem: Problem, planned: Planned, gpus: int) -> Simulated:
    """Run the chain of a policy on `gpus` GPUs; the same random numbers for every policy."""
    span = span_of(problem.instance, cfg.warm_up_s, cfg.seconds)
    keys = jax.random.split(jax.random.key(cfg.seed), cfg.seeds)
    windows = {
        "windows": cfg.windows,
        "window_s": span.seconds / cfg.windows,
        "warm_up_s": span.warm_up_s,
    }
    chain = chain_of(cfg, planned.policy)
    run = (planned.policy, problem.instance, planned.targets, keys)
    if chain == "aggregate":
        totals = aggregated.simulate(*run, **windows)
    else:
        totals = per_gpu.simulate(*run, gpus_max=gpus, **windows)
    return Simulated(
        planned, chain, totals, measure(totals, problem.instance, gpus, problem.pricing)
    )


def finite(value: object) -> float | None:
    """Return a number for a table or `summary.json`, None where there is none."""
    number = float(np.asarray(value))
    return number if np.isfinite(number) else None
