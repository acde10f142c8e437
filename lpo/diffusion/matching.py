"""Denoising score matching: the loss, how it is estimated, and the pair that trains on it.

Formulas: docs/diffusion.md, section 2.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jax import Array

from lpo.diffusion.network import EpsFn, Params, ScoreModel
from lpo.diffusion.sde import VPSDE, diffuse
from lpo.optim import Shard, Training, unsharded


class Draws(NamedTuple):
    """What one estimate of J is made of: x0 [n, d] data rows, t [n] times, noise [n, d]."""

    x0: Array
    t: Array
    noise: Array


class Objective(NamedTuple):
    """An estimator of the matching loss J.

    draw(key, data [rows, d], n) -> Draws; loss(eps_fn, draws) -> [n], whose mean estimates J. Fresh
    draws at every step train a model. One set of draws kept for good (common random numbers) makes
    J(theta) - J(theta0) a deterministic function of theta, with far less noise than either term.
    """

    draw: Callable[[Array, Array, int], Draws]
    loss: Callable[[EpsFn, Draws], Array]


def stratified_times(key: Array, n: int, lo: float, hi: float) -> Array:
    """One uniform time in each of `n` equal strata of [lo, hi], ascending -> [n]."""
    return lo + (hi - lo) * (jnp.arange(n) + jr.uniform(key, (n,))) / n


def matching_loss(eps_fn: EpsFn, x0: Array, t: Array, noise: Array, sde: VPSDE) -> Array:
    """|noise - eps_fn(x_t, t)|^2 / d for x0 [B, d], t [B], noise [B, d] -> [B]."""
    error = noise - eps_fn(diffuse(sde, x0, t, noise), t)
    return jnp.mean(error**2, axis=-1)


def _draw(key: Array, data: Array, n: int, times: Callable[[Array, int], Array]) -> Draws:
    row_key, time_key, noise_key = jr.split(key, 3)
    rows = jr.randint(row_key, (n,), 0, data.shape[0])
    noise = jr.normal(noise_key, (n, data.shape[1]))
    return Draws(jnp.asarray(data)[rows], times(time_key, n), noise)


def eps_mse(sde: VPSDE, lo: float | None = None, hi: float = 1.0) -> Objective:
    """The plain loss of DDPM training: E |e - eps|^2 / d, t uniform on [lo, hi] (None: sde.t0)."""
    lo = sde.t0 if lo is None else lo

    def draw(key: Array, data: Array, n: int) -> Draws:
        return _draw(key, data, n, partial(stratified_times, lo=lo, hi=hi))

    def loss(eps_fn: EpsFn, draws: Draws) -> Array:
        return matching_loss(eps_fn, *draws, sde)

    return Objective(draw, loss)


def likelihood_loss(sde: VPSDE, lo: float | None = None, hi: float = 1.0) -> Objective:
    """1/2 int_lo^hi (beta / s2) E |e - eps|^2 dt, in nats per window (lo None: sde.t0).

    Up to a constant it bounds KL(data || model) from above (Song et al., Maximum likelihood
    training of score-based diffusion models, 2021, theorem 1 and corollary 1). The weight is minus
    the slope of the log-SNR, so times are stratified uniformly in log-SNR instead, where the weight
    is constant: the same integral without the variance that 1/t near t = 0 would bring.
    """
    lo = sde.t0 if lo is None else lo
    top, bottom = sde.log_snr(lo), sde.log_snr(hi)

    def times(key: Array, n: int) -> Array:
        level = bottom + (top - bottom) * stratified_times(key, n, 0.0, 1.0)
        return sde.inverse_log_snr(level)

    def draw(key: Array, data: Array, n: int) -> Draws:
        return _draw(key, data, n, times)

    def loss(eps_fn: EpsFn, draws: Draws) -> Array:
        dim = draws.x0.shape[-1]
        return 0.5 * (top - bottom) * dim * matching_loss(eps_fn, *draws, sde)

    return Objective(draw, loss)


class ScoreState(NamedTuple):
    """State of score training. params: the iterate; average: its moving average, for sampling;
    optimiser: the optax state; step: int32 [], updates done."""

    params: Params
    average: Params
    optimiser: optax.OptState
    step: Array


def make_score_training(
    model: ScoreModel,
    sde: VPSDE,
    optimiser: optax.GradientTransformation,
    batch: int,
    *,
    decay: float = 0.999,
    shard: Shard = unsharded,
) -> Training:
    """Training of `model` by `eps_mse` over [t0, 1]: `init(key)`, `update(key, state, data)`.

    data [rows, d]: standardised windows; each update draws `batch` of them with replacement.
    decay: of the parameter average; it warms up as (1 + step) / (10 + step) so that the first
    averages are not made of the initial values. shard: splits the draws over devices. Metrics:
    loss, grad_norm (before clipping).
    """
    objective = eps_mse(sde)

    def init(key: Array) -> ScoreState:
        params = model.init(key)
        return ScoreState(params, params, optimiser.init(params), jnp.zeros((), jnp.int32))

    def update(key: Array, state: ScoreState, data: Array) -> tuple[ScoreState, dict[str, Array]]:
        draws = shard(objective.draw(key, data, batch))

        def mean_loss(params: Params) -> Array:
            return jnp.mean(objective.loss(partial(model.apply, params), draws))

        loss, gradient = jax.value_and_grad(mean_loss)(state.params)
        change, optimiser_state = optimiser.update(gradient, state.optimiser, state.params)
        params = optax.apply_updates(state.params, change)
        warm = jnp.minimum(decay, (1.0 + state.step) / (10.0 + state.step))
        average = optax.incremental_update(params, state.average, 1.0 - warm)
        metrics = {"loss": loss, "grad_norm": optax.tree.norm(gradient)}
        return ScoreState(params, average, optimiser_state, state.step + 1), metrics

    return Training(init, update)
