"""Heads: order and sign of the outputs, losses against hand-made values, interpolation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.forecast.heads import (
    decision_forecast,
    multiples,
    point_head,
    prediction_loss,
    quantile_head,
)

LEVELS = (0.1, 0.5, 0.9)


def test_zero_from_the_network_means_one_level_or_a_uniform_law_around_it():
    np.testing.assert_allclose(multiples(point_head(), jnp.zeros((2, 1))), 1.0, rtol=1e-6)
    quantiles = multiples(quantile_head(LEVELS), jnp.zeros((2, 3)))
    np.testing.assert_allclose(quantiles, np.tile([0.6, 1.0, 1.4], (2, 1)), rtol=1e-6)


def test_quantiles_ascend_and_keep_a_gradient_for_any_network_output():
    raw = 3 * jax.random.normal(jax.random.key(0), (200, 3))
    outputs = multiples(quantile_head(LEVELS), raw)
    assert (outputs > 0).all()
    assert (jnp.diff(outputs) > 0).all()
    gradient = jax.grad(lambda raw: multiples(quantile_head(LEVELS), raw)[..., -1].sum())(raw)
    assert (gradient > 0).all()


def test_point_loss_is_the_relative_squared_error():
    loss = prediction_loss(point_head(), jnp.array([[12.0], [5.0]]), jnp.array([10.0, 5.0]), 4.0)
    np.testing.assert_allclose(loss, [0.25, 0.0])


def test_quantile_loss_is_the_mean_pinball_loss():
    outputs, target = jnp.array([[6.0, 9.0, 14.0]]), jnp.array([10.0])
    expected = (0.1 * 4 + 0.5 * 1 + 0.1 * 4) / 3 / 2.0
    np.testing.assert_allclose(
        prediction_loss(quantile_head(LEVELS), outputs, target, 2.0), [expected], rtol=1e-6
    )


def test_least_quantile_loss_is_at_the_sample_quantile():
    target = jnp.asarray(np.random.default_rng(0).lognormal(0, 1, 501), jnp.float32)
    candidates = jnp.sort(target)
    head = quantile_head((0.9,))
    losses = jax.vmap(lambda q: prediction_loss(head, jnp.full((501, 1), q), target, 1.0).mean())(
        candidates
    )
    assert int(losses.argmin()) == int(np.ceil(0.9 * 501)) - 1


@pytest.mark.parametrize(
    ("fractile", "expected"), [(None, 20.0), (0.1, 10.0), (0.9, 50.0), (0.7, 35.0), (0.3, 15.0)]
)
def test_decision_forecast_interpolates_between_levels(fractile, expected):
    outputs = jnp.array([[10.0, 20.0, 50.0]])
    forecast = decision_forecast(quantile_head(LEVELS), outputs, fractile)
    np.testing.assert_allclose(forecast, [expected], rtol=1e-6)


def test_point_head_decides_by_its_output_at_any_fractile():
    assert decision_forecast(point_head(), jnp.array([[7.0]]), 10 / 11) == 7.0


def test_a_single_level_serves_its_own_fractile():
    assert decision_forecast(quantile_head((10 / 11,)), jnp.array([[7.0]]), 10 / 11) == 7.0


@pytest.mark.parametrize("fractile", [10 / 11, 0.05])
def test_a_fractile_beyond_the_levels_is_refused(fractile):
    with pytest.raises(InputError, match="fractile"):
        decision_forecast(quantile_head(LEVELS), jnp.ones((1, 3)), fractile)


@pytest.mark.parametrize(
    "levels", [(), (0.5, 0.5), (0.9, 0.1), (0.0, 0.5), (0.5, 1.0), (float("nan"),)]
)
def test_levels_that_do_not_ascend_inside_the_unit_interval_are_refused(levels):
    with pytest.raises(InputError, match="levels"):
        quantile_head(levels)
