"""Empirical risk: MSE, DFL and DFL-matched are one update with other losses and starts."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from lpo.forecast import Forecaster
from lpo.optim import Shard, Training, adam, unsharded
from lpo.robust.objective import WindowLoss


class Windows(NamedTuple):
    """Real windows in tokens, float32: `train` [n, window] and `validation` [m, window]."""

    train: Array
    validation: Array


class PredictorState(NamedTuple):
    """A predictor in training. `best` holds the parameters of the least validation loss so far."""

    params: Any
    optimiser: optax.OptState
    best: Any
    best_loss: Array


def start_predictor(params: Any, optimiser: optax.GradientTransformation) -> PredictorState:
    """A fresh optimiser on given parameters; nothing is best yet."""
    return PredictorState(params, optimiser.init(params), params, jnp.array(jnp.inf))


def draw_rows(key: Array, windows: Array, count: int) -> Array:
    """`count` rows of `windows` [n, window], uniformly with replacement."""
    return windows[jax.random.randint(key, (count,), 0, windows.shape[0])]


def descend(
    state: PredictorState,
    optimiser: optax.GradientTransformation,
    loss: WindowLoss,
    windows: Array,
    key: Array | None,
) -> tuple[PredictorState, Array]:
    """One gradient step on a batch's mean loss. Returns also the losses [B] before it.

    Dropout is on when `key` is given.
    """

    def mean_loss(params: Any) -> tuple[Array, Array]:
        losses = loss(params, windows, key)
        return jnp.mean(losses), losses

    gradient, losses = jax.grad(mean_loss, has_aux=True)(state.params)
    updates, optimiser_state = optimiser.update(gradient, state.optimiser, state.params)
    params = optax.apply_updates(state.params, updates)
    return state._replace(params=params, optimiser=optimiser_state), losses


def validate(
    state: PredictorState, loss: WindowLoss, data: Windows
) -> tuple[PredictorState, dict[str, Array]]:
    """Keep the current parameters as `best` when their validation loss is the least so far.

    Without a validation part (protocol `paper`) the last parameters are the best.
    """
    if data.validation.shape[0] == 0:
        return state._replace(best=state.params), {}
    validation_loss = jnp.mean(loss(state.params, data.validation))
    better = validation_loss < state.best_loss
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), state.params, state.best)
    best_loss = jnp.where(better, validation_loss, state.best_loss)
    return state._replace(best=best, best_loss=best_loss), {"validation_loss": validation_loss}


def empirical_risk(
    forecaster: Forecaster,
    loss: WindowLoss,
    *,
    steps: int,
    batch: int = 256,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    shard: Shard = unsharded,
) -> Training:
    """Adam with cosine decay on the mean `loss` of random batches of real windows.

    `init(key, params=None)` starts from `params` when given (DFL-matched continues DFL), else from
    a fresh network. `update` takes `Windows` as data and reports the batch's mean `loss`; `close`
    scores the validation part and keeps the best parameters seen, which is early stopping.
    `shard` splits the batches over devices.
    """
    optimiser = adam(learning_rate, steps, weight_decay)

    def init(key: Array, params: Any = None) -> PredictorState:
        return start_predictor(forecaster.init(key) if params is None else params, optimiser)

    def update(key: Array, state: PredictorState, data: Windows):
        batch_key, dropout_key = jax.random.split(key)
        rows = shard(draw_rows(batch_key, data.train, batch))
        state, losses = descend(state, optimiser, loss, rows, dropout_key)
        return state, {"loss": jnp.mean(losses)}

    return Training(init, update, lambda state, data: validate(state, loss, data))
