"""3D-Learning: a predictor trained on real windows and on those an adversarial model draws."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lpo.optim import Shard, Training, adam, unsharded
from lpo.robust.adversary import Adversary, AdversaryState, Nominal
from lpo.robust.empirical import (
    PredictorState,
    Windows,
    descend,
    draw_rows,
    start_predictor,
    validate,
)
from lpo.robust.objective import WindowLoss


class RobustData(NamedTuple):
    """`real`: windows in tokens; `nominal`: the score model and the train windows standardised."""

    real: Windows
    nominal: Nominal


_SHARED: Any = None
_EACH: Any = 0
DATA_AXES = RobustData(real=_SHARED, nominal=Nominal(theta=_EACH, coefs=_EACH, windows=_SHARED))
"""Which leaves have a seed axis, for `lpo.optim.run`: every seed has its own score model."""


class RobustState(NamedTuple):
    """Both players. `audit_key` fixes the draws on which the budget is enforced."""

    predictor: PredictorState
    adversary: AdversaryState
    audit_key: Array


def dro_diffusion(
    adversary: Adversary,
    loss: WindowLoss,
    *,
    epochs: int,
    predictor_steps: int = 100,
    samples: int = 1024,
    mix: float = 0.5,
    batch: int = 256,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    shard: Shard = unsharded,
) -> Training:
    """min over w, max over theta in the budget, of the mean loss under P_theta (arXiv 2602.02943,
    eq. 9).

    One `update` is one outer epoch: the adversary ascends against the current predictor, `samples`
    windows are drawn from it, and the predictor takes `predictor_steps` gradient steps on batches
    whose windows are the adversary's with probability `mix`, real otherwise (1 is the paper's
    choice).
    `init(key, params, nominal)` starts from a predictor and a score model trained before. `shard`
    splits the predictor's batches over devices; the adversary has its own.
    """
    optimiser = adam(learning_rate, epochs * predictor_steps, weight_decay)

    def init(key: Array, params: Any, nominal: Nominal) -> RobustState:
        return RobustState(start_predictor(params, optimiser), adversary.init(nominal), key)

    def update(key: Array, state: RobustState, data: RobustData):
        ascent_key, sample_key, descent_key = jax.random.split(key, 3)
        player, metrics = adversary.ascend(
            ascent_key, state.adversary, data.nominal, state.predictor.params, state.audit_key
        )
        # gathered once: batches draw rows from all over it
        imagined = shard(
            adversary.sample(sample_key, player.theta, data.nominal, samples), axis=None
        )

        def step(predictor: PredictorState, step_key: Array):
            real_key, imagined_key, mix_key, dropout_key = jax.random.split(step_key, 4)
            rows = jnp.where(
                jax.random.bernoulli(mix_key, mix, (batch, 1)),
                draw_rows(imagined_key, imagined, batch),
                draw_rows(real_key, data.real.train, batch),
            )
            predictor, losses = descend(predictor, optimiser, loss, shard(rows), dropout_key)
            return predictor, jnp.mean(losses)

        predictor, losses = jax.lax.scan(
            step, state.predictor, jax.random.split(descent_key, predictor_steps)
        )
        return state._replace(predictor=predictor, adversary=player), {
            **metrics,
            "loss": jnp.mean(losses),
        }

    def close(state: RobustState, data: RobustData):
        predictor, metrics = validate(state.predictor, loss, data.real)
        return state._replace(predictor=predictor), metrics

    return Training(init, update, close)
