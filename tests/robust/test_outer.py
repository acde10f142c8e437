"""Outer epochs: what is prepared, what descends and how often, what every seed has of its own."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lpo import diffusion, robust
from lpo.optim import adam
from tests import quick

EPOCHS, STEPS, RATE = 3, 4, 0.05
ROWS = jnp.arange(10.0)[:, None]
REAL = robust.Windows(ROWS, jnp.zeros((0, 1)))
DATA = robust.RobustData(REAL)
KEYS = jax.random.split(jax.random.PRNGKey(0), EPOCHS)


def square(w, windows, key=None):
    """Squared distance of one free number to windows of one bin."""
    return (windows[:, 0] - w) ** 2


def train(inner, params, data=DATA, *, steps=STEPS, decay=0.0):
    """State and metrics [EPOCHS] of a training, closed after every epoch."""
    training = robust.outer_epochs(
        inner, square, epochs=EPOCHS, predictor_steps=steps, learning_rate=RATE, weight_decay=decay
    )

    @quick.jit
    def whole(params, data):
        def epoch(state, key):
            state, metrics = training.update(key, state, data)
            state, closing = training.close(state, data)
            return state, metrics | closing

        return jax.lax.scan(epoch, training.init(jax.random.PRNGKey(9), params, data), KEYS)

    return whole(params, data)


def unprepared(losses):
    """An inner problem with nothing to prepare."""
    return robust.Inner(
        lambda key, data: (), lambda key, state, params, data: (state, (), {}), losses
    )


def prepare_ahead(key, count, params, data):
    """Counts the epochs; each goes further ahead of where the predictor is."""
    return count + 1.0, params + count, {"count": count, "at": params}


def losses_ahead(key, params, data, context):
    return jnp.stack([(params - context - 1.0) ** 2, (params - context - 2.0) ** 2])


AHEAD = robust.Inner(lambda key, data: jnp.zeros(()), prepare_ahead, losses_ahead)


def test_inner_problem_is_prepared_once_an_epoch_and_one_optimiser_takes_all_steps():
    """Against a plain loop: one Adam, whose rate decays over all epochs and never starts anew."""
    state, metrics = train(AHEAD, jnp.asarray(0.3), decay=0.1)
    optimiser = adam(RATE, EPOCHS * STEPS, 0.1)
    w: Any = jnp.asarray(0.3)
    memory = optimiser.init(w)
    for epoch in range(EPOCHS):
        context, losses = w + epoch, []
        assert float(metrics["at"][epoch]) == pytest.approx(float(w), rel=1e-5)
        for _ in range(STEPS):
            gap = w - context - 1.5  # the mean of both losses is gap^2 + 1/4
            losses.append(gap**2 + 0.25)
            change, memory = optimiser.update(2 * gap, memory, w)
            w = optax.apply_updates(w, change)
        assert float(metrics["loss"][epoch]) == pytest.approx(float(np.mean(losses)), rel=1e-5)
    assert float(state.predictor.params) == pytest.approx(float(w), rel=1e-5)
    assert np.array_equal(metrics["count"], range(EPOCHS)) and state.inner == EPOCHS


def test_every_epoch_and_step_draws_afresh():
    """One draw for all steps of an epoch would be anywhere in [0, 1], not near 1/2 each time."""

    def prepare(key, state, params, data):
        return state, (), {"prepared": jax.random.uniform(key)}

    def losses(key, params, data, context):
        return jnp.full(2, jax.random.uniform(key))

    inner = robust.Inner(lambda key, data: (), prepare, losses)
    _, metrics = train(inner, jnp.asarray(0.0), steps=400)
    np.testing.assert_allclose(metrics["loss"], 0.5, atol=4 / np.sqrt(12 * 400))
    assert len({*map(float, metrics["prepared"]), *map(float, metrics["loss"])}) == 2 * EPOCHS


def test_dfl_matched_takes_the_steps_of_dfl():
    """On one window there is nothing to draw: then they are the same training."""
    one = robust.Windows(jnp.full((1, 1), 2.0), jnp.full((1, 1), 2.5))
    state, metrics = train(
        robust.unperturbed(square, batch=3), jnp.asarray(0.3), robust.RobustData(one), decay=0.1
    )
    predictor: Any = SimpleNamespace(init=lambda key: jnp.asarray(0.3))
    plain = robust.empirical_risk(
        predictor, square, steps=EPOCHS * STEPS, learning_rate=RATE, weight_decay=0.1
    )
    reference, step = plain.init(KEYS[0]), quick.jit(plain.update)
    for i in range(EPOCHS * STEPS):
        reference, _ = step(jax.random.PRNGKey(i), reference, one)
        if i % STEPS == STEPS - 1:
            reference, closing = plain.close(reference, one)
            assert float(metrics["validation_loss"][i // STEPS]) == pytest.approx(
                float(closing["validation_loss"]), rel=1e-5
            )
    assert float(state.predictor.params) == pytest.approx(float(reference.params), rel=1e-6)
    assert float(state.predictor.best) == pytest.approx(float(reference.best), rel=1e-6)


def test_best_parameters_are_of_the_epoch_that_costs_least_on_validation():
    """They run past the validation window's 0.45, in the second epoch."""
    data = robust.RobustData(robust.Windows(ROWS, jnp.full((1, 1), 0.45)))
    state, metrics = train(AHEAD, jnp.asarray(0.3), data)
    losses = np.asarray(metrics["validation_loss"])
    after = np.asarray([*metrics["at"][1:], state.predictor.params])
    np.testing.assert_allclose(losses, (after - 0.45) ** 2, rtol=1e-4)
    assert float(state.predictor.best) == after[losses.argmin()] != after[-1]


