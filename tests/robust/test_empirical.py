"""Empirical risk: the predictor approaches the optimum that the task's mathematics gives."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from lpo import forecast, provision, robust, workload
from lpo.optim import run, seed_keys
from lpo.robust.empirical import descend, draw_rows, start_predictor, validate


def fit(training, windows, steps=600):
    keys = seed_keys(0, 1)
    segments = run(
        training, keys, jax.vmap(training.init)(keys), windows, steps=steps, segment_steps=200
    )
    return list(segments)


def constant_predictor(scaler):
    """A predictor whose output ignores its input: one free number."""

    def apply(params, history, key=None):
        return scaler.mean * params * jnp.ones((*history.shape[:-1], 1))

    return forecast.Forecaster(lambda key: jnp.ones(()), apply, forecast.point_head())


@pytest.mark.parametrize("kind", ["mse", "dfl"])
def test_one_free_number_finds_the_mean_or_the_critical_quantile(tiny, kind):
    predictor = constant_predictor(tiny.scaler)
    if kind == "mse":
        loss = robust.prediction_loss(predictor, tiny.layout, tiny.scaler.mean)
    else:
        loss = robust.decision_loss(predictor, tiny.task, tiny.layout, tiny.scaler.mean)
    training = robust.empirical_risk(predictor, loss, steps=600, learning_rate=1e-2)
    state = fit(training, tiny.windows)[-1].state
    _, target = workload.pairs(np.asarray(tiny.windows.train), tiny.layout)
    optimum = target.mean() if kind == "mse" else np.quantile(target, 10 / 11)
    assert float(state.params[0]) * tiny.scaler.mean == pytest.approx(optimum, rel=0.02)


def test_dfl_beats_mse_with_a_plug_in_decision_under_newsvendor_prices(tiny):
    scores = {}
    for name, loss in {
        "dfl": tiny.loss,
        "mse": robust.prediction_loss(tiny.predictor, tiny.layout, tiny.scaler.mean),
    }.items():
        training = robust.empirical_risk(tiny.predictor, loss, steps=600)
        best = jax.tree.map(lambda x: x[0], fit(training, tiny.windows)[-1].state.best)
        scores[name] = float(jnp.mean(tiny.loss(best, tiny.windows.validation)))
    assert scores["dfl"] < scores["mse"]


def test_gradient_step_is_the_finite_difference_of_the_mean_loss(tiny):
    loss = robust.prediction_loss(tiny.predictor, tiny.layout, tiny.scaler.mean)  # has no kinks
    optimiser = optax.sgd(1.0)
    params = tiny.predictor.init(jax.random.PRNGKey(0))
    rows = tiny.windows.train[:64]
    state, losses = descend(
        start_predictor(params, optimiser), optimiser, lambda params: loss(params, rows)
    )
    flat, unravel = ravel_pytree(params)
    step = ravel_pytree(state.params)[0] - flat
    direction = step / jnp.linalg.norm(step)

    def mean_loss(amount):
        return float(jnp.mean(loss(unravel(flat + amount * direction), rows)))

    np.testing.assert_allclose(losses.mean(), mean_loss(0.0), rtol=1e-6)
    slope = (mean_loss(1e-2) - mean_loss(-1e-2)) / 2e-2
    assert slope == pytest.approx(-float(jnp.linalg.norm(step)), rel=0.01)


def test_best_parameters_are_those_of_the_least_validation_loss(tiny):
    training = robust.empirical_risk(tiny.predictor, tiny.loss, steps=600, learning_rate=3e-2)
    segments = fit(training, tiny.windows)
    losses = [float(s.metrics["validation_loss"][0, 0]) for s in segments]
    final = segments[-1].state
    assert float(final.best_loss[0]) == min(losses)
    best = jax.tree.map(lambda x: x[0], final.best)
    np.testing.assert_allclose(
        jnp.mean(tiny.loss(best, tiny.windows.validation)), min(losses), rtol=1e-5
    )


def test_without_a_validation_part_the_last_parameters_are_kept(tiny):
    state = start_predictor(jnp.asarray(1.0), optax.sgd(1.0))._replace(params=jnp.asarray(2.0))
    empty = tiny.windows._replace(validation=tiny.windows.validation[:0])
    after, metrics = validate(state, tiny.loss, empty)
    assert after.best == 2.0 and metrics == {}


def test_rows_are_drawn_uniformly():
    rows = draw_rows(jax.random.PRNGKey(0), jnp.arange(10.0)[:, None], 20_000)
    counts = np.bincount(np.asarray(rows[:, 0], int), minlength=10)
    assert np.abs(counts - 2000).max() < 4 * np.sqrt(2000 * 0.9)


def test_loss_scale_is_the_mean_demand_or_the_oracles_gain(tiny):
    assert robust.loss_scale(tiny.task, tiny.scaler) == tiny.scaler.mean
    # f*(c) = -0.17240286176667774 c in units of the capacity range (docs/provision.md)
    units = (tiny.scaler.mean - 200) / (400_000 - 200)
    scale = robust.loss_scale(provision.utility(provision.CODE), tiny.scaler)
    assert scale == pytest.approx(0.17240286176667774 * units, rel=1e-5)
