"""Prefills and decodes that begin under a policy, as flows. docs/serve_policies.md.

Per GPU and second. Who waits, and a slot that is free, would be served within `eps` seconds if
nothing stood in the way: a queue q with arrivals lambda asks for lambda + q / eps, slots of which z
are free offer what is freed, plus z / eps. Flows are the smaller of the two. As eps falls this
tends to the fluid that is reflected where queues are empty and pools are full. States of rest are
the same for every eps (within order eps for first come, first served with different patience).
"""

import jax.numpy as jnp
from jax import Array

from lpo.serve.fluid.filling import in_order, in_proportion, water_fill
from lpo.serve.policies.kinds import Gate, Policy, Router
from lpo.serve.policies.targets import Targets


def admissions(
    policy: Policy,
    targets: Targets,
    arrival: Array,
    waiting: Array,
    x: Array,
    prefilled: Array,
    eps: Array | float,
) -> Array:
    """Return the prefills that begin, [I] per second.

    x [I]: prefills that run; prefilled [I]: that end, per second. targets: of one GPU.

    - index: the class of the least x / x* gets every slot until it is no longer the least, so that
      occupancies of classes that wait move, within eps seconds, to one multiple 1 + L of the plan,
      with L such that all slots are used. strict: the same with L at most 0.
    - credit: credits are of the order of sqrt(n), nothing per GPU. So a class is admitted at its
      planned rate while it waits, and as it arrives where that is slower. Where slots are short all
      credits grow, the largest credit / rate is spent first, and admissions are in proportion to
      planned rates, which keeps these ratios equal.
    - priority: in order. fcfs: in proportion to the numbers that wait.
    """
    offered = jnp.maximum(prefilled.sum() + (targets.mixed - x.sum()) / eps, 0.0)
    asks = arrival + waiting / eps
    planned = targets.x > 0.0
    if policy.refuse_unplanned:
        asks = jnp.where(planned, asks, 0.0)
    if policy.gate in (Gate.INDEX, Gate.STRICT):
        at_plan, more = prefilled + (targets.x - x) / eps, targets.x / eps  # at L = 0, for L = 1
        most = jnp.clip(at_plan, 0.0, asks) if policy.gate == Gate.STRICT else asks
        first = water_fill(at_plan, more, most, offered)
        if policy.gate == Gate.STRICT:
            return first
        # what is left goes to the longest queue above its target among classes with x* = 0
        level = arrival + (waiting - targets.waiting) / eps
        others = jnp.where(planned, 0.0, 1.0 / eps)
        return first + water_fill(level, others, asks, offered - first.sum())
    if policy.gate == Gate.PRIORITY:
        return in_order(asks, offered, targets.order)
    in_turn = in_proportion(asks, offered)
    if policy.gate == Gate.CREDIT:
        allowed = jnp.minimum(asks, targets.rate)
        first = water_fill(jnp.zeros_like(asks), targets.rate, allowed, offered)
        free = jnp.where(targets.exempt, asks - allowed, 0.0)
        credited = first + in_proportion(free, offered - first.sum())
        return jnp.where(targets.open, in_turn, credited)
    return in_turn


def placements(
    policy: Policy,
    targets: Targets,
    prefilled: Array,
    buffered: Array,
    rooms: tuple[Array, Array],
    eps: Array | float,
) -> tuple[Array, Array, Array]:
    """Return by how much queues grow before anybody abandons, [2, I], and the decodes that begin on
    GPUs without prefills and on the others, [I] each; per second.

    prefilled [I]: prefills that end. buffered [2, I]: who waits for the two kinds of GPU. rooms:
    the decodes that there is room for on each, per second.
    """
    room_solo, room_mixed = (jnp.maximum(room, 0.0) for room in rooms)
    if policy.router == Router.SHARES:
        share = targets.solo_share
        into = jnp.stack([share * prefilled, (1.0 - share) * prefilled])
        asks = into + buffered / eps
        solo = _by_weight(asks[0], targets.solo_weight, room_solo)
        mixed = _by_weight(asks[1], targets.mixed_weight, room_mixed)
        return into - jnp.stack([solo, mixed]), solo, mixed
    asks = prefilled + buffered[0] / eps
    solo = in_proportion(asks, room_solo)
    mixed = in_proportion(asks - solo, room_mixed)
    return jnp.stack([prefilled - solo - mixed, jnp.zeros_like(solo)]), solo, mixed


def _by_weight(asks: Array, weight: Array, room: Array) -> Array:
    """Freed slots by planned share, the rest of them to classes that have none."""
    first = water_fill(jnp.zeros_like(asks), weight, asks, room)
    others = jnp.where(weight > 0.0, 0.0, asks)
    return first + in_proportion(others, room - first.sum())
