"""Regression and nearest neighbour."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.families.landscapes import rastrigin
from lpo.l2o.family import Family, sample_problems
from lpo.l2o.learned import regression
from lpo.l2o.learned.nearest import nearest
from lpo.l2o.learned.predictor import statistics
from lpo.l2o.noise import normaliser_of
from lpo.l2o.training import Objective
from tests.l2o.worlds import program_of, quadratic
from tests.quick import jit

FAMILY = quadratic((1.0, 4.0, 0.5))


def known(family: Family, count: int = 512, seed: int = 1):
    problems = sample_problems(family, jax.random.key(seed), count)
    return problems, family.solve(problems)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_regression_learns_the_solution_of_new_problems(alpha: float):
    problems, labels = known(FAMILY)
    data = regression.solved(FAMILY, problems, labels, normaliser_of(labels.x))
    size = {"width": 32, "layers": 2}
    training = regression.make_training(
        FAMILY, steps=300, objective=Objective(alpha), batch=64, rate=5e-3, decay=0.98, **size
    )
    params = program_of(training)(jax.random.key(0), data, 300).ema
    asked, truth = known(FAMILY, 128, seed=2)
    found = jit(jax.vmap(regression.regression(FAMILY, params, data, **size)))(asked)
    apart = np.asarray(((found - truth.x) ** 2).sum(1).mean())
    assert apart < 0.01 * float(truth.x.var(0).sum())


def test_regression_begins_at_the_mean():
    problems, labels = known(FAMILY)
    data = regression.solved(FAMILY, problems, labels, normaliser_of(labels.x))
    state = jit(regression.make_training(FAMILY, steps=1).init)(jax.random.key(0))
    found = jit(regression.regression(FAMILY, state.ema, data))(problems[3])
    np.testing.assert_allclose(found, labels.x.mean(0), atol=1e-6)


def test_nearest_against_brute_force():
    problems, labels = known(FAMILY, 50)
    # one feature in other units: distances must not depend on that
    units = jnp.asarray([1.0, 1000.0, 1e-3])
    scaled = FAMILY._replace(features=lambda p: p * units)
    asked, _ = known(FAMILY, 20, seed=2)
    std, solutions = np.asarray(problems).std(0), np.asarray(labels.x)
    for family in (FAMILY, scaled):
        found = jit(jax.vmap(nearest(family, problems, labels.x)))(asked)
        for x, p in zip(found, np.asarray(asked), strict=True):
            distance = (((np.asarray(problems) - p) / std) ** 2).sum(1)
            np.testing.assert_array_equal(x, solutions[distance.argmin()])


def test_nearest_knows_what_it_has_seen():
    problems, labels = known(FAMILY, 30)
    found = jit(jax.vmap(nearest(FAMILY, problems, labels.x)))(problems)
    np.testing.assert_array_equal(found, labels.x)


def test_features_that_never_move_stay_finite():
    features = jnp.asarray([[1.0, 5.0], [3.0, 5.0]])
    mean, std = statistics(features)
    np.testing.assert_allclose(mean, [2.0, 5.0])
    np.testing.assert_allclose(std, [1.0, 1.0])


def test_families_that_tell_nothing_are_refused():
    family = rastrigin(2)
    problems, labels = known(family, 4)
    with pytest.raises(InputError, match="tells nothing"):
        nearest(family, problems, labels.x)
    with pytest.raises(InputError, match="tells nothing"):
        regression.solved(family, problems, labels, normaliser_of(labels.x))
    with pytest.raises(InputError, match="at least 1"):
        regression.make_training(FAMILY, steps=1, layers=0)
