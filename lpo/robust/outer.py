"""The outer epochs of every robust method: an inner problem, then descent steps against it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lpo.optim import Shard, Training, adam, unsharded
from lpo.robust.empirical import (
    PredictorState,
    Windows,
    descend,
    draw_rows,
    start_predictor,
    validate,
)
from lpo.robust.objective import WindowLoss


class Nominal(NamedTuple):
    """What an adversary that imagines demand may not change.

    `theta`: the pretrained score model; `coefs`: the reverse kernel on the whole grid, calibrated
    to it (`lpo.diffusion.calibrate`); `windows`: real windows [n, d] in the model's space.
    """

    theta: Any
    coefs: Any
    windows: Array


class RobustData(NamedTuple):
    """`real`: windows in tokens; `nominal`: a `Nominal`, () for methods without a score model."""

    real: Windows
    nominal: Any = ()


_SHARED: Any = None
_EACH: Any = 0
NOMINAL_AXES = Nominal(theta=_EACH, coefs=_EACH, windows=_SHARED)
"""Which leaves have a seed axis, for `jax.vmap`: every seed has its own score model."""


def data_axes(data: RobustData) -> Any:
    """`in_axes` of `data` for `lpo.optim.run`: only a score model differs between seeds."""
    if isinstance(data.nominal, Nominal):
        return RobustData(real=_SHARED, nominal=NOMINAL_AXES)
    return RobustData(real=_SHARED, nominal=_SHARED)


class Inner(NamedTuple):
    """The inner problem of a robust method, for one seed.

    `init(key, data) -> state`.
    `prepare(key, state, params, data) -> (state, context, metrics)`: once an outer epoch, against
    the predictor `params`; metrics are scalars.
    `losses(key, params, data, context) -> [batch]`: draws the batch of one descent step; the mean
    is differentiated in `params` alone.
    """

    init: Callable[[Array, RobustData], Any]
    prepare: Callable[[Array, Any, Any, RobustData], tuple[Any, Any, dict[str, Array]]]
    losses: Callable[[Array, Any, RobustData, Any], Array]


def unperturbed(loss: WindowLoss, *, batch: int = 256, shard: Shard = unsharded) -> Inner:
    """The inner problem of DFL-matched: real windows as they are."""

    def losses(key: Array, params: Any, data: RobustData, context: Any) -> Array:
        row_key, dropout_key = jax.random.split(key)
        return loss(params, shard(draw_rows(row_key, data.real.train, batch)), dropout_key)

    return Inner(lambda key, data: (), lambda key, state, params, data: (state, (), {}), losses)


class RobustState(NamedTuple):
    """A predictor in training and what its inner problem keeps between epochs."""

    predictor: PredictorState
    inner: Any


def outer_epochs(
    inner: Inner,
    loss: WindowLoss,
    *,
    epochs: int,
    predictor_steps: int = 100,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
) -> Training:
    """min over w of the inner problem's value: one `update` is one outer epoch.

    An epoch prepares the inner problem against the current predictor, then takes
    `predictor_steps` gradient steps on its losses. Adam with cosine decay over all epochs.
    `init(key, params, data)` starts from a predictor trained before, which is the first that may be
    kept; `close` keeps the parameters of the least validation `loss`, as for every method.
    """
    optimiser = adam(learning_rate, epochs * predictor_steps, weight_decay)

    def init(key: Array, params: Any, data: RobustData) -> RobustState:
        start, _ = validate(start_predictor(params, optimiser), loss, data.real)
        return RobustState(start, inner.init(key, data))

    def update(key: Array, state: RobustState, data: RobustData):
        prepare_key, descent_key = jax.random.split(key)
        inner_state, context, metrics = inner.prepare(
            prepare_key, state.inner, state.predictor.params, data
        )

        def step(predictor: PredictorState, step_key: Array):
            predictor, losses = descend(
                predictor, optimiser, lambda params: inner.losses(step_key, params, data, context)
            )
            return predictor, jnp.mean(losses)

        predictor, losses = jax.lax.scan(
            step, state.predictor, jax.random.split(descent_key, predictor_steps)
        )
        return RobustState(predictor, inner_state), {**metrics, "loss": jnp.mean(losses)}

    def close(state: RobustState, data: RobustData):
        predictor, metrics = validate(state.predictor, loss, data.real)
        return state._replace(predictor=predictor), metrics

    return Training(init, update, close)
