"""Learned starts of allocation solves: relaxations are solved and learned from, a prediction is
guarded and made whole. docs/l2o_warm_starts.md, "Two calls"."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.l2o.families.allocation import AllocationFamily, Multipliers, allocation, multipliers, used
from lpo.l2o.family import Labels, Problem, sample_problems
from lpo.l2o.linear import LinearFamily, family_of, labels, solved, split
from lpo.l2o.warm.guard import guarded
from lpo.l2o.warm.kinds import Kind, Settings, kind_named
from lpo.l2o.warm.pool import Pool, levels_for, make_pool, whole_plan
from lpo.l2o.warm.predictors import Predictor, fit
from lpo.l2o.warm.starters import Begin

_POOL, _TRAINING, _NETWORKS, _SAMPLES = 0, 1, 3, 4  # a rolling run draws its own between


class Lessons(NamedTuple):
    """Relaxations around an instance, solved. problems: leaves [M, ...]; labels: their solutions.
    pool: the pairs that some of them used, on which plans are made whole."""

    instance: Instance
    family: AllocationFamily
    pool: Pool
    problems: Problem
    labels: Labels


class AllocationStart(NamedTuple):
    """A learned start; as a function, the `start` of `lpo.allocate.solve_allocation`.

    begin: (problem, its instance) -> `Begin`, whose `fell_back` says that the guard refused.
    predictor: None where nothing is predicted.
    """

    instance: Instance
    predictor: Predictor | None
    begin: Callable[[Multipliers, Instance], Begin]

    def __call__(self, instance: Instance) -> Allocation | None:
        """Return a whole plan to begin from, None where the guard refuses and without a predictor.

        Raises InputError where more than arrivals and prices differ from the fitted instance's.
        """
        return self.begin(multipliers(self.instance, instance), instance).allocation


def allocation_start(
    instance: Instance,
    options: Options = CORRECTED,
    uncertainty: Uncertainty | None = None,
    *,
    predictor: Kind | str = Kind.REGRESSION,
    key: jax.Array | None = None,
    relaxations: int = 40,
    problems: int = 2000,
    demand_spread: float = 0.25,
    price_spread: float = 0.15,
    settings: Settings = Settings(),  # noqa: B008 - an immutable record
) -> AllocationStart:
    """Learn starts for allocation problems that have other arrivals and prices than `instance`.

    Pays where such a problem is solved again and again; where yesterday's plan is known, that is
    the better start (docs/l2o_warm_starts.md, "Measured").

    **Arguments:**

    - `predictor`: see `Kind`; the default won among those that learn. `none` starts nowhere.
    - `key`: of problems, networks and samples; None for that of seed 0.
    - the rest: as in `solve_relaxations` and `fitted_start`.

    **Raises:** InputError as those, and on an unknown predictor.
    """
    if kind_named(predictor) is Kind.NONE:
        return AllocationStart(instance, None, lambda problem, now: Begin(None))
    key = jax.random.key(0) if key is None else key
    lessons = solve_relaxations(
        instance,
        options,
        uncertainty,
        key=key,
        relaxations=relaxations,
        problems=problems,
        demand_spread=demand_spread,
        price_spread=price_spread,
    )
    return fitted_start(lessons, predictor, key, settings)


def solve_relaxations(
    instance: Instance,
    options: Options,
    uncertainty: Uncertainty | None,
    *,
    key: jax.Array,
    relaxations: int,
    problems: int,
    demand_spread: float,
    price_spread: float,
    solve: Callable[[LinearFamily, Problem], Labels] = labels,
) -> Lessons:
    """Solve relaxations with all columns, then many more with the columns that those used.

    **Arguments:**

    - `relaxations`, `problems`: how many of each.
    - `demand_spread`, `price_spread`: of the problems, as in `families.allocation.allocation`.
    - `solve`: as `lpo.l2o.linear.labels`, for a caller that shows progress.

    **Raises:** InputError on what `families.allocation.allocation` and `make_pool` refuse.
    """
    around = partial(
        allocation,
        instance,
        options,
        uncertainty,
        demand_spread=demand_spread,
        price_spread=price_spread,
    )
    wide = around()
    some = sample_problems(family_of(wide.linear), jax.random.fold_in(key, _POOL), relaxations)
    columns = used(wide.program, solved(wide.linear, some).x)
    family = around(columns=columns)
    known = sample_problems(family_of(family.linear), jax.random.fold_in(key, _TRAINING), problems)
    pairs = np.zeros(instance.shape[1:3], bool)
    pairs[columns.model, columns.tier] = True
    pool = make_pool(instance, options, family.program.uncertainty, pairs)
    return Lessons(instance, family, pool, known, solve(family.linear, known))


def fitted_start(
    lessons: Lessons,
    predictor: Kind | str,
    key: jax.Array,
    settings: Settings = Settings(),  # noqa: B008 - an immutable record
) -> AllocationStart:
    """Fit a predictor on solved relaxations; the same problem then gets the same start.

    Raises InputError as `lpo.l2o.warm.predictors.fit`.
    """
    linear = lessons.family.linear
    networks = jax.random.fold_in(key, _NETWORKS)
    found = fit(predictor, linear, lessons.problems, lessons.labels, networks, settings)
    begin = predicted(lessons.family, found, lessons.pool, jax.random.fold_in(key, _SAMPLES))
    return AllocationStart(lessons.instance, found, begin)


def predicted(
    family: AllocationFamily, predictor: Predictor, pool: Pool, key: jax.Array
) -> Callable[[Multipliers, Instance], Begin]:
    """Return (problem, its instance) -> a predicted point of the relaxation, past the guard, made
    whole on the pool. Where the guard refuses, nothing is handed over."""
    columns, layout = family.program.columns, family.program.layout
    C = len(columns.degree)
    J, K = family.program.instance.shape[1:3]

    @jax.jit
    def point(problem: Multipliers) -> tuple[jax.Array, jax.Array]:
        found = predictor.start(problem, key)
        checked = guarded(family.linear, predictor.known, problem, found.z)
        return split(family.linear, found.z)[0], checked.fell_back

    def begin(problem: Multipliers, instance: Instance) -> Begin:
        x, fell_back = point(jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), problem))
        if bool(fell_back):
            return Begin(None, fell_back=True)
        of_pairs = np.zeros((J, K))
        rented = np.asarray(x, np.float64)[layout.replicas : layout.replicas + C]
        np.add.at(of_pairs, (columns.model, columns.tier), rented)
        fraction = of_pairs[pool.model, pool.tier]
        first = levels_for(pool, fraction)
        return Begin(whole_plan(pool, instance, first, fraction).allocation)

    return begin
