"""Losses of a window of demand under a predictor: what every method of `lpo.robust` descends."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from lpo.forecast import Forecaster, decision_forecast
from lpo.forecast import prediction_loss as pointwise_prediction_loss
from lpo.provision import Task, regret
from lpo.workload import Layout, Scaler, pairs

WindowLoss = Callable[..., Array]
"""`loss(params, windows [B, window] in tokens, key=None) -> [B]`; a key switches dropout on."""

PairLoss = Callable[..., Array]
"""`loss(params, history [..., pairs, context], target [..., pairs], key=None) -> [..., pairs]`, in
tokens; the target has a last axis of slots where the task has a horizon."""


def loss_scale(task: Task, scaler: Scaler) -> float:
    """What one unit of a loss means, in units of the task: a number of order one for every task.

    The magnitude of the oracle's cost at the mean training demand where the task's regret is
    normalised by it (then a mean loss is about the pooled normalised regret), else the mean
    training demand itself (cost per demanded token).
    """
    mean = jnp.full(() if task.horizon is None else (task.horizon,), scaler.mean)
    return float(abs(task.cost(task.optimum(mean), mean))) if task.normalised else scaler.mean


def pair_loss(forecaster: Forecaster, task: Task, scale: float) -> PairLoss:
    """Regret of the plug-in decision of each pair, divided by `scale`.

    `f(y*(h_w(v)), c) - f(y*(c), c)`: the second term does not depend on w, but without it an
    adversary would be paid, in the utility task, for demand that is small.
    (3D-Learning, arXiv 2602.02943, eq. 2; docs/robust.md.)
    """

    def loss(params: Any, history: Array, target: Array, key: Array | None = None) -> Array:
        outputs = forecaster.apply(params, history, key=key)
        predicted = decision_forecast(forecaster.head, outputs, task.fractile)
        return jnp.asarray(regret(task, predicted, target)) / scale

    return loss


def decision_loss(forecaster: Forecaster, task: Task, layout: Layout, scale: float) -> WindowLoss:
    """Mean of `pair_loss` over the pairs of a window."""
    of_pairs = pair_loss(forecaster, task, scale)

    def loss(params: Any, windows: Array, key: Array | None = None) -> Array:
        return jnp.mean(of_pairs(params, *pairs(windows, layout), key), axis=-1)

    return loss


def history_loss(forecaster: Forecaster, task: Task, layout: Layout, scale: float) -> WindowLoss:
    """`decision_loss` whose gradient in the windows runs through the histories alone.

    An adversary that is paid by it looks for histories that mislead the predictor, not for targets
    that lie higher than any history could tell: against those there is nothing to learn but to
    provision more throughout.
    """
    of_pairs = pair_loss(forecaster, task, scale)

    def loss(params: Any, windows: Array, key: Array | None = None) -> Array:
        history, target = pairs(windows, layout)
        return jnp.mean(of_pairs(params, history, jax.lax.stop_gradient(target), key), axis=-1)

    return loss


def relative_to_demand(loss: WindowLoss, scale: float, *, through_level: bool = True) -> WindowLoss:
    """A window's loss as a share of its own mean demand instead of `scale`, which it came from.

    Regret is proportional to the size of a service, so an adversary that is paid in tokens looks
    for large windows; one that is paid in shares looks for windows that are decided badly whatever
    their size. Windows below a twentieth of `scale` count as that. `through_level` False: no
    gradient through the demand that is divided by, for a loss that has none through targets.
    """

    def relative(params: Any, windows: Array, key: Array | None = None) -> Array:
        level = jnp.maximum(jnp.mean(windows, axis=-1) / scale, 0.05)
        if not through_level:
            level = jax.lax.stop_gradient(level)
        return loss(params, windows, key) / level

    return relative


def prediction_loss(forecaster: Forecaster, layout: Layout, scale: float) -> WindowLoss:
    """Squared error (point head) or pinball loss (quantile head), in units of `scale` tokens."""

    def loss(params: Any, windows: Array, key: Array | None = None) -> Array:
        history, target = pairs(windows, layout)
        outputs = forecaster.apply(params, history, key=key)
        losses = pointwise_prediction_loss(forecaster.head, outputs, target, scale)
        return jnp.mean(losses, axis=tuple(range(1, losses.ndim)))

    return loss
