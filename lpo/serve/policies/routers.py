"""Where a request decodes: pure functions for `jit` and `vmap`. docs/serve_policies.md."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from lpo.serve.policies.kinds import Policy, Router
from lpo.serve.policies.targets import Targets

SOLO, MIXED = 0, 1
"""Pools of GPUs: those that never prefill, and those that may."""
WAIT_SOLO, WAIT_MIXED = 2, 3
"""Queues of requests whose prefill is complete; where there is only one it is the first."""


def route(policy: Policy, targets: Targets, room: Array, chosen: Array, uniform: Array) -> Array:
    """Return SOLO, MIXED, WAIT_SOLO or WAIT_MIXED for a request of class `chosen`; int32 [].

    room bool [2]: whether the two pools have a free slot. uniform []: in [0, 1), for `shares`.
    """
    if policy.router == Router.SHARES:
        pool = jnp.where(uniform < targets.solo_share[chosen], SOLO, MIXED)
        return jnp.where(room[pool], pool, pool + WAIT_SOLO).astype(jnp.int32)
    where = jnp.where(room[SOLO], SOLO, jnp.where(room[MIXED], MIXED, WAIT_SOLO))
    return where.astype(jnp.int32)


def refill_weights(policy: Policy, targets: Targets, waiting: Array, pool: int) -> Array:
    """Return the weights [I] with which a slot freed in `pool` draws a class from its queue.

    waiting [I]: of the queue of that pool. First come, first served in the mean where there is one
    queue: in proportion to the numbers that wait. With `shares` by the planned completions, and by
    the numbers where the plan has none of those who wait. All 0 while nobody waits.
    """
    if policy.router != Router.SHARES:
        return waiting
    planned = targets.solo_weight if pool == SOLO else targets.mixed_weight
    weights = jnp.where(waiting > 0.0, planned, 0.0)
    return jnp.where(weights.sum() > 0.0, weights, waiting)


class Queues(NamedTuple):
    """Which queue feeds a pool: with one queue for all it feeds both."""

    solo: int
    mixed: int


def queues_of(policy: Policy) -> Queues:
    """Return the queues (WAIT_SOLO or WAIT_MIXED) of the two pools."""
    return Queues(WAIT_SOLO, WAIT_MIXED if policy.router == Router.SHARES else WAIT_SOLO)
