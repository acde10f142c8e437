"""The guard: cold where the start is worse, not a number, or the problem outside the range."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.families.provisioning import provisioning
from lpo.l2o.family import sample_problems
from lpo.l2o.linear import cold_start, family_of, labels
from lpo.l2o.warm.guard import Range, distance, guarded, training_range

LINEAR = provisioning()
FAMILY = family_of(LINEAR)
TRAINING = sample_problems(FAMILY, jax.random.PRNGKey(0), 2000)
KNOWN = training_range(jax.vmap(LINEAR.features)(TRAINING))


def every(problems, z):
    return jax.jit(jax.vmap(lambda problem, z: guarded(LINEAR, KNOWN, problem, z)))(problems, z)


def test_a_good_start_passes_and_a_bad_one_does_not():
    problems = sample_problems(FAMILY, jax.random.PRNGKey(1), 24)
    z = labels(LINEAR, problems).x
    good = every(problems, z)
    inside = ~np.asarray(good.outside)
    assert inside.mean() > 0.9 and not np.asarray(good.worse).any()
    np.testing.assert_array_equal(np.asarray(good.z)[inside], np.asarray(z)[inside])
    cold = np.tile(cold_start(LINEAR), (24, 1))
    for bad in (z * jnp.nan, 50.0 * z + 50.0):
        found = every(problems, bad)
        assert bool(found.worse.all()) and bool(found.fell_back.all())
        np.testing.assert_array_equal(found.z, cold)
        assert bool(jnp.isfinite(found.error).all())


def test_other_prices_are_outside_the_range():
    regime = provisioning(price_factor=(3.0, 1.0, 0.4, 1.0, 2.0))
    problems = sample_problems(family_of(regime), jax.random.PRNGKey(2), 200)
    z = jnp.tile(cold_start(LINEAR), (200, 1))
    assert float(every(problems, z).outside.mean()) > 0.9
    usual = sample_problems(FAMILY, jax.random.PRNGKey(3), 1000)
    assert float(every(usual, jnp.tile(z[:1], (1000, 1))).outside.mean()) < 0.01


def test_the_distance_of_a_normal_law_is_chi_squared():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(3, 3))
    told = rng.normal(size=(20_000, 3)) @ root.T + 5.0
    known = training_range(told, level=0.9)
    assert known.most == pytest.approx(np.sqrt(6.251), rel=0.02)  # chi-squared table, 3 degrees
    at = np.float32(5.0) + root @ np.array([0.0, 2.0, 0.0])
    assert float(distance(known, jnp.asarray(at, jnp.float32))) == pytest.approx(2.0, rel=0.03)


def test_a_feature_that_never_moves():
    told = np.random.default_rng(0).normal(size=(50, 2)) * [1.0, 0.0]
    known = training_range(told)
    assert isinstance(known, Range) and np.isfinite(known.whiten).all()
    assert float(distance(known, jnp.array([0.0, 3.0]))) > known.most


def test_bad_arguments():
    with pytest.raises(InputError, match="level"):
        training_range(np.zeros((5, 2)), level=1.0)
    with pytest.raises(InputError, match="features"):
        training_range(np.zeros((2, 2)))
