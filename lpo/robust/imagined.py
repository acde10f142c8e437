"""Methods that train on demand a score model imagines: as it is, made worse, or guided there."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lpo.diffusion import Grid, ScoreModel, sample
from lpo.optim import Shard, unsharded
from lpo.robust.adversary import Adversary, AdversaryState
from lpo.robust.empirical import draw_rows
from lpo.robust.guidance import Guide
from lpo.robust.objective import WindowLoss
from lpo.robust.outer import Inner, Nominal, RobustData


class Imagination(NamedTuple):
    """Where imagined windows come from, for one seed.

    `init(key, nominal) -> state`; `imagine(key, state, nominal, params, count) -> (state, windows
    [count, d] in tokens, metrics)`, once an outer epoch, against the predictor `params`.
    """

    init: Callable[[Array, Nominal], Any]
    imagine: Callable[[Array, Any, Nominal, Any, int], tuple[Any, Array, dict[str, Array]]]


def mixed(
    imagination: Imagination,
    loss: WindowLoss,
    *,
    samples: int = 1024,
    mix: float = 0.5,
    noise: float = 0.0,
    batch: int = 256,
    shard: Shard = unsharded,
) -> Inner:
    """Batches whose rows are imagined with probability `mix` and real otherwise.

    `samples` windows are imagined an epoch. A `mix` of 1 is 3D-Learning as published. `noise`: sd
    of normal noise that imagined rows get afresh in every step, as a share of the row's mean
    demand, cut at zero. By data processing it brings no law further from the smoothed nominal one
    than it was from the nominal one.
    """

    def init(key: Array, data: RobustData) -> Any:
        return imagination.init(key, data.nominal)

    def prepare(key: Array, state: Any, params: Any, data: RobustData):
        state, windows, metrics = imagination.imagine(key, state, data.nominal, params, samples)
        return state, shard(windows, axis=None), metrics  # gathered once: batches draw all over it

    def losses(key: Array, params: Any, data: RobustData, imagined: Array) -> Array:
        real_key, imagined_key, mix_key, dropout_key, noise_key = jax.random.split(key, 5)
        drawn = draw_rows(imagined_key, imagined, batch)
        if noise > 0:
            deviation = noise * jnp.mean(drawn, axis=-1, keepdims=True)
            drawn = drawn + deviation * jax.random.normal(noise_key, drawn.shape)
            drawn = jnp.maximum(drawn, 0.0)
        rows = jnp.where(
            jax.random.bernoulli(mix_key, mix, (batch, 1)),
            drawn,
            draw_rows(real_key, data.real.train, batch),
        )
        return loss(params, shard(rows), dropout_key)

    return Inner(init, prepare, losses)


def nominal_imagination(
    model: ScoreModel,
    grid: Grid,
    to_tokens: Callable[[Array], Array],
    dim: int,
    *,
    shard: Shard = unsharded,
) -> Imagination:
    """Diffusion augmentation: windows of the pretrained model, which nobody makes worse."""

    def imagine(key: Array, state: Any, nominal: Nominal, params: Any, count: int):
        del params

        def eps(x: Array, t: Array) -> Array:
            return model.apply(nominal.theta, x, t)

        x0 = sample(key, eps, count, dim, grid, nominal.coefs, shard=shard)
        return state, to_tokens(x0), {}

    return Imagination(lambda key, nominal: (), imagine)


class Player(NamedTuple):
    """An adversary in training; `audit_key` fixes the draws on which its budget is enforced."""

    adversary: AdversaryState
    audit_key: Array


def adversarial_imagination(adversary: Adversary) -> Imagination:
    """3D-Learning (arXiv 2602.02943, eq. 9): the adversary ascends, then windows are its own."""

    def init(key: Array, nominal: Nominal) -> Player:
        return Player(adversary.init(nominal), key)

    def imagine(key: Array, state: Player, nominal: Nominal, params: Any, count: int):
        ascent_key, sample_key = jax.random.split(key)
        player, metrics = adversary.ascend(
            ascent_key, state.adversary, nominal, params, state.audit_key
        )
        windows = adversary.sample(sample_key, player.theta, nominal, count)
        return state._replace(adversary=player), windows, metrics

    return Imagination(init, imagine)


def guided_imagination(guide: Guide) -> Imagination:
    """Worst-case sampling by guidance: p(s) proportional to p_theta0(s) exp(payoff(s) / tau)."""

    def imagine(key: Array, state: Any, nominal: Nominal, params: Any, count: int):
        return guide.draw(key, state, nominal, params, count)

    return Imagination(lambda key, nominal: guide.init(nominal), imagine)
