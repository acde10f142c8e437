"""Empirical risk: the predictor approaches the optimum that the task's mathematics gives."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from lpo import forecast, provision, robust, workload
from lpo.robust.empirical import descend, draw_rows, start_predictor, validate
from tests import quick


def fit(training, windows, segments=3):
    """State of one seed after segments of 200 steps, and the validation loss at their ends."""

    def segment(state, keys):
        state, _ = jax.lax.scan(
            lambda state, key: training.update(key, state, windows), state, keys
        )
        state, metrics = training.close(state, windows)
        return state, metrics["validation_loss"]

    key = jax.random.PRNGKey(0)
    keys = jax.random.split(key, (segments, 200))
    return quick.jit(lambda key: jax.lax.scan(segment, training.init(key), keys))(key)


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
    state, _ = fit(training, tiny.windows)
    _, target = workload.pairs(np.asarray(tiny.windows.train), tiny.layout)
    optimum = target.mean() if kind == "mse" else np.quantile(target, 10 / 11)
    assert float(state.params) * tiny.scaler.mean == pytest.approx(optimum, rel=0.02)


def test_dfl_beats_mse_with_a_plug_in_decision_under_newsvendor_prices(tiny):
    scores = {}
    for name, loss in {
        "dfl": tiny.loss,
        "mse": robust.prediction_loss(tiny.predictor, tiny.layout, tiny.scaler.mean),
    }.items():
        training = robust.empirical_risk(tiny.predictor, loss, steps=600)
        state, _ = fit(training, tiny.windows)
        scores[name] = float(jnp.mean(tiny.loss(state.best, tiny.windows.validation)))
    assert scores["dfl"] < scores["mse"]


def test_gradient_step_is_the_finite_difference_of_the_mean_loss(tiny):
    loss = robust.prediction_loss(tiny.predictor, tiny.layout, tiny.scaler.mean)  # has no kinks
    optimiser = optax.sgd(1.0)
    params = tiny.predictor.init(jax.random.PRNGKey(0))
    rows = tiny.windows.train[:64]

    @quick.jit
    def step_from(params):
        start = start_predictor(params, optimiser)
        return descend(start, optimiser, lambda params: loss(params, rows))

    state, losses = step_from(params)
    flat, unravel = ravel_pytree(params)
    step = ravel_pytree(state.params)[0] - flat
    direction = step / jnp.linalg.norm(step)

    @quick.jit
    def mean_loss(amount):
        return jnp.mean(loss(unravel(flat + amount * direction), rows))

    np.testing.assert_allclose(losses.mean(), mean_loss(0.0), rtol=1e-6)
    slope = (mean_loss(1e-2) - mean_loss(-1e-2)) / 2e-2
    assert slope == pytest.approx(-float(jnp.linalg.norm(step)), rel=0.01)


def test_descent_is_on_the_mean_of_whatever_the_losses_are(tiny):
    """Weighted ones, with a further term in the parameters, by plain gradient descent."""
    x, weights = jnp.array([1.0, 2.0, 6.0]), jnp.array([0.5, 0.0, 1.0])

    def losses_of(w):
        return weights * (x - w["centre"]) ** 2 + w["width"] ** 3

    optimiser = optax.sgd(0.1)
    start = {"centre": jnp.asarray(0.0), "width": jnp.asarray(2.0)}
    state, losses = descend(start_predictor(start, optimiser), optimiser, losses_of)
    np.testing.assert_allclose(losses, [0.5 + 8, 8, 36 + 8])
    assert float(state.params["centre"]) == pytest.approx(0.1 * 2 * (0.5 + 6) / 3)
    assert float(state.params["width"]) == pytest.approx(2 - 0.1 * 12)
    assert state.best == start  # nothing has been validated


def test_best_parameters_are_those_of_the_least_validation_loss(tiny):
    training = robust.empirical_risk(tiny.predictor, tiny.loss, steps=600, learning_rate=3e-2)
    state, losses = fit(training, tiny.windows)
    assert float(state.best_loss) == losses.min()
    best = tiny.loss(state.best, tiny.windows.validation)
    np.testing.assert_allclose(best.mean(), losses.min(), rtol=1e-5)


def square(w, windows, key=None):
    return (windows[:, 0] - w) ** 2


def validated(*sets, params):
    """The validation loss of each of `params`, and the best of them, on sets of one-bin windows."""
    validation = jnp.asarray(sets, jnp.float32)[..., None]
    data = robust.Windows(jnp.zeros((1, 1)), validation[0] if len(sets) == 1 else validation)
    state, found = start_predictor(jnp.asarray(0.0), optax.sgd(1.0)), []
    for w in params:
        state, metrics = validate(state._replace(params=jnp.asarray(w)), square, data)
        found.append(float(metrics["validation_loss"]))
    return np.array(found), float(state.best)


def test_several_sets_are_validated_by_the_geometric_mean_of_their_means():
    first, second, params = np.array([1.0, 2.0, 4.0]), np.array([30.0, 50.0, 10.0]), [3.0, 7.0, 1.0]
    means = np.array([[np.mean((x - w) ** 2) for x in (first, second)] for w in params])
    found, best = validated(first, second, params=params)
    np.testing.assert_allclose(found, np.sqrt(means[:, 0] * means[:, 1]), rtol=1e-5)
    assert best == params[int(found.argmin())]


def test_one_set_among_several_is_that_set_alone():
    one, params = [1.0, 2.0, 4.0], [3.0, 7.0]
    alone, together = (validated(*[one] * count, params=params)[0] for count in (1, 3))
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_a_tenth_less_counts_the_same_on_a_cheap_set_and_a_costly_one():
    sets = robust.Windows(jnp.zeros((1, 1)), jnp.array([[[1.0], [3.0]], [[1e3], [3e3]]]))

    def cost(factors, windows, key=None):
        x = windows[:, 0]
        return x * jnp.where(x < 10, factors[0], factors[1])

    for factors in ([0.9, 1.0], [1.0, 0.9]):
        start = start_predictor(jnp.array(factors), optax.sgd(1.0))
        _, metrics = validate(start, cost, sets)
        expected = np.sqrt(0.9 * 2.0 * 2e3)
        assert float(metrics["validation_loss"]) == pytest.approx(expected, rel=1e-5)


def test_a_set_without_loss_leaves_the_validation_loss_finite():
    found, best = validated([1.0, 1.0], [5.0, 5.0], params=[1.0, 3.0])
    assert np.isfinite(found).all() and best == 1.0


def test_parameters_that_are_not_numbers_are_never_the_best():
    _, best = validated([1.0, 1.0], params=[2.0, np.nan])
    assert best == 2.0


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
