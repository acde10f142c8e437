"""The hours of a rolling run and everything that its searches begin from."""

from time import perf_counter
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd

from lpo.allocate import Allocation, Instance, Options, budget, generate
from lpo.allocate.uncertainty import Uncertainty
from lpo.l2o.command.analyses.labelling import labelled
from lpo.l2o.families.allocation import Multipliers
from lpo.l2o.family import sample_problems
from lpo.l2o.linear import family_of
from lpo.l2o.warm.allocation import AllocationStart, fitted_start, solve_relaxations
from lpo.l2o.warm.drift import drifting
from lpo.l2o.warm.kinds import Kind, Settings
from lpo.l2o.warm.starters import Begin, Starter, nowhere, planner, previous_plan
from lpo.runs import progress

LEARNED = (Kind.NEAREST, Kind.REGRESSION, Kind.DIFFUSION)
STARTS = ("none", "previous", "planner", *map(str, LEARNED))
_MEASURED = 64  # fresh problems on which predictions are measured
_DEMAND_SD, _PRICE_SD = 0.25, 0.15  # of training problems: what hours have, and a margin
_HOURS, _FRESH = 2, 5  # the others are of the starts


class Horizon(NamedTuple):
    """instance, options, uncertainty: the program. hours: what changes. starters: by name.
    learned: a row a learned start, with what it takes before the first hour."""

    instance: Instance
    options: Options
    uncertainty: Uncertainty
    hours: list[Multipliers]
    starters: dict[str, Starter]
    learned: pd.DataFrame


def horizon(seed: int, size: tuple[int, int, int], numbers: dict[str, float]) -> Horizon:
    """Solve relaxations, train on them, and return the starts; the same seed gives the same.

    numbers: of `analysis.values`. Horizon-consistent costs, box uncertainty.
    """
    count = {name: int(number) for name, number in numbers.items()}
    key = jax.random.key(seed)
    instance = generate("robust", count["instance"], size=size)
    options, uncertainty = Options(horizon_consistent=True), budget(np.inf, np.inf)
    clock = perf_counter()
    lessons = solve_relaxations(
        instance,
        options,
        uncertainty,
        key=key,
        relaxations=count["relaxations"],
        problems=count["problems"],
        demand_spread=_DEMAND_SD,
        price_spread=_PRICE_SD,
        solve=labelled,
    )
    label_s = perf_counter() - clock
    starters: dict[str, Starter] = {
        "none": nowhere,
        "previous": previous_plan(lessons.pool),
        "planner": planner(options, uncertainty, numbers["planner_s"]),
    }
    settings = Settings(levels=count["levels"], count=count["samples"], training=count["training"])
    problems_of = family_of(lessons.family.linear)
    fresh = sample_problems(problems_of, jax.random.fold_in(key, _FRESH), _MEASURED)
    rows = []
    with progress(len(LEARNED), "training", "start") as advance:
        for kind in LEARNED:
            clock = perf_counter()
            start = fitted_start(lessons, kind, key, settings)
            starters[str(kind)] = _starter(start)
            fit_s = perf_counter() - clock
            assert start.predictor is not None
            found = start.predictor.starts(fresh, key)
            error = float(np.median(np.asarray(found.error)))
            rows.append(
                {"start": str(kind), "labels_s": label_s, "fit_s": fit_s, "kkt_median": error}
            )
            advance(1)
    hours = drifting(
        jax.random.fold_in(key, _HOURS), instance.shape[0], instance.shape[2], count["solves"]
    )
    first = hours[0]  # compiled before any hour is timed
    for kind in LEARNED:
        starters[str(kind)](first, instance, None)
    return Horizon(instance, options, uncertainty, hours, starters, pd.DataFrame(rows))


def _starter(start: AllocationStart) -> Starter:
    def begin(problem: Multipliers, instance: Instance, previous: Allocation | None) -> Begin:
        del previous
        return start.begin(problem, instance)

    return begin
