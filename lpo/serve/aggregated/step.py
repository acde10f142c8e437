"""One event of the aggregated chain: pure functions of one fleet, for `vmap`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from lpo.serve.instance import Instance
from lpo.serve.policies import (
    MIXED,
    SOLO,
    WAIT_SOLO,
    Gate,
    Policy,
    Router,
    Seen,
    Targets,
    admit,
    earn,
    queues_of,
    refill_weights,
    route,
    spend,
)
from lpo.serve.rates import service_rates


class State(NamedTuple):
    """A fleet between two events; requests by class, [I], whole numbers as float32.

    waiting: for prefill. prefilling. queues [2, I]: waiting to decode, for the solo pool (and the
    mixed one, where there is one queue) and for the mixed pool. mixed, solo: decoding in the two
    pools. credit [I]: of the credit gate.
    """

    waiting: Array
    prefilling: Array
    queues: Array
    mixed: Array
    solo: Array
    credit: Array


class Draws(NamedTuple):
    """Random numbers of one event, []: exponential with mean 1, and uniform in [0, 1)."""

    clock: Array
    event: Array
    place: Array
    first: Array


def event_rates(instance: Instance, targets: Targets, mixed_gpus: Array, state: State) -> Array:
    """Return [KINDS, I], events per second.

    Decodes of the mixed pool run at the mean speed of its GPUs, of which the share f prefills now:
    f mu_m + (1 - f) mu_s (*ours*: exact for a pool that is spread evenly).
    """
    rates, patience = service_rates(instance), instance.patience
    busy = state.prefilling.sum() / jnp.maximum(mixed_gpus, 1.0)
    slow = busy * rates.mu_m + (1.0 - busy) * rates.mu_s
    return jnp.stack(
        [
            targets.gpus * instance.arrival,
            patience * state.waiting,
            rates.mu_p * state.prefilling,
            patience * state.queues[0],
            patience * state.queues[1],
            slow * state.mixed,
            rates.mu_s * state.solo,
        ]
    )


def drawn(weights: Array, uniform: Array) -> Array:
    """Return a one-hot array, drawn in proportion to the weights; all 0 where all of them are."""
    flat = weights.reshape(-1)
    above = jnp.cumsum(flat)
    at = uniform * above[-1]
    below = jnp.concatenate([jnp.zeros(1, flat.dtype), above[:-1]])
    return ((below <= at) & (at < above)).astype(flat.dtype).reshape(weights.shape)


def follow(
    policy: Policy,
    instance: Instance,
    targets: Targets,
    mixed_gpus: Array,
    state: State,
    event: Array,
    seconds: Array,
    draws: Draws,
) -> State:
    """Return the state after `event` (one-hot [KINDS, I], or all 0) and what the policy does.

    One event frees at most one slot of each kind, so one placement and one admission follow; a gate
    that may leave slots empty gets a second admission.
    """
    arrived, gave_up, prefilled, left_solo, left_mixed, done_mixed, done_solo = event
    state = State(
        waiting=state.waiting + arrived - gave_up,
        prefilling=state.prefilling - prefilled,
        queues=state.queues - jnp.stack([left_solo, left_mixed]),
        mixed=state.mixed - done_mixed,
        solo=state.solo - done_solo,
        credit=earn(targets, state.credit, seconds) if policy.gate == Gate.CREDIT else state.credit,
    )
    batch = jnp.float32(instance.hardware.batch)
    most = jnp.stack([batch * (targets.gpus - mixed_gpus), targets.mixed_slots * mixed_gpus])
    state = _routed(policy, targets, most, state, prefilled, draws.place)
    state = _refilled(policy, targets, most, state, draws.place)
    for _ in range(2 if policy.gate == Gate.CREDIT else 1):
        state = _admitted(policy, targets, mixed_gpus, state, draws.first)
    return state


def _room(most: Array, state: State) -> Array:
    return jnp.stack([state.solo.sum(), state.mixed.sum()]) < most


def _routed(
    policy: Policy, targets: Targets, most: Array, state: State, prefilled: Array, uniform: Array
) -> State:
    to = route(policy, targets, _room(most, state), jnp.argmax(prefilled), uniform)
    solo, mixed, *queues = (prefilled * (to == where) for where in range(4))
    return state._replace(
        solo=state.solo + solo, mixed=state.mixed + mixed, queues=state.queues + jnp.stack(queues)
    )


def _refilled(policy: Policy, targets: Targets, most: Array, state: State, uniform: Array) -> State:
    """A free slot, if there is one, goes to a request that waits for its pool."""
    room, queues = _room(most, state), queues_of(policy)
    solo = _taken(policy, targets, state, SOLO, queues.solo, uniform) * room[SOLO]
    mixed = _taken(policy, targets, state, MIXED, queues.mixed, uniform) * room[MIXED]
    if policy.router != Router.SHARES:  # one queue, and one slot that has become free
        mixed = mixed * ~room[SOLO]
    state = state._replace(solo=state.solo + solo, mixed=state.mixed + mixed)
    if policy.router != Router.SHARES:
        return state._replace(queues=state.queues.at[0].add(-solo - mixed))
    return state._replace(queues=state.queues - jnp.stack([solo, mixed]))


def _taken(
    policy: Policy, targets: Targets, state: State, pool: int, queue: int, uniform: Array
) -> Array:
    waiting = state.queues[queue - WAIT_SOLO]
    return drawn(refill_weights(policy, targets, waiting, pool), uniform)


def _admitted(
    policy: Policy, targets: Targets, mixed_gpus: Array, state: State, uniform: Array
) -> State:
    served = targets.x > 0.0 if policy.refuse_unplanned else True
    first = jnp.argmax(drawn(state.waiting * served, uniform))
    seen = Seen(state.waiting, state.prefilling, state.credit, first)
    chosen = admit(policy, targets, seen)
    chosen = jnp.where(state.prefilling.sum() < mixed_gpus, chosen, -1)
    taken = (jnp.arange(len(state.waiting)) == chosen).astype(jnp.float32)
    return state._replace(
        waiting=state.waiting - taken,
        prefilling=state.prefilling + taken,
        credit=spend(targets, state.credit, chosen) if policy.gate == Gate.CREDIT else state.credit,
    )
