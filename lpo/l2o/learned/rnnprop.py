"""L2O-RNNProp: an LSTM on gradients in units of their own running size, with bounded steps.

Lv, Jiang and Li, Learning gradient descent: better generalization and longer horizons, 2017.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.learned.optimiser import Memory, Optimiser, Recurrent, rest

_DECAY = 0.95  # of both running means
_FLOOR = 1e-8  # under the size of gradients


class Moments(NamedTuple):
    """carries: of the LSTM. m, v: running means of g and g^2, [d]. kept: share of them that is left
    of their start at 0, []."""

    carries: Any
    m: jax.Array
    v: jax.Array
    kept: jax.Array


def rnnprop(step: float = 0.1) -> Optimiser:
    """x <- x + step tanh(LSTM(m / sqrt v, g / sqrt v)), m and v as of Adam, corrected for their
    start. step: the most a coordinate moves at once. Raises InputError unless that is positive."""
    if not step > 0.0:
        raise InputError(f"`step` must be positive, got {step}.")
    net = Recurrent(entry=20)

    def init(key: jax.Array) -> Any:
        return net.init(key, rest(1), jnp.zeros((1, 2)))

    def start(d: int) -> Moments:
        zero = jnp.zeros(d)
        return Moments(rest(d), zero, zero, jnp.ones(()))

    def update(params: Any, memory: Memory, g: jax.Array) -> tuple[jax.Array, Memory]:
        m = _DECAY * memory.m + (1.0 - _DECAY) * g
        v = _DECAY * memory.v + (1.0 - _DECAY) * g**2
        kept = _DECAY * memory.kept
        size = jnp.sqrt(v / (1.0 - kept)) + _FLOOR
        told = jnp.stack([m / (1.0 - kept) / size, g / size], -1)
        found = net.apply(params, memory.carries, told)
        assert isinstance(found, tuple)
        carries, move = found
        return step * jnp.tanh(jnp.asarray(move)), Moments(carries, m, v, kept)

    return Optimiser("rnnprop", init, start, update)
