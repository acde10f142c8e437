"""One interface of all predictors: what each must know of problems it has seen, and its counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.families.provisioning import provisioning
from lpo.l2o.family import sample_problems
from lpo.l2o.linear import cold_start, family_of, kkt_error, labels, projected
from lpo.l2o.warm.kinds import Kind, Settings
from lpo.l2o.warm.predictors import fit, guarded_starts

LINEAR = provisioning()
FAMILY = family_of(LINEAR)
PROBLEMS = sample_problems(FAMILY, jax.random.PRNGKey(0), 1000)
LABELS = labels(LINEAR, PROBLEMS)
TEST = sample_problems(FAMILY, jax.random.PRNGKey(1), 32)
KEY = jax.random.PRNGKey(2)
SMALL = Settings(levels=4, count=3, training=500, batch=64, width=64)
QUICK = tuple(kind for kind in Kind if kind is not Kind.DIFFUSION_MEAN)


@pytest.fixture(scope="module")
def fitted():
    return {kind: fit(kind, LINEAR, PROBLEMS, LABELS, KEY, SMALL) for kind in QUICK}


def test_every_kind_gives_points_inside_bounds_and_their_errors(fitted):
    for kind, predictor in fitted.items():
        found = predictor.starts(TEST, KEY)
        assert found.z.shape == (32, 33), kind
        np.testing.assert_array_equal(found.z, projected(LINEAR, found.z))
        errors = jax.vmap(lambda z, p: kkt_error(LINEAR, z, p))(found.z, TEST)
        np.testing.assert_allclose(found.error, errors, rtol=1e-4)


def test_one_problem_alone_is_the_first_of_many(fitted):
    first = jax.tree.map(lambda leaf: leaf[0], TEST)
    for kind in (Kind.REGRESSION, Kind.DIFFUSION):
        one = fitted[kind].start(first, jax.random.fold_in(KEY, 0))
        many = fitted[kind].starts(TEST, KEY)
        np.testing.assert_allclose(one.z, many.z[0], atol=2e-3)


def test_what_needs_no_training(fitted):
    np.testing.assert_array_equal(fitted[Kind.NONE].starts(TEST, KEY).z[3], cold_start(LINEAR))
    mean = fitted[Kind.MEAN].starts(TEST, KEY).z[3]
    np.testing.assert_allclose(mean, projected(LINEAR, LABELS.x.mean(0)), atol=1e-6)
    seen = fitted[Kind.NEAREST].starts(PROBLEMS, KEY)
    np.testing.assert_allclose(seen.z, projected(LINEAR, LABELS.x), atol=1e-6)


def test_learned_starts_are_better_than_cold_ones(fitted):
    error = {
        kind: float(jnp.median(predictor.starts(TEST, KEY).error))
        for kind, predictor in fitted.items()
    }
    assert error[Kind.REGRESSION] < 0.5 * error[Kind.NONE]
    assert error[Kind.DIFFUSION] < 0.9 * error[Kind.NONE]


def test_gradients_of_samples_are_counted(fitted):
    assert int(fitted[Kind.DIFFUSION].starts(TEST, KEY).calls[0]) == 3 * (4 + 1)
    assert int(fitted[Kind.REGRESSION].starts(TEST, KEY).calls[0]) == 0


def test_the_guard_says_how_often_it_fell_back(fitted):
    usual = guarded_starts(LINEAR, fitted[Kind.REGRESSION], TEST, KEY)
    assert float(usual.fell_back.mean()) < 0.3
    regime = family_of(provisioning(price_factor=(3.0, 1.0, 0.4, 1.0, 2.0)))
    strange = sample_problems(regime, KEY, 32)
    found = guarded_starts(LINEAR, fitted[Kind.REGRESSION], strange, KEY)
    assert float(found.fell_back.mean()) > 0.8
    np.testing.assert_array_equal(
        found.z[np.asarray(found.fell_back)][0], np.asarray(cold_start(LINEAR))
    )


def test_bad_arguments():
    with pytest.raises(InputError, match="predictor"):
        fit("oracle", LINEAR, PROBLEMS, LABELS, KEY)
    with pytest.raises(InputError, match="labels"):
        fit("mean", LINEAR, PROBLEMS, LABELS._replace(x=jnp.zeros((300, 5))), KEY)
