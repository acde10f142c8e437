"""Robust methods that perturb samples: a Wasserstein ball by Frank-Wolfe, and its penalty, WRM.

A sample is one pair of a window, in units of the standard deviation of the training demand; its
distance from where it was observed is Euclidean, over all its bins. Both methods attack the loss of
the task, not the error of the forecast, and descend on the samples that result.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from lpo.optim import Shard, unsharded
from lpo.robust.empirical import draw_rows
from lpo.robust.objective import PairLoss
from lpo.robust.outer import Inner, RobustData
from lpo.workload import Layout, Scaler, pairs, standardise, unstandardise

SampleLoss = Callable[[Array], Array]
"""`loss(samples [..., dim]) -> [...]`, each from its own sample alone."""

Attack = Callable[[SampleLoss, Array], Array]
"""`attack(loss, samples [..., dim]) -> perturbation [..., dim]`, which raises the loss."""


def frank_wolfe(loss: SampleLoss, samples: Array, *, radius: float, steps: int) -> Array:
    """Perturbation D [..., dim] that raises the mean loss in a Wasserstein ball of order 2.

    The ball is `(mean_i |D_i|^2)^(1/2) <= radius`: samples share one budget. With G the gradients
    of all n samples and |.|_F the norm of everything stacked, a step m = 0, 1, .. is

        D <- (1 - g_m) D + g_m radius sqrt(n) G / |G|_F,    g_m = 2 / (m + 2)

    from D = 0 (Staib & Jegelka 2017, "Distributionally robust deep learning as a generalization of
    adversarial training", p = q = 2). Every iterate lies in the ball; the first is the exact
    maximiser of a linear loss. A step overshoots where the loss is not linear, so the iterate with
    the largest mean is returned: never worse than D = 0. Without any gradient D stays 0.
    """
    count = samples[..., 0].size

    def mean_loss(perturbation: Array) -> Array:
        return jnp.mean(loss(samples + perturbation))

    def move(step: Array, perturbation: Array, gradient: Array) -> Array:
        largest = jnp.max(jnp.abs(gradient))
        scaled = gradient / jnp.where(largest > 0, largest, 1.0)  # squares of it do not underflow
        norm = jnp.sqrt(jnp.sum(scaled**2))  # at least 1, or 0 without any gradient
        extreme = radius * count**0.5 * scaled / jnp.maximum(norm, 1.0)
        weight = 2.0 / (step + 2)
        return (1.0 - weight) * perturbation + weight * extreme

    return _best_iterate(mean_loss, move, jnp.zeros_like(samples), steps)


def wrm(loss: SampleLoss, samples: Array, *, gamma: float, steps: int) -> Array:
    """Perturbations d [..., dim] that raise `loss(z + d) - gamma |d|^2`, each sample by itself.

    The robust surrogate loss of Sinha, Namkoong & Duchi (2018, "Certifying some distributional
    robustness with principled adversarial training"), by gradient ascent from d = 0. Step t = 0,
    1, .. has length `1 / (2 gamma sqrt(t + 1))`, the schedule of the authors' code: the first leads
    to the exact maximiser of a linear loss, and all converge where the loss bends up less than the
    penalty does down (curvature below 2 gamma). At a kink, which the loss of a task has, steps
    overshoot until they are short enough, so each sample keeps its best iterate: never worse than
    d = 0.

    `gamma` is positive, in units of the loss per squared unit of the samples.
    """

    def penalised(perturbation: Array) -> Array:
        return loss(samples + perturbation) - gamma * jnp.sum(perturbation**2, axis=-1)

    def move(step: Array, perturbation: Array, gradient: Array) -> Array:
        return perturbation + gradient / (2.0 * gamma * jnp.sqrt(step + 1.0))

    return _best_iterate(penalised, move, jnp.zeros_like(samples), steps)


def wasserstein_dro(
    pair_loss: PairLoss,
    layout: Layout,
    scaler: Scaler,
    *,
    radius: float,
    attack_steps: int = 5,
    batch: int = 256,
    shard: Shard = unsharded,
) -> Inner:
    """Descend on histories moved by `frank_wolfe`, n = batch * pairs of them sharing a `radius`.

    `radius`: of a whole history, in standard deviations of the training demand; targets stay.
    """
    attack = partial(frank_wolfe, radius=radius, steps=attack_steps)
    return _against(attack, pair_loss, layout, scaler, targets=False, batch=batch, shard=shard)


def wrm_dro(
    pair_loss: PairLoss,
    layout: Layout,
    scaler: Scaler,
    *,
    gamma: float,
    attack_steps: int = 5,
    targets: bool = False,
    batch: int = 256,
    shard: Shard = unsharded,
) -> Inner:
    """Descend on histories, and with `targets` on what they are judged by, moved by `wrm`.

    `gamma`: loss per squared standard deviation of the training demand, positive.
    """
    attack = partial(wrm, gamma=gamma, steps=attack_steps)
    return _against(attack, pair_loss, layout, scaler, targets=targets, batch=batch, shard=shard)


def _against(
    attack: Attack,
    pair_loss: PairLoss,
    layout: Layout,
    scaler: Scaler,
    *,
    targets: bool,
    batch: int,
    shard: Shard,
) -> Inner:
    """The inner problem of an attack on batches of real windows.

    The attack sees the loss of samples cut to [0, largest training demand], which is what is
    descended on. Observed samples lie in that range, so cutting never takes one further away.
    The context of an epoch is the largest training demand; the state is empty. Metrics, of one
    batch without dropout: mean losses before and after, and the root mean square length of the
    perturbations after cutting.
    """

    def draw(key: Array, data: RobustData) -> tuple[Array, Array]:
        return pairs(shard(draw_rows(key, data.real.train, batch)), layout)

    def samples_of(history: Array, target: Array) -> Array:
        if not targets:
            return standardise(history, scaler)
        slots = target.reshape(*history.shape[:-1], -1)
        return standardise(jnp.concatenate([history, slots], axis=-1), scaler)

    def perturb(params: Any, history: Array, target: Array, largest: Array) -> tuple[Array, Array]:
        fixed = jax.lax.stop_gradient(params)

        def pairs_of(samples: Array) -> tuple[Array, Array]:
            tokens = jnp.clip(unstandardise(samples, scaler), 0.0, largest)
            if not targets:
                return tokens, target
            moved, slots = jnp.split(tokens, [layout.context], axis=-1)
            return moved, slots.reshape(target.shape)

        samples = samples_of(history, target)
        perturbation = attack(lambda moved: pair_loss(fixed, *pairs_of(moved)), samples)
        return pairs_of(samples + perturbation)

    def prepare(key: Array, state: Any, params: Any, data: RobustData):
        largest = jnp.max(data.real.train)
        observed = draw(key, data)
        worst = perturb(params, *observed, largest)
        moved = samples_of(*worst) - samples_of(*observed)
        metrics = {
            "nominal_loss": jnp.mean(pair_loss(params, *observed)),
            "worst_case_loss": jnp.mean(pair_loss(params, *worst)),
            "rms_perturbation": jnp.sqrt(jnp.mean(jnp.sum(moved**2, axis=-1))),
        }
        return state, largest, metrics

    def losses(key: Array, params: Any, data: RobustData, largest: Array) -> Array:
        row_key, dropout_key = jax.random.split(key)
        worst = perturb(params, *draw(row_key, data), largest)
        return jnp.mean(pair_loss(params, *worst, dropout_key), axis=-1)

    return Inner(lambda key, data: (), prepare, losses)


def _best_iterate(
    value: Callable[[Array], Array],
    move: Callable[[Array, Array, Array], Array],
    start: Array,
    steps: int,
) -> Array:
    """The best of `start` [..., dim] and the `steps` points that `move` leads to from there.

    `value(point) -> ()` compares whole points, `-> [...]` each sample by itself. `move(step, point,
    gradient) -> point`, the gradient being that of the summed values.
    """

    def total(point: Array) -> tuple[Array, Array]:
        values = value(point)
        return jnp.sum(values), values

    def better(best: tuple[Array, Array], point: Array, values: Array) -> tuple[Array, Array]:
        wins = values > best[1]
        return jnp.where(wins[..., None], point, best[0]), jnp.where(wins, values, best[1])

    def step(carry: tuple[Array, tuple[Array, Array]], index: Array):
        point, best = carry
        (_, values), gradient = jax.value_and_grad(total, has_aux=True)(point)
        return (move(index, point, gradient), better(best, point, values)), None

    unknown = jnp.full_like(jax.eval_shape(value, start), -jnp.inf)
    (last, best), _ = jax.lax.scan(step, (start, (start, unknown)), jnp.arange(steps))
    return better(best, last, value(last))[0]