def test_the_predictor_that_is_continued_is_kept_where_no_later_one_does_better():
    """It starts at the optimum of the validation window, and moves away."""
    data = robust.RobustData(robust.Windows(ROWS, jnp.full((1, 1), 0.3)))
    state, metrics = train(AHEAD, jnp.asarray(0.3), data)
    assert np.all(metrics["validation_loss"] > 0) and np.all(metrics["best_validation_loss"] < 1e-9)
    assert state.predictor.best == np.float32(0.3) != state.predictor.params


def test_batches_of_dfl_matched_are_real_windows_with_dropout():
    """The loss is given a key of its own: not that of the step, which drew the rows."""

    def seen(params, windows, key=None) -> Any:
        return windows[:, 0], key

    key = jax.random.PRNGKey(1)
    rows, dropout = robust.unperturbed(seen, batch=4000).losses(key, (), DATA, ())
    counts = np.bincount(np.asarray(rows, int), minlength=10)
    assert np.abs(counts - 400).max() < 4 * np.sqrt(400 * 0.9)
    assert dropout is not None and not np.array_equal(dropout, key)


def test_seeds_share_the_windows_and_have_a_score_model_each():
    def losses(key, params, data, context):
        asked = data.nominal.theta + data.nominal.coefs.t[0] + data.real.train[1]
        return (asked - params) ** 2

    each = jnp.array([[0.5], [0.25]])
    nominal = robust.Nominal(
        jnp.array([1.0, -1.0]), diffusion.Coefficients(each, each, each, each), ROWS
    )
    data = robust.RobustData(REAL, nominal)
    training = robust.outer_epochs(unprepared(losses), square, epochs=1, predictor_steps=1)
    axes = (0, 0, robust.data_axes(data))
    keys = jax.random.split(jax.random.PRNGKey(0))
    state = jax.vmap(training.init, in_axes=axes)(keys, jnp.zeros(2), data)
    _, metrics = quick.jit(jax.vmap(training.update, in_axes=axes))(keys, state, data)
    np.testing.assert_allclose(metrics["loss"], [2.5**2, 0.25**2], rtol=1e-6)
    assert jax.tree.leaves(robust.data_axes(DATA)) == []  # nothing has an axis of seeds
