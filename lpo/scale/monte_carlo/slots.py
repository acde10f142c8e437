"""When k passes on P slots are complete: one more pass at a time, every P at once."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from lpo.scale.laws import Latency, LawNumbers, Laws


class Slots(NamedTuple):
    """Where the passes so far are, for p numbers of slots and queries [...]; float64, seconds.

    done [p, ...]: waves that are complete, or the time of all passes together. busy [p, b, ...]:
    the longest pass of the last wave (b = 1), or when each slot is free, ascending, infinite for
    slots that are not there (b slots at the most); b = 0 for the latency `mean`.
    """

    done: Any
    busy: Any


def no_passes(laws: Laws, parallel: Array, most: int, queries: tuple[int, ...]) -> Slots:
    """Return the state before the first pass.

    parallel int [p]: slots. most: of them, at the most, for work_conserving. queries: shape.
    """
    done = jnp.zeros((len(parallel), *queries))
    if laws.latency == Latency.WORK_CONSERVING:
        there = jnp.arange(most) < parallel[:, None]
        busy = jnp.where(there, 0.0, jnp.inf).reshape(len(parallel), most, *[1] * len(queries))
        return Slots(done, jnp.broadcast_to(busy, (len(parallel), most, *queries)))
    rows = 0 if laws.latency == Latency.MEAN else 1
    return Slots(done, jnp.zeros((len(parallel), rows, *queries)))


def next_pass(
    laws: Laws, numbers: LawNumbers, parallel: Array, slots: Slots, at: Array, seconds: Array
) -> tuple[Slots, Array]:
    """Return the state after pass number `at` (from 0) of `seconds` [...], and when all passes up
    to it are complete, [p, ...], s, as `Latency` says."""
    wide = parallel.reshape(-1, *[1] * seconds.ndim)
    if laws.latency == Latency.MEAN:
        done = slots.done + seconds
        return slots._replace(done=done), done / wide
    if laws.latency == Latency.WORK_CONSERVING:
        # list scheduling (Graham, 1966): the slot that is free first takes the pass. Its end is put
        # in order among those of the other slots: each one moves down a place unless it is later
        free = slots.busy
        end = free[:, :1] + seconds
        later = jnp.concatenate([free[:, 1:], jnp.full_like(end, jnp.inf)], 1)
        done = jnp.maximum(slots.done, end[:, 0])
        return Slots(done, jnp.clip(end, free, later)), done
    ended = at % wide == 0
    longest = slots.busy[:, 0]
    beside = at % wide  # passes of the wave that began before this one
    slower = 1.0 + numbers.contention * (wide - 1), 1.0 + numbers.contention * beside
    if laws.latency == Latency.WAVES:
        slower = 1.0, 1.0
    done = slots.done + jnp.where(ended, slower[0] * longest, 0.0)
    longest = jnp.maximum(jnp.where(ended, 0.0, longest), seconds)
    return Slots(done, longest[:, None]), done + slower[1] * longest
