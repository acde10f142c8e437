"""Losses of a window of demand under a predictor: what every method of `lpo.robust` descends."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from lpo.forecast import Forecaster, decision_forecast
from lpo.forecast import prediction_loss as pointwise_prediction_loss
from lpo.provision import Task, regret
from lpo.workload import Layout, Scaler, pairs

WindowLoss = Callable[..., Array]
"""`loss(params, windows [B, window] in tokens, key=None) -> [B]`; a key switches dropout on."""


def loss_scale(task: Task, scaler: Scaler) -> float:
    """What one unit of a loss means, in units of the task: a number of order one for every task.

    The magnitude of the oracle's cost at the mean training demand where the task's regret is
    normalised by it (then a mean loss is about the pooled normalised regret), else the mean
    training demand itself (cost per demanded token).
    """
    mean = jnp.full(() if task.horizon is None else (task.horizon,), scaler.mean)
    return float(abs(task.cost(task.optimum(mean), mean))) if task.normalised else scaler.mean


def decision_loss(forecaster: Forecaster, task: Task, layout: Layout, scale: float) -> WindowLoss:
    """Regret of the plug-in decision, mean over a window's pairs, divided by `scale`.

    `f(y*(h_w(v)), c) - f(y*(c), c)`: the second term does not depend on w, but without it an
    adversary would be paid, in the utility task, for demand that is small.
    (3D-Learning, arXiv 2602.02943, eq. 2; docs/robust.md.)
    """

    def loss(params: Any, windows: Array, key: Array | None = None) -> Array:
        history, target = pairs(windows, layout)
        outputs = forecaster.apply(params, history, key=key)
        predicted = decision_forecast(forecaster.head, outputs, task.fractile)
        return jnp.mean(regret(task, predicted, target), axis=-1) / scale

    return loss


def prediction_loss(forecaster: Forecaster, layout: Layout, scale: float) -> WindowLoss:
    """Squared error (point head) or pinball loss (quantile head), in units of `scale` tokens."""

    def loss(params: Any, windows: Array, key: Array | None = None) -> Array:
        history, target = pairs(windows, layout)
        outputs = forecaster.apply(params, history, key=key)
        losses = pointwise_prediction_loss(forecaster.head, outputs, target, scale)
        return jnp.mean(losses, axis=tuple(range(1, losses.ndim)))

    return loss
