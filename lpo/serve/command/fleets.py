"""Chains of many fleets: those that differ only in their instance as one, and on all cores."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np

from lpo.errors import InputError
from lpo.runs import progress
from lpo.runs.numbers_given import numbers_or
from lpo.serve import aggregated
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.problem import Problem, planned
from lpo.serve.command.simulating import (
    Simulated,
    chain_of,
    mean_decode_s,
    simulate_chain,
    span_of,
)
from lpo.serve.instance import Instance
from lpo.serve.measures import Estimate, flow_variate, measure, rewards
from lpo.serve.policies import Policy


class Size(NamedTuple):
    """A fleet: GPUs, independent runs, and seconds of each before and while it counts."""

    gpus: int
    seeds: int
    warm_up_s: float
    seconds: float


class Run(NamedTuple):
    """A policy on a fleet of some size."""

    problem: Problem
    policy: Policy
    size: Size


def sizes_of(
    cfg: ServeConfig, instance: Instance, seeds: Sequence[float], decode_times: Sequence[float]
) -> list[Size]:
    """Return the fleets of `analysis.fleets` in increasing order.

    **Arguments:**

    - `seeds`, `decode_times`: runs, and mean decode times that count; a number for each fleet, or
      one for all. Large fleets vary less and cost more, so that few short runs are enough.

    `seconds` of the configuration, where it is given, goes before `decode_times`. Raises InputError
    on another number of numbers, and on parts of a seed.
    """
    fleets = cfg.analysis.fleets
    if any(number != int(number) for number in seeds):
        raise InputError(f"analysis.values.seeds: {list(seeds)} given; allowed: whole numbers")
    columns: list[list[float]] = []
    for name, numbers in (("seeds", seeds), ("decode_times", decode_times)):
        if len(numbers) not in (1, len(fleets)):
            raise InputError(
                f"analysis.values.{name}: {len(numbers)} numbers given; allowed: one, or one for "
                f"each of the {len(fleets)} fleets"
            )
        columns.append(list(numbers) * (len(fleets) // len(numbers)))
    unit, sizes = mean_decode_s(instance), []
    for gpus, count, times in zip(fleets, *columns, strict=True):
        seconds = unit * times if cfg.seconds is None else cfg.seconds
        sizes.append(Size(gpus, int(count), *span_of(instance, cfg.warm_up_s, seconds)))
    return sorted(sizes)


def each_on_every_fleet(cfg: ServeConfig, problem: Problem) -> list[Run]:
    """Return every policy on every fleet of `analysis.fleets`, the smallest fleets first; seeds and
    decode_times are numbers of `analysis.values`."""
    values = numbers_or(cfg, seeds=(16,), decode_times=(100,))
    sizes = sizes_of(cfg, problem.instance, values["seeds"], values["decode_times"])
    return [Run(problem, policy, size) for size in sizes for policy in problem.policies]


def simulate_runs(cfg: ServeConfig, runs: Sequence[Run]) -> list[Simulated]:
    """Return what became of each run, in their order.

    Runs of a policy on fleets of one size are cases of one program; a program keeps about one core
    busy, so that as many run at a time as there are cores, the largest first.
    """
    groups = _groups(cfg, runs)
    done: dict[int, Simulated] = {}
    with (
        progress(len(groups), "fleets", "program") as advance,
        ThreadPoolExecutor(min(os.cpu_count() or 1, len(groups))) as pool,
    ):
        futures = [pool.submit(_simulated, cfg, [runs[i] for i in group]) for group in groups]
        for group, future in zip(groups, futures, strict=True):
            done |= dict(zip(group, future.result(), strict=True))
            advance(1)
    return [done[i] for i in range(len(runs))]


def share_of_optimum(problem: Problem, run: Simulated, gpus: int) -> Estimate:
    """Return R^n / R*, from intensities with the flow out of the system as control variate."""
    each = rewards(run.totals, problem.instance, problem.pricing) / (gpus * problem.optimum.value)
    return flow_variate(run.totals, each, problem.instance, gpus)


def _groups(cfg: ServeConfig, runs: Sequence[Run]) -> list[list[int]]:
    """Positions of runs that are simulated together, the most events first."""
    groups: dict[object, list[int]] = {}
    for i, (problem, policy, size) in enumerate(runs):
        alone = None if chain_of(cfg, policy) == "aggregate" else i
        groups.setdefault((policy, size, len(problem.instance.arrival), alone), []).append(i)

    def events(group: list[int]) -> float:
        _, _, size = runs[group[0]]
        busiest = max(float(runs[i].problem.instance.arrival.sum()) for i in group)
        return size.gpus * (size.warm_up_s + size.seconds) * busiest

    return sorted(groups.values(), key=events, reverse=True)


def _simulated(cfg: ServeConfig, runs: Sequence[Run]) -> list[Simulated]:
    policy, size = runs[0].policy, runs[0].size
    each = [planned(run.problem, policy, size.gpus) for run in runs]
    if len(runs) == 1:
        own = replace(cfg, seeds=size.seeds, warm_up_s=size.warm_up_s, seconds=size.seconds)
        return [simulate_chain(own, runs[0].problem, each[0], size.gpus)]
    instances, targets = (
        jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
        for trees in ([run.problem.instance for run in runs], [one.targets for one in each])
    )
    totals = aggregated.simulate(
        policy,
        instances,
        targets,
        jax.random.split(jax.random.key(cfg.seed), size.seeds),
        windows=cfg.windows,
        window_s=size.seconds / cfg.windows,
        warm_up_s=size.warm_up_s,
    )
    found: list[Simulated] = []
    for i, (run, one) in enumerate(zip(runs, each, strict=True)):
        own = jax.tree.map(lambda leaf, i=i: leaf[i], totals)
        instance, pricing = run.problem.instance, run.problem.pricing
        measures = measure(own, instance, size.gpus, pricing)
        found.append(Simulated(one, "aggregate", own, measures))
    return found
