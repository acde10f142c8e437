"""The hours of a rolling run and everything that its searches begin from."""

from functools import partial
from time import perf_counter
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd

from lpo.allocate import Instance, Options, budget, generate
from lpo.allocate.uncertainty import Uncertainty
from lpo.l2o.command.analyses.labelling import labelled
from lpo.l2o.families.allocation import Multipliers, allocation, used
from lpo.l2o.family import sample_problems
from lpo.l2o.linear import family_of, solved
from lpo.l2o.warm.pool import make_pool
from lpo.l2o.warm.predictors import Kind, Settings, fit
from lpo.l2o.warm.rolling import (
    Starter,
    drifting,
    nowhere,
    planner,
    predicted,
    previous_plan,
)
from lpo.runs import progress

LEARNED = (Kind.NEAREST, Kind.REGRESSION, Kind.DIFFUSION)
STARTS = ("none", "previous", "planner", *map(str, LEARNED))
_MEASURED = 64  # fresh problems on which predictions are measured
_DEMAND_SD, _PRICE_SD = 0.25, 0.15  # of training problems: what hours have, and a margin
_POOL, _TRAINING, _HOURS, _NETWORKS, _SAMPLES, _FRESH = range(6)


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
    drawn = partial(allocation, demand_spread=_DEMAND_SD, price_spread=_PRICE_SD)
    clock = perf_counter()
    wide = drawn(instance, options, uncertainty)
    some = sample_problems(
        family_of(wide.linear), jax.random.fold_in(key, _POOL), count["relaxations"]
    )
    columns = used(wide.program, solved(wide.linear, some).x)
    family = drawn(instance, options, uncertainty, columns=columns)
    problems_of = family_of(family.linear)
    known = sample_problems(problems_of, jax.random.fold_in(key, _TRAINING), count["problems"])
    labels = labelled(family.linear, known)
    label_s = perf_counter() - clock
    pairs = np.zeros(instance.shape[1:3], bool)
    pairs[columns.model, columns.tier] = True
    pool = make_pool(instance, options, uncertainty, pairs)
    starters: dict[str, Starter] = {
        "none": nowhere,
        "previous": previous_plan(pool),
        "planner": planner(options, uncertainty, numbers["planner_s"]),
    }
    settings = Settings(levels=count["levels"], count=count["samples"], training=count["training"])
    fresh = sample_problems(problems_of, jax.random.fold_in(key, _FRESH), _MEASURED)
    rows = []
    with progress(len(LEARNED), "training", "start") as advance:
        for kind in LEARNED:
            clock = perf_counter()
            networks = jax.random.fold_in(key, _NETWORKS)
            predictor = fit(kind, family.linear, known, labels, networks, settings)
            samples = jax.random.fold_in(key, _SAMPLES)
            starters[str(kind)] = predicted(family, predictor, pool, samples)
            fit_s = perf_counter() - clock
            error = float(np.median(np.asarray(predictor.starts(fresh, samples).error)))
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
