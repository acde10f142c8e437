"""3D-Learning as a whole: it trains, stays feasible, and repeats itself."""

import jax
import numpy as np
import pytest

from lpo import robust, workload
from tests import quick

EPOCHS = 6
SETTINGS = robust.AdversarySettings(
    paths=64, draws=64, inner_steps=3, learning_rate=3e-3, epsilon=0.3
)


def train(tiny, nominal):
    """Metrics [EPOCHS] and the last state of one seed, on imagined windows alone."""
    adversary = robust.make_adversary(
        tiny.model,
        tiny.sde,
        tiny.grid,
        workload.linear_space(tiny.scaler).to_tokens,
        tiny.layout.window,
        tiny.loss,
        SETTINGS,
    )
    imagination = robust.adversarial_imagination(adversary)
    inner = robust.mixed(imagination, tiny.loss, samples=64, batch=64, mix=1.0)
    training = robust.outer_epochs(inner, tiny.loss, epochs=EPOCHS, predictor_steps=20)

    def whole(key, params, data):
        init_key, step_key = jax.random.split(key)

        def epoch(state, key):
            state, metrics = training.update(key, state, data)
            state, closing = training.close(state, data)
            return state, metrics | closing

        start = training.init(init_key, params, data)
        return jax.lax.scan(epoch, start, jax.random.split(step_key, EPOCHS))

    key = jax.random.PRNGKey(0)
    params = tiny.predictor.init(key)
    return quick.jit(whole)(key, params, robust.RobustData(tiny.windows, nominal))


@pytest.fixture(scope="module")
def trained(tiny, nominal):
    return train(tiny, nominal)


def test_adversary_is_feasible_and_its_windows_cost_more_in_every_epoch(trained):
    """Feasible: G <= 1.1 epsilon on the audit's draws, after ascent steps that overshoot it."""
    metrics = trained[1]
    assert np.all(metrics["growth"] <= 1.1 * SETTINGS.epsilon * (1 + 1e-5))
    assert np.all(metrics["worst_case_loss"] > metrics["nominal_loss"])
    assert np.any(metrics["feasible_fraction"] < 1)


def test_the_predictor_learns_from_imagined_windows(tiny, trained):
    """It costs less on real ones, of which it never saw any."""
    state, metrics = trained
    assert metrics["validation_loss"][-1] < metrics["validation_loss"][0]
    best = tiny.loss(state.predictor.best, tiny.windows.validation).mean()
    assert best == pytest.approx(float(metrics["validation_loss"].min()), rel=1e-5)


def test_same_keys_give_the_same_bits(tiny, nominal, trained):
    jax.tree.map(np.testing.assert_array_equal, trained, train(tiny, nominal))
