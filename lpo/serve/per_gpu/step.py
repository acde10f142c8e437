"""One event of the chain GPU by GPU: pure functions of one fleet, for `vmap`."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.serve.aggregated.step import drawn
from lpo.serve.chain_runs import KINDS
from lpo.serve.per_gpu.fleet import (
    BALANCED,
    Gpus,
    Setting,
    changed,
    counts,
    room_channel,
    startable_channel,
)
from lpo.serve.per_gpu.least import least
from lpo.serve.per_gpu.tree import draw, holder, row
from lpo.serve.policies import (
    MIXED,
    SAMPLED,
    SOLO,
    WAIT_SOLO,
    Gate,
    Policy,
    Pools,
    Router,
    Seen,
    admit,
    earn,
    queues_of,
    refill_weights,
    route,
    spend,
)
from lpo.serve.rates import Rates, service_rates


class Fleet(NamedTuple):
    """A fleet between two events.

    waiting [I], queues [2, I]: as in the aggregated chain, whole numbers as float32. credit [I].
    """

    waiting: Array
    queues: Array
    credit: Array
    gpus: Gpus


class Draws(NamedTuple):
    """Random numbers of one event: exponential with mean 1, [], and uniform in [0, 1).

    starts [tries, sampled]: for the GPUs of prefills. The others are [].
    """

    clock: Array
    event: Array
    gpu: Array
    pool: Array
    refill: Array
    place: Array
    first: Array
    starts: Array


def tries(policy: Policy) -> int:
    """Return how many prefills may begin after one event: a gate that may leave slots empty can
    find two of them empty later."""
    return 2 if policy.gate == Gate.CREDIT else 1


def sampled(policy: Policy) -> int:
    """Return how many GPUs are looked at for a prefill; slots of a pool are all alike."""
    return SAMPLED if policy.pools == Pools.NONE else 1


def speeds(setting: Setting) -> Rates:
    """Return the rates of the policy: mu_p and mu_m are others where decodes pause in a prefill
    of the whole prompt."""
    instance = setting.instance
    rates = service_rates(instance)
    if not setting.policy.prefill_pauses:
        return rates
    hardware = instance.hardware
    whole = hardware.alpha + hardware.beta * instance.prompt
    return rates._replace(mu_p=1.0 / whole, mu_m=0.0 * rates.mu_m)


def event_rates(setting: Setting, fleet: Fleet) -> Array:
    """Return [KINDS, I], events per second, in the order of the aggregated chain."""
    rates, patience = speeds(setting), setting.instance.patience
    now = counts(fleet.gpus)
    slow = rates.mu_m
    if setting.averaged:
        busy = jnp.minimum(now.prefilling.sum() / jnp.maximum(setting.mixed_gpus, 1.0), 1.0)
        slow = busy * rates.mu_m + (1.0 - busy) * rates.mu_s
    return jnp.stack(
        [
            setting.targets.gpus * setting.instance.arrival,
            patience * fleet.waiting,
            rates.mu_p * now.prefilling,
            patience * fleet.queues[0],
            patience * fleet.queues[1],
            slow * now.mixed,
            rates.mu_s * now.solo,
        ]
    )


def follow(
    setting: Setting, fleet: Fleet, event: Array, happens: Array, seconds: Array, draws: Draws
) -> Fleet:
    """Return the fleet after `event` (one-hot [KINDS, I]) and what the policy does then.

    happens []: where it is false nothing does, but time passes. Of the events of a class, those on
    GPUs go to one in proportion to what runs there.
    """
    policy, targets = setting.policy, setting.targets
    arrived, gave_up, prefilled, left_solo, left_mixed, done_mixed, done_solo = event
    ended = prefilled.astype(jnp.int32)
    freed = (done_mixed + done_solo).astype(jnp.int32)
    stays = ended if policy.router == Router.SAME_GPU else jnp.zeros_like(ended)
    gpu = draw(setting.shape, fleet.gpus.sums, _channel(event), draws.gpu)
    fleet = Fleet(
        waiting=fleet.waiting + arrived - gave_up,
        queues=fleet.queues - jnp.stack([left_solo, left_mixed]),
        credit=earn(targets, fleet.credit, seconds),
        gpus=changed(setting, fleet.gpus, gpu, -ended, stays - freed),
    )
    if policy.router == Router.SAME_GPU:
        return _started(setting, fleet, happens, draws)
    if prefills_first(policy):
        fleet = _started(setting, fleet, happens, draws)
        return _placed(setting, fleet, prefilled, happens, draws)
    fleet = _placed(setting, fleet, prefilled, happens, draws)
    return _started(setting, fleet, happens, draws)


def prefills_first(policy: Policy) -> bool:
    """Return whether a free slot that both could take goes to a prefill and not to a decode."""
    return policy.pools == Pools.NONE and policy.router == Router.SOLO_FIRST


def _channel(event: Array) -> Array:
    """The channel of an event on a GPU; the first for other events."""
    classes = event.shape[1]
    table = np.zeros((KINDS, classes), np.float32)
    for place, kind in enumerate((2, 5, 6)):  # prefills, decodes beside one, other decodes
        table[kind] = place * classes + np.arange(classes)
    return (event * table).sum().astype(jnp.int32)


def _placed(
    setting: Setting, fleet: Fleet, prefilled: Array, happens: Array, draws: Draws
) -> Fleet:
    """At most one decode begins: that of a request whose prefill is complete, one-hot [I] or all 0,
    or of one that waits, where others wait for the GPUs that have room."""
    policy, targets, queues = setting.policy, setting.targets, fleet.queues
    feeds = [queue - WAIT_SOLO for queue in queues_of(policy)]  # SOLO and MIXED
    waits = jnp.stack([queues[feed].sum() > 0.0 for feed in feeds])
    room = (counts(fleet.gpus).room > 0) & happens
    to = route(policy, targets, room & ~waits, jnp.argmax(prefilled), draws.pool)
    at_once = prefilled * (to < WAIT_SOLO)
    joined = prefilled * (to == WAIT_SOLO + jnp.arange(2))[:, None]

    solo, mixed = room & waits & ~at_once.any()
    mixed = mixed & ~solo
    weights = [refill_weights(policy, targets, queues[feeds[p]], p) for p in (SOLO, MIXED)]
    taken = drawn(jnp.where(solo, *weights), draws.refill) * (solo | mixed)
    leaves = [
        taken * sum(chosen for chosen, feed in zip((solo, mixed), feeds, strict=True) if feed == q)
        for q in range(2)
    ]
    begins = (at_once + taken).astype(jnp.int32)
    if policy.router in BALANCED:
        gpu = least(setting.shape, fleet.gpus.minima)
    else:
        pool = jnp.where(at_once.any(), to == MIXED, mixed)
        channel = room_channel(len(begins)) + pool
        gpu = draw(setting.shape, fleet.gpus.sums, channel, draws.place)
    return fleet._replace(
        queues=queues + joined - jnp.stack(leaves),
        gpus=changed(setting, fleet.gpus, gpu, jnp.zeros_like(begins), begins),
    )


def _started(setting: Setting, fleet: Fleet, happens: Array, draws: Draws) -> Fleet:
    """The gate's prefills begin.

    The request that came first is of a class in proportion to the numbers that wait: with equal
    patience that is its law, given the numbers.
    """
    policy, targets = setting.policy, setting.targets
    for attempt in range(tries(policy)):
        now = counts(fleet.gpus)
        could_be = fleet.waiting
        if policy.refuse_unplanned:
            could_be = jnp.where(targets.x > 0.0, could_be, 0.0)
        first = jnp.argmax(drawn(could_be, draws.first))
        seen = Seen(fleet.waiting, now.prefilling.astype(jnp.float32), fleet.credit, first)
        chosen = admit(policy, targets, seen)
        chosen = jnp.where((now.startable > 0) & happens, chosen, -1)
        taken = (jnp.arange(len(fleet.waiting)) == chosen).astype(jnp.int32)
        gpu = _gpu_for_prefill(setting, fleet.gpus, draws.starts[attempt])
        fleet = fleet._replace(
            waiting=fleet.waiting - taken,
            credit=spend(targets, fleet.credit, chosen),
            gpus=changed(setting, fleet.gpus, gpu, taken, jnp.zeros_like(taken)),
        )
    return fleet


def _gpu_for_prefill(setting: Setting, gpus: Gpus, uniforms: Array) -> Array:
    """One GPU at random, or the one with the fewest decodes of several different ones."""
    shape, classes = setting.shape, len(setting.targets.x)
    channel = startable_channel(classes)
    if len(uniforms) == 1:
        return draw(shape, gpus.sums, channel, uniforms[0])
    units = different(gpus.sums.total[channel], uniforms)
    looked_at = jax.vmap(lambda unit: holder(shape, gpus.sums, channel, unit))(units)
    rows = jax.vmap(lambda gpu: row(shape, gpus.sums, gpu))(looked_at)
    decodes = rows[:, classes : 3 * classes].sum(-1)
    return looked_at[jnp.argmin(jnp.where(units >= 0, decodes, 2**30))]


def different(total: Array, uniforms: Array) -> Array:
    """Return different whole numbers below `total`, every set of them equally likely; int32 [k].

    The first ones are -1 where there are fewer than k numbers. Floyd's algorithm (Bentley and
    Floyd, "A sample of brilliance", 1987). uniforms [k].
    """
    numbers: list[Array] = []
    for k in range(len(uniforms)):
        last = total - len(uniforms) + k
        number = jnp.minimum((uniforms[k] * (last + 1)).astype(jnp.int32), last)
        for other in numbers:
            number = jnp.where(number == other, last, number)
        numbers.append(jnp.where(last >= 0, number, -1))
    return jnp.stack(numbers)
