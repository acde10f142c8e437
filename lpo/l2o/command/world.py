"""Problems and their solutions: for training, for the choice of rates, and for tests."""

from time import perf_counter
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lpo.l2o.command.config import L2oConfig
from lpo.l2o.family import Family, Labels, Problem, sample_problems
from lpo.l2o.noise import normaliser_of
from lpo.l2o.training import Solved, solved

_TRAINING, _TESTS, _VALIDATION, _STARTS, _OTHER_STARTS = range(5)


class World(NamedTuple):
    """training: solved problems; known: their solutions. problems, labels: of tests. starts: of
    tests, from the prior, [B, d]; more_starts: the same and more, [B, K, d]. validation: problems
    for rates. validation_starts: [V, d]. scale: below which objectives are not resolved, a
    thousandth of their mean at the prior. label_s: seconds that the solutions for training took."""

    training: Solved
    known: Labels
    problems: Problem
    labels: Labels
    starts: jax.Array
    more_starts: jax.Array
    validation: Problem
    validation_starts: jax.Array
    scale: float
    label_s: float


def make_world(cfg: L2oConfig, family: Family) -> World:
    """Draw and solve the problems of a configuration."""
    key = jax.random.key(cfg.seed)

    def drawn(part: int, count: int) -> Problem:
        return sample_problems(family, jax.random.fold_in(key, part), count)

    def starts(part: int, count: int) -> jax.Array:
        keys = jax.random.split(jax.random.fold_in(key, part), count)
        return jax.vmap(family.prior)(keys)

    clock = perf_counter()
    known = drawn(_TRAINING, cfg.training.problems)
    labels = jax.block_until_ready(family.solve(known))
    label_s = perf_counter() - clock
    tests, count = drawn(_TESTS, cfg.tests), cfg.samples.count
    begun = starts(_STARTS, cfg.tests * count).reshape(cfg.tests, count, family.dimension)
    values = jax.vmap(family.objective)(begun[:, 0], tests)
    return World(
        solved(known, labels, normaliser_of(labels.x)),
        labels,
        tests,
        family.solve(tests),
        begun[:, 0],
        begun,
        drawn(_VALIDATION, cfg.validation),
        starts(_OTHER_STARTS, cfg.validation),
        1e-3 * float(jnp.abs(values).mean()),
        label_s,
    )
