"""Spaces of a score model: maps that undo each other, their cuts, their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.workload import fit_scaler, level_space, linear_space, log_space
from tests import quick

TRAIN = np.random.default_rng(0).lognormal(12.0, 0.8, (50, 20))  # tokens; mean about 220 000
MEAN = TRAIN.mean()
SPACES = {"linear": linear_space(fit_scaler(TRAIN)), "log": log_space(TRAIN)}


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]


def test_maps_undo_each_other_for_either_kind_of_array(space):
    tokens = np.concatenate([[0.0, 1.0], MEAN * np.geomspace(1e-3, 49, 40)])
    np.testing.assert_allclose(space.to_tokens(space.to_model(tokens)), tokens, atol=1e-6)
    single = space.to_tokens(space.to_model(jnp.asarray(tokens, jnp.float32)))
    np.testing.assert_allclose(single, tokens, rtol=1e-5, atol=1e-6 * MEAN)


def test_train_part_is_standardised(space):
    x = space.to_model(TRAIN)
    assert x.shape == TRAIN.shape
    assert x.mean() == pytest.approx(0, abs=1e-9) and x.std() == pytest.approx(1)


def test_linear_space_is_that_of_the_scaler():
    tokens = np.array([0.0, MEAN, 3 * MEAN])
    np.testing.assert_allclose(SPACES["linear"].to_model(tokens), (tokens - MEAN) / TRAIN.std())


def test_what_the_model_says_of_demand_is_cut_at_zero_and_in_log_space_at_fifty_means(space):
    x = np.array([-1e3, 1e3])
    low, high = space.to_tokens(x)
    assert low == 0
    expected = 50 * MEAN if space is SPACES["log"] else MEAN + 1e3 * TRAIN.std()
    assert high == pytest.approx(expected, rel=1e-12)
    assert np.isfinite(np.asarray(space.to_tokens(jnp.asarray(1e3 * x, jnp.float32)))).all()


def test_gradients_are_finite_and_right(space):
    """At no demand too, and zero where demand is cut. Against finite differences in float64."""
    tokens = MEAN * np.array([0.0, 0.01, 1.0, 20.0])
    step = 1e-6 * MEAN
    slope = (space.to_model(tokens + step) - space.to_model(tokens)) / step
    found = quick.jit(jax.vmap(jax.grad(space.to_model)))(jnp.asarray(tokens, jnp.float32))
    np.testing.assert_allclose(found, slope, rtol=1e-4)

    x = space.to_model(tokens[1:])
    gradient = quick.jit(jax.vmap(jax.grad(space.to_tokens)))
    back = gradient(jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(back * slope[1:], 1.0, rtol=1e-4)  # of inverse functions
    cut = jnp.asarray([-1e3, 1e3] if space is SPACES["log"] else [-1e3])
    assert not np.any(gradient(cut))


def test_change_of_level_is_a_shift_of_all_bins_in_log_space():
    """By log k, whatever the level: up to .05 of the mean, which the bin's demand is added to."""
    spread = np.log(0.05 + TRAIN / MEAN).std()
    for level in (0.5, 3.0):
        shift = SPACES["log"].to_model(level * TRAIN) - SPACES["log"].to_model(TRAIN)
        error = np.abs(spread * shift - np.log(level))
        assert np.all(error <= 0.05 * abs(1 / level - 1) / (TRAIN / MEAN))
        assert np.median(error) < 0.1 * abs(np.log(level))


LEVEL = level_space(TRAIN)
OF_LEVELS = TRAIN.mean(axis=1, keepdims=True)


def test_level_and_shape_undo_each_other_and_are_standardised():
    x = LEVEL.to_model(TRAIN)
    assert x.shape == (50, 21) and LEVEL.extra == 1
    np.testing.assert_allclose(LEVEL.to_tokens(x), TRAIN)
    single = LEVEL.to_tokens(LEVEL.to_model(jnp.asarray(TRAIN, jnp.float32)))
    np.testing.assert_allclose(single, TRAIN, rtol=1e-4)
    for part in (x[:, :1], x[:, 1:]):
        assert part.mean() == pytest.approx(0, abs=1e-9) and part.std() == pytest.approx(1)
    np.testing.assert_array_equal(LEVEL.to_tokens(LEVEL.to_model(np.zeros((1, 20)))), 0)


def test_level_of_a_window_is_one_number_and_its_shape_does_not_know_it():
    """The number moves by log k / spread, up to .005 of the mean, which the level is added to."""
    x, twice = LEVEL.to_model(TRAIN), LEVEL.to_model(2 * TRAIN)
    np.testing.assert_allclose(twice[:, 1:], x[:, 1:], atol=1e-9)
    spread = np.log(0.005 + OF_LEVELS / MEAN).std()
    error = spread * (twice - x)[:, :1] - np.log(2)
    assert np.all(np.abs(error) <= 0.005 / 2 / (OF_LEVELS / MEAN))
    back = LEVEL.to_tokens(x + np.eye(21)[0])
    np.testing.assert_allclose(back / TRAIN, (back / TRAIN)[:, :1] * np.ones((1, 20)))


def test_level_and_shape_are_cut_at_fifty_means_and_at_zero():
    high = LEVEL.to_tokens(np.concatenate([np.full((1, 1), 1e3), np.zeros((1, 20))], axis=1))
    np.testing.assert_allclose(high, 50 * MEAN)
    low = np.concatenate([np.full((1, 1), -1e3), np.ones((1, 20))], axis=1)
    assert np.all(LEVEL.to_tokens(low) == 0)
    assert np.all(LEVEL.to_tokens(np.full((1, 21), -1e3)) == 0)


def test_gradients_of_level_and_shape_are_finite_and_right():
    """A change of level there and back is itself; without demand gradients are still finite."""

    @quick.jit
    def there_and_back(tokens):
        x, moved = jax.jvp(LEVEL.to_model, (tokens,), (tokens,))
        return jax.jvp(LEVEL.to_tokens, (x,), (moved,))[1]

    @quick.jit
    def gradients(tokens):
        x = LEVEL.to_model(tokens)
        return [
            jax.grad(lambda x, f=f: f(x).sum())(at)
            for f, at in zip(LEVEL[:2], (tokens, x), strict=True)
        ]

    tokens = jnp.asarray(TRAIN[:1], jnp.float32)
    np.testing.assert_allclose(there_and_back(tokens), tokens, rtol=1e-3)
    assert all(np.isfinite(each).all() for each in gradients(0 * tokens))
