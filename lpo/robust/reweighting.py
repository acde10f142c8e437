"""Classical robust training: real windows, weighted as the worst law near their own would."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from lpo.optim import Shard, unsharded
from lpo.robust.divergence import Divergence
from lpo.robust.empirical import draw_rows
from lpo.robust.objective import WindowLoss
from lpo.robust.outer import Inner, RobustData


def reweighted(
    divergence: Divergence,
    loss: WindowLoss,
    *,
    batch: int,
    reference: int = 2048,
    shard: Shard = unsharded,
) -> Inner:
    """max over the laws of `divergence` near the train windows of the mean `loss`.

    Once an epoch the dual is solved on the losses of `reference` random windows, dropout off: a
    batch is too small for it (on 64 windows a KL ball of log 64 = 4.2 nats already holds every
    law). A step returns r(l) l of `batch` random windows with r constant, whose mean has the
    gradient of the worst-case mean (Danskin's theorem). Both draws are with replacement; `shard`
    splits them over devices.

    Metrics, on the reference: `worst_case_loss` E[r l], `nominal_loss` E l, and `effective_share`
    1 / E r^2, the share of the windows that the weights are worth (Kish's effective sample size
    over n).
    """

    def init(key: Array, data: RobustData) -> tuple[()]:
        del key, data
        return ()

    def prepare(
        key: Array, state: tuple[()], params: Any, data: RobustData
    ) -> tuple[tuple[()], Any, dict[str, Array]]:
        losses = loss(params, shard(draw_rows(key, data.real.train, reference)))
        dual = divergence.dual(losses)
        r = divergence.weights(losses, dual)
        metrics = {
            "worst_case_loss": jnp.mean(r * losses),
            "nominal_loss": jnp.mean(losses),
            "effective_share": 1.0 / jnp.mean(r**2),
        }
        return state, dual, metrics

    def losses(key: Array, params: Any, data: RobustData, context: Any) -> Array:
        batch_key, dropout_key = jax.random.split(key)
        values = loss(params, shard(draw_rows(batch_key, data.real.train, batch)), dropout_key)
        return divergence.weights(jax.lax.stop_gradient(values), context) * values

    return Inner(init, prepare, losses)
