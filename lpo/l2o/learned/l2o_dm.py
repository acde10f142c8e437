"""L2O-DM: an LSTM that turns gradients into steps, coordinate by coordinate.

Andrychowicz, Denil, Gomez, Hoffman, Pfau, Schaul, Shillingford and de Freitas, Learning to learn by
gradient descent by gradient descent, 2016, section 2.1 and appendix A.
"""

from typing import Any

import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.learned.optimiser import Memory, Optimiser, Recurrent, rest

_DECADES = 10.0
"""p of the paper: gradients below e^-p are told as they are, in units of that."""


def log_and_sign(g: jax.Array) -> jax.Array:
    """Return gradients [d] as two numbers of about the size of one, [d, 2]: (log |g| / p, sign g)
    where |g| is at least e^-p, otherwise (-1, e^p g)."""
    large = jnp.abs(g) >= jnp.exp(-_DECADES)
    log = jnp.log(jnp.where(large, jnp.abs(g), 1.0)) / _DECADES
    return jnp.stack(
        [
            jnp.where(large, log, -1.0),
            jnp.where(large, jnp.sign(g), jnp.exp(_DECADES) * g),
        ],
        -1,
    )


def l2o_dm(scale: float = 0.1) -> Optimiser:
    """x <- x + scale LSTM(log and sign of g). scale: of steps before training. Raises InputError
    unless that is positive."""
    if not scale > 0.0:
        raise InputError(f"`scale` must be positive, got {scale}.")
    net = Recurrent()

    def init(key: jax.Array) -> Any:
        return net.init(key, rest(1), jnp.zeros((1, 2)))

    def update(params: Any, memory: Memory, g: jax.Array) -> tuple[jax.Array, Memory]:
        found = net.apply(params, memory, log_and_sign(g))
        assert isinstance(found, tuple)
        carries, move = found
        return scale * jnp.asarray(move), carries

    return Optimiser("l2o_dm", init, rest, update)
