"""What the policy does: which request begins its prefill, which decodes, and on which GPU."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from lpo.serve.policies import SOLO, Gate, Pools, Router, Seen, admit, refill_weights, spend
from lpo.serve.requests.buffer import first_in, join, past_holes, without_first
from lpo.serve.requests.choices import (
    DECODE,
    POOL,
    PREFILL,
    REFILL,
    at_random,
    least,
    least_of_a_few,
    priorities,
    uniform,
)
from lpo.serve.requests.events import Ended, kept_tokens, past_gone
from lpo.serve.requests.gpus import NEVER, Gpus
from lpo.serve.requests.lines import Lines
from lpo.serve.requests.state import Setting, Shape, State

ENOUGH = 1e-9
"""Of credit: rounding of the clock must not keep a class from its credit of 1."""


class Move(NamedTuple):
    """A request that is given a GPU, if `happens`."""

    happens: Array
    request: Array
    gpu: Array


def at(move: Move, gpus: int) -> Array:
    """Return the GPU of a move that happens, one-hot [n]."""
    return (jnp.arange(gpus) == move.gpu) & move.happens


def decode_room(shape: Shape, setting: Setting, gpus: Gpus) -> Array:
    """Return which GPUs have a free slot for decoding, bool [n].

    A GPU of the mixed pool keeps one for a prefill; others that still prefill, after the pool has
    become smaller, need one.
    """
    number = jnp.arange(shape.gpus)
    room = gpus.streams + gpus.prefilling < shape.batch
    if shape.policy.pools != Pools.NONE:
        few = gpus.streams < setting.targets.mixed_slots
        room = jnp.where(number < setting.mixed, few, room)
    return room & (number < setting.gpus)


def prefill_room(shape: Shape, setting: Setting, gpus: Gpus) -> Array:
    """Return which GPUs may start a prefill, bool [n].

    Those that have come into the mixed pool with more decodes than it allows must finish some.
    """
    pools = shape.policy.pools != Pools.NONE
    most = setting.targets.mixed_slots if pools else shape.batch - 1
    inside = jnp.arange(shape.gpus) < jnp.minimum(setting.mixed, setting.gpus)
    return inside & ~gpus.prefilling & (gpus.streams <= most)


def stay(lines: Lines, state: State, ended: Ended) -> tuple[State, Move]:
    """Return the state after a request that is prefilled goes on to decode on its GPU."""
    move = Move(ended.read, ended.request, ended.gpu)
    return _streaming(lines, state, move, jnp.int32(0)), move


def enter_buffer(
    shape: Shape, lines: Lines, setting: Setting, state: State, ended: Ended
) -> tuple[State, Array]:
    """Return the state after a request that is prefilled has come last in the buffer, and whether
    it is lost because the buffer was full."""
    ring = jnp.int32(0)
    if shape.policy.router == Router.SHARES:
        kind = lines.seen[ended.request]
        share = uniform(lines.bits[ended.request], POOL)
        ring = jnp.where(share < setting.targets.solo_share[kind], 0, shape.classes) + kind
    due = state.now_s + lines.patience_s[ended.request]
    buffer, full = join(state.buffer, ring, ended.request, ended.gpu, due, ended.read)
    freed = jnp.where(full, kept_tokens(shape, lines, ended.request), 0)
    here = jnp.arange(shape.gpus) == ended.gpu
    reserved = state.gpus.reserved - jnp.where(here, freed, 0)
    return state._replace(buffer=buffer, gpus=state.gpus._replace(reserved=reserved)), full


def place(
    shape: Shape, lines: Lines, setting: Setting, state: State, live: Array
) -> tuple[State, Move]:
    """Return the state after the first of the buffer has been given a GPU with a slot and room in
    its cache, if there is one; nobody overtakes him."""
    gpus = state.gpus
    room = decode_room(shape, setting, gpus)
    mixed = gpus.prefilling  # without pools
    if shape.policy.pools != Pools.NONE:
        mixed = jnp.arange(shape.gpus) < setting.mixed
    ring = jnp.int32(0)
    if shape.policy.router == Router.SHARES:
        ring = _ring_to_serve(shape, lines, setting, state, (room & ~mixed).any())
        room &= mixed == (ring >= shape.classes)
    waits = live & (state.buffer.waiting[ring] > 0)
    request, holder = first_in(state.buffer, ring)
    request = jnp.where(waits, request, len(lines.prompt) - 1)
    tokens = lines.prompt[request] + lines.decode[request]
    moved = jnp.where(jnp.arange(shape.gpus) == holder, kept_tokens(shape, lines, request), 0)
    room &= gpus.reserved - moved + tokens <= setting.kv_tokens

    if shape.policy.router == Router.LEAST_LOADED:
        gpu = least(room, gpus.streams)
    elif shape.policy.router == Router.LEAST_KV:
        gpu = least(room, gpus.kv)
    else:
        solo = room & ~mixed
        order = priorities(lines.bits[request], DECODE, shape.gpus)
        gpu = at_random(jnp.where(solo.any(), solo, room), order)
    move = Move(waits & room.any(), request, gpu)
    reserved = gpus.reserved - jnp.where(move.happens, moved, 0)
    reserved += jnp.where(at(move, shape.gpus), tokens, 0)
    buffer = without_first(state.buffer, ring, move.happens)
    state = state._replace(
        buffer=past_holes(buffer) if shape.gives_up_decode else buffer,
        gpus=gpus._replace(reserved=reserved),
    )
    return _streaming(lines, state, move, lines.prompt[request]), move


def let_in(
    shape: Shape, lines: Lines, setting: Setting, state: State, live: Array
) -> tuple[State, Move]:
    """Return the state after the request that the gate chooses has begun its prefill, if a GPU may
    start one and has room in its cache; nobody overtakes him."""
    gpus = state.gpus
    heads = lines.order[state.head]
    seen = Seen(
        waiting=state.waiting.astype(jnp.float64),
        prefilling=state.prefilling.astype(jnp.float64),
        credit=state.credit + ENOUGH,
        first=jnp.argmin(jnp.where(state.waiting > 0, heads, NEVER)),
    )
    chosen = admit(shape.policy, setting.targets, seen)
    waits = live & (chosen >= 0)
    request = jnp.where(waits, heads[jnp.maximum(chosen, 0)], len(lines.prompt) - 1)
    tokens = kept_tokens(shape, lines, request)
    may = prefill_room(shape, setting, gpus) & (gpus.reserved + tokens <= setting.kv_tokens)
    order = priorities(lines.bits[request], PREFILL, shape.gpus)
    if shape.policy.pools == Pools.NONE:
        gpu = least_of_a_few(may, gpus.streams, order)
    else:
        gpu = at_random(may, order)
    move = Move(waits & may.any(), request, gpu)

    here = at(move, shape.gpus)
    mine = (jnp.arange(shape.classes) == chosen) & move.happens
    state = state._replace(
        head=state.head + mine,
        waiting=state.waiting - mine,
        prefilling=state.prefilling + mine,
        gpus=gpus._replace(
            prefill=jnp.where(here, request, gpus.prefill),
            unread=jnp.where(here, lines.prompt[request], gpus.unread),
            reserved=gpus.reserved + jnp.where(here, tokens, 0),
        ),
    )
    if shape.policy.gate == Gate.CREDIT:
        paid = jnp.where(move.happens, chosen, -1)
        state = state._replace(credit=spend(setting.targets, state.credit, paid))
    if shape.gives_up_prefill:
        state = state._replace(head=past_gone(lines, state, state.head))
    return state, move


def _ring_to_serve(
    shape: Shape, lines: Lines, setting: Setting, state: State, solo_room: Array
) -> Array:
    """Of the solo pool where that has room and somebody waits for it, otherwise of the mixed pool;
    of the class that is drawn with its share."""
    waiting = state.buffer.waiting.reshape(2, shape.classes)
    draw = uniform(lines.bits[state.placed], REFILL)
    rings = []
    for pool in range(2):
        weights = refill_weights(
            shape.policy, setting.targets, waiting[pool].astype(jnp.float64), pool
        )
        above = jnp.cumsum(weights)
        kind = jnp.minimum((above <= draw * above[-1]).sum(), shape.classes - 1)
        rings.append(pool * shape.classes + kind)
    return jnp.where(solo_room & (waiting[SOLO].sum() > 0), *rings).astype(jnp.int32)


def _streaming(lines: Lines, state: State, move: Move, kv: Array) -> State:
    """With one stream more, which brings kv tokens into the cache."""
    gpus = state.gpus
    n, B = gpus.ends_at.shape
    here = at(move, n)
    slot = jnp.argmax(gpus.ends_at[move.gpu] == NEVER)
    into = here[:, None] & (jnp.arange(B) == slot)
    last = gpus.iteration[move.gpu] + lines.decode[move.request]
    return state._replace(
        placed=state.placed + move.happens,
        gpus=gpus._replace(
            streams=gpus.streams + here,
            kv=gpus.kv + jnp.where(here, kv, 0),
            ends_at=jnp.where(into, last, gpus.ends_at),
            holder=jnp.where(into, move.request, gpus.holder),
        ),
    )
