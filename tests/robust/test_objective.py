"""Losses of windows: prices by hand, and which way they may be moved."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo import forecast, provision, robust, workload
from lpo.workload import Layout, Scaler
from tests import quick

LAYOUT = Layout(window=8, context=3, lead=2)  # four pairs; bins are both seen and asked for
SCALER = Scaler(mean=50.0, sd=20.0)
TASK = provision.newsvendor(c_over=1.0, c_under=10.0)
WINDOWS = np.random.default_rng(0).uniform(20.0, 90.0, (5, LAYOUT.window))


def weighted_mean():
    """Forecasts weights @ history, the weights its parameters; a key is added, as dropout may."""

    def apply(weights, history, key=None):
        return (history @ weights)[..., None] + (0.0 if key is None else key)

    return forecast.Forecaster(lambda key: jnp.zeros(3), apply, forecast.point_head())


WEIGHTS = jnp.array([0.1, 0.3, 0.7])
OF_PAIRS = robust.pair_loss(weighted_mean(), TASK, SCALER.mean)
DECISION = robust.decision_loss(weighted_mean(), TASK, LAYOUT, SCALER.mean)
HISTORY = robust.history_loss(weighted_mean(), TASK, LAYOUT, SCALER.mean)


def costs_by_hand(seen, windows):
    """Newsvendor cost of each pair of each window over the mean demand, in a plain loop."""
    costs = np.zeros((len(windows), 4))
    for i, window in enumerate(windows):
        for j in range(4):
            gap = seen[i][j : j + 3] @ np.asarray(WEIGHTS) - window[j + 4]
            costs[i, j] = max(gap, -10 * gap) / 50.0
    return costs


def test_loss_of_a_pair_is_its_price_and_of_a_window_the_mean_of_its_pairs():
    expected = costs_by_hand(WINDOWS, WINDOWS)
    assert (expected > 0).all() and LAYOUT.pairs == 4
    np.testing.assert_allclose(
        OF_PAIRS(WEIGHTS, *workload.pairs(jnp.asarray(WINDOWS), LAYOUT)), expected, atol=1e-6
    )
    for loss in (DECISION, HISTORY):
        found = loss(WEIGHTS, jnp.asarray(WINDOWS))
        np.testing.assert_allclose(found, expected.mean(axis=1), rtol=1e-5)


def test_regret_does_not_pay_for_demand_but_for_the_decision():
    """In the utility task cost falls with demand; regret is 0 for the oracle at any demand."""
    task = provision.utility(provision.CODE)

    def oracle(params, history, key=None):
        return history[..., -1:]

    loss = robust.pair_loss(
        forecast.Forecaster(lambda key: (), oracle, forecast.point_head()), task, 2.0
    )
    history = jnp.array([[1.0, 2.0, 2e5], [1.0, 2.0, 3e5]])
    np.testing.assert_allclose(loss((), history, jnp.array([2e5, 3e5])), 0.0, atol=1e-7)
    wrong = loss((), history, jnp.array([3e5, 2e5]))
    said, came = np.array([2e5, 3e5]), np.array([3e5, 2e5])
    excess = task.cost(task.decide(said), came) - task.cost(task.decide(came), came)
    np.testing.assert_allclose(wrong, excess / 2.0, rtol=1e-4)
    assert np.all(np.asarray(wrong) > 0)


def test_slots_of_a_horizon_are_priced_together():
    """A task whose decisions share their slots: the largest error of the horizon is paid."""

    def cost(plan, demand):
        return jnp.max(jnp.abs(plan - demand), axis=-1)

    slots: Any = TASK._replace(cost=cost, horizon=2)

    def same(params, history, key=None):
        return jnp.stack([history[..., -1:], history[..., -1:]], axis=-2)

    layout = Layout(window=6, context=3, lead=1, horizon=2)
    forecaster = forecast.Forecaster(lambda key: (), same, forecast.point_head(2))
    loss = robust.decision_loss(forecaster, slots, layout, 1.0)
    window = jnp.array([[0.0, 0.0, 5.0, 7.0, 4.0, 9.0]])
    # from 5: targets 7 and 4, from 7: 4 and 9
    np.testing.assert_allclose(loss((), window), [(2.0 + 3.0) / 2])


def test_gradient_of_the_history_loss_is_that_of_what_is_seen():
    """Against finite differences that move the histories alone; targets alone have none."""
    found = quick.jit(jax.grad(lambda x: HISTORY(WEIGHTS, x).sum()))(
        jnp.asarray(WINDOWS, jnp.float32)
    )
    step = 1e-5
    for bin_ in range(LAYOUT.window):
        moved = WINDOWS + step * (np.arange(LAYOUT.window) == bin_)
        up, down = costs_by_hand(moved, WINDOWS), costs_by_hand(2 * WINDOWS - moved, WINDOWS)
        slope = (up - down).mean(axis=1) / (2 * step)
        np.testing.assert_allclose(found[:, bin_], slope, rtol=1e-3, atol=1e-6)
    assert not np.any(found[:, 6:])  # bins that no pair sees
    whole = quick.jit(jax.grad(lambda x: DECISION(WEIGHTS, x).sum()))(
        jnp.asarray(WINDOWS, jnp.float32)
    )
    assert np.all(whole[:, 6:] != 0)


def test_predictors_descend_the_same_gradient_by_either_loss():
    of_decisions, of_histories = (
        jax.grad(lambda w, loss=loss: loss(w, jnp.asarray(WINDOWS)).mean())(WEIGHTS)
        for loss in (DECISION, HISTORY)
    )
    np.testing.assert_allclose(of_decisions, of_histories, rtol=1e-6)


def test_relative_loss_is_the_cost_of_a_demanded_token_whatever_the_size():
    """Prices and forecast are proportional to demand, so the share does not know its size."""
    relative = robust.relative_to_demand(DECISION, SCALER.mean)
    per_token = 50.0 * costs_by_hand(WINDOWS, WINDOWS).mean(axis=1) / WINDOWS.mean(axis=1)
    for size in (0.1, 1.0, 30.0):
        found = relative(WEIGHTS, jnp.asarray(size * WINDOWS))
        np.testing.assert_allclose(found, per_token, rtol=1e-5)


def test_relative_loss_of_next_to_no_demand_is_that_of_a_twentieth_of_the_mean():
    relative = robust.relative_to_demand(DECISION, SCALER.mean)
    small = jnp.asarray(0.01 * WINDOWS)  # means of at most .9 tokens, below 50 / 20
    np.testing.assert_allclose(relative(WEIGHTS, small), 20 * DECISION(WEIGHTS, small), rtol=1e-6)
    nothing = jnp.zeros((1, LAYOUT.window))
    assert relative(WEIGHTS, nothing) == 0
    assert np.isfinite(quick.jit(jax.grad(lambda x: relative(WEIGHTS, x).sum()))(nothing)).all()


def test_level_may_be_left_out_of_the_gradient_of_a_relative_loss():
    """Then it is that of the loss over a fixed level: the values are the same."""
    fixed = robust.relative_to_demand(HISTORY, SCALER.mean, through_level=False)
    x = jnp.asarray(WINDOWS, jnp.float32)
    found = quick.jit(jax.grad(lambda x: fixed(WEIGHTS, x).sum()))(x)
    plain = quick.jit(jax.grad(lambda x: HISTORY(WEIGHTS, x).sum()))(x)
    level = WINDOWS.mean(axis=1, keepdims=True) / SCALER.mean
    np.testing.assert_allclose(found, plain / level, rtol=1e-5, atol=1e-7)
    through = robust.relative_to_demand(HISTORY, SCALER.mean)
    np.testing.assert_allclose(fixed(WEIGHTS, x), through(WEIGHTS, x))
    assert not np.any(found[:, 6:])  # bins that no pair sees


@pytest.mark.parametrize("loss", [DECISION, HISTORY, robust.relative_to_demand(DECISION, 50.0)])
def test_losses_of_windows_do_not_feel_each_other(loss):
    every = loss(WEIGHTS, jnp.asarray(WINDOWS))
    np.testing.assert_allclose(every[2:3], loss(WEIGHTS, jnp.asarray(WINDOWS[2:3])), rtol=1e-6)


def test_a_key_reaches_the_network_through_every_loss():
    for loss in (DECISION, HISTORY, robust.relative_to_demand(DECISION, SCALER.mean)):
        off, on = (loss(WEIGHTS, jnp.asarray(WINDOWS), key) for key in (None, jnp.float32(1e3)))
        assert np.all(on > 1.5 * off)
