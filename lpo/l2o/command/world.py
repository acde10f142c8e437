"""Problems and their solutions: for training, for the choice of rates, and for tests."""

from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lpo.l2o.command.config import L2oConfig
from lpo.l2o.family import Family, Labels, Least, Problem, sample_problems
from lpo.l2o.noise import normaliser_of
from lpo.l2o.training import Solved, solved

_TRAINING, _TESTS, _VALIDATION, _STARTS, _OTHER_STARTS = range(5)


class World(NamedTuple):
    """training: solved problems; known: their solutions. problems, labels: of tests. starts: of
    tests, from the prior, [B, d]; more_starts: the same and more, [B, K, d]. validation: problems
    for rates. validation_starts: [V, d]. scale: below which values are not resolved, a thousandth
    of their mean at the prior. least: f* of tests, [B]. label_s: seconds that the solutions for
    training took. Scale and least are of what is `reported` of objectives."""

    training: Solved
    known: Labels
    problems: Problem
    labels: Labels
    starts: jax.Array
    more_starts: jax.Array
    validation: Problem
    validation_starts: jax.Array
    scale: float
    least: jax.Array
    label_s: float


def make_world(cfg: L2oConfig, family: Family) -> World:
    """Draw and solve the problems of a configuration."""
    given: Any = cfg
    key = jax.random.key(cfg.seed)

    def drawn(part: int, count: int) -> Problem:
        return sample_problems(family, jax.random.fold_in(key, part), count)

    def starts(part: int, count: int) -> jax.Array:
        keys = jax.random.split(jax.random.fold_in(key, part), count)
        return jax.vmap(family.prior)(keys)

    clock = perf_counter()
    known = drawn(_TRAINING, given.training.problems)
    labels = jax.block_until_ready(family.solve(known))
    label_s = perf_counter() - clock
    tests, count = drawn(_TESTS, given.tests), cfg.samples.count
    begun = starts(_STARTS, given.tests * count).reshape(given.tests, count, family.dimension)
    values = reported(family, jax.vmap(family.objective)(begun[:, 0], tests))
    solutions = family.solve(tests)
    zero = family.least is Least.ZERO
    return World(
        solved(known, labels, normaliser_of(labels.x)),
        labels,
        tests,
        solutions,
        begun[:, 0],
        begun,
        drawn(_VALIDATION, given.validation),
        starts(_OTHER_STARTS, given.validation),
        1e-3 * float(jnp.abs(values).mean()),
        jnp.zeros_like(solutions.value) if zero else reported(family, solutions.value),
        label_s,
    )


def reported(family: Family, values: jax.Array) -> jax.Array:
    """Return what tables say in place of objectives [...]."""
    return values if family.reported is None else family.reported.of(values)
