"""Empirical risk: MSE and DFL are one update with other losses; what every method descends by."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from lpo.forecast import Forecaster
from lpo.optim import Shard, Training, adam, unsharded
from lpo.robust.objective import WindowLoss


class Windows(NamedTuple):
    """Windows in tokens, float32: real ones, `train` [n, window] and `validation` [m, window].

    `validation` may be [sets, m, window]: the validation part beside shifted copies of it.
    """

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
    losses_of: Callable[[Any], Array],
) -> tuple[PredictorState, Array]:
    """One gradient step on the mean of `losses_of(params)` [B]; returns also the losses before it.

    What `losses_of` returns may be weighted or perturbed losses, as a robust method wants them.
    """

    def mean_loss(params: Any) -> tuple[Array, Array]:
        losses = losses_of(params)
        return jnp.mean(losses), losses

    gradient, losses = jax.grad(mean_loss, has_aux=True)(state.params)
    updates, optimiser_state = optimiser.update(gradient, state.optimiser, state.params)
    params = optax.apply_updates(state.params, updates)
    return state._replace(params=params, optimiser=optimiser_state), losses


def validate(
    state: PredictorState, loss: WindowLoss, data: Windows
) -> tuple[PredictorState, dict[str, Array]]:
    """Keep the current parameters as `best` when their validation loss is the least so far.

    Over several sets it is the geometric mean of the sets' mean losses, in which a tenth less on
    one set counts as much as on another, however costly. Without a validation part (protocol
    `paper`) the last parameters are the best.
    """
    if data.validation.shape[0] == 0:
        return state._replace(best=state.params), {}
    window = data.validation.shape[-1]
    losses = loss(state.params, data.validation.reshape(-1, window))
    by_set = jnp.mean(losses.reshape(data.validation.shape[:-1]), axis=-1)
    validation_loss = jnp.exp(jnp.mean(jnp.log(jnp.maximum(by_set, 1e-9))))
    better = validation_loss < state.best_loss
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), state.params, state.best)
    best_loss = jnp.where(better, validation_loss, state.best_loss)
    metrics = {"validation_loss": validation_loss, "best_validation_loss": best_loss}
    return state._replace(best=best, best_loss=best_loss), metrics


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

    `init(key)` makes a fresh network. `update` takes `Windows` as data and reports the batch's mean
    `loss`; `close` scores the validation part and keeps the best parameters seen, which is early
    stopping. `shard` splits the batches over devices.
    """
    optimiser = adam(learning_rate, steps, weight_decay)

    def init(key: Array) -> PredictorState:
        return start_predictor(forecaster.init(key), optimiser)

    def update(key: Array, state: PredictorState, data: Windows):
        batch_key, dropout_key = jax.random.split(key)
        rows = shard(draw_rows(batch_key, data.train, batch))
        state, losses = descend(state, optimiser, lambda params: loss(params, rows, dropout_key))
        return state, {"loss": jnp.mean(losses)}

    return Training(init, update, lambda state, data: validate(state, loss, data))
