"""One event of a run, and what the policy does about it: pure functions, for `jit` and `vmap`."""

import jax.numpy as jnp
from jax import Array, lax

from lpo.serve.policies import Gate, Pools, Router, earn
from lpo.serve.requests.events import (
    Ended,
    arrive,
    end_on_gpu,
    give_up,
    leave_buffer,
    next_event,
)
from lpo.serve.requests.gpus import Gpus, at_boundary, timed
from lpo.serve.requests.lines import Lines
from lpo.serve.requests.moves import (
    ENOUGH,
    Move,
    at,
    decode_room,
    enter_buffer,
    let_in,
    place,
    prefill_room,
    stay,
)
from lpo.serve.requests.state import FINISHED, PLACED, READ, STARTED, Setting, Shape, State

_OF_STRETCH = "start_s end_s tau_s slope_s alike count iteration kv unread".split()


def step(shape: Shape, lines: Lines, setting: Setting, state: State) -> State:
    """Return a run after its next event that is not after `until_s`, one placement and one
    admission; unchanged but for `live` where there is none.

    An event frees at most one slot of each kind. Where the policy could do more (caches, credit,
    new targets), the next step is at the same time.
    """
    event = next_event(shape, lines, setting, state)
    before = state.gpus
    here = (jnp.arange(shape.gpus) == jnp.argmin(before.end_s)) & event.ends
    pauses = shape.policy.prefill_pauses
    credit = state.credit
    if shape.policy.gate == Gate.CREDIT:
        credit = earn(setting.targets, credit, event.time_s - state.now_s)
    state = state._replace(
        now_s=event.time_s,
        live=event.live,
        steps=state.steps + event.live,
        credit=credit,
        gpus=at_boundary(pauses, setting.chunk, before, event.time_s, here),
    )
    state, ended = end_on_gpu(shape, lines, state, event, here)
    state = arrive(shape, lines, state, event)
    if shape.gives_up_prefill:
        state = give_up(shape, lines, state, event)
    if shape.gives_up_decode:
        state = leave_buffer(shape, lines, state, event)

    lost = jnp.asarray(False)
    if shape.policy.router == Router.SAME_GPU:
        state, placed = stay(lines, state, ended)
        state, started = let_in(shape, lines, setting, state, event.live)
    else:
        state, lost = enter_buffer(shape, lines, setting, state, ended)
        if _prefill_first(shape):
            state, started = let_in(shape, lines, setting, state, event.live)
            state, placed = place(shape, lines, setting, state, event.live)
        else:
            state, placed = place(shape, lines, setting, state, event.live)
            state, started = let_in(shape, lines, setting, state, event.live)

    changed = here | at(placed, shape.gpus) | at(started, shape.gpus)
    state = state._replace(
        log=_logged(state, ended, lost, placed, started),
        gpus=_with_new_stretches(shape, setting, before, state.gpus, changed),
    )
    return _looking_ahead(shape, setting, state, placed, started)


def _prefill_first(shape: Shape) -> bool:
    """Whether a freed slot goes to a prefill before it goes to a decode that waits."""
    return shape.policy.pools == Pools.NONE and shape.policy.router == Router.SOLO_FIRST


def _with_new_stretches(
    shape: Shape, setting: Setting, before: Gpus, after: Gpus, changed: Array
) -> Gpus:
    """New ones where something changed; elsewhere the stretch goes on as it was."""
    fresh = timed(setting.times, shape.policy.prefill_pauses, setting.chunk, after)
    kept = {
        name: jnp.where(changed, getattr(fresh, name), getattr(before, name))
        for name in _OF_STRETCH
    }
    return fresh._replace(**kept)


def _logged(state: State, ended: Ended, lost: Array, placed: Move, started: Move) -> Array:
    nobody = len(state.log) - 1
    begins = state.gpus.start_s
    writes = [
        (
            ended.request,
            jnp.where(ended.done, FINISHED, READ),
            (state.now_s, jnp.where(lost, -jnp.inf, jnp.nan)),
        )
    ]
    for move, column in ((placed, PLACED), (started, STARTED)):
        row = jnp.where(move.happens, move.request, nobody)
        writes.append((row, jnp.int32(column), (begins[move.gpu], move.gpu)))
    log = state.log
    for row, column, pair in writes:
        cells = jnp.stack([jnp.asarray(cell, jnp.float64) for cell in pair])
        log = lax.dynamic_update_slice(log, cells[None], (row, column.astype(row.dtype)))
    return log


def _looking_ahead(
    shape: Shape, setting: Setting, state: State, placed: Move, started: Move
) -> State:
    """With `again`, where one placement or admission may not be all, and with `wake_s`."""
    slots = prefill_room(shape, setting, state.gpus).any()
    waits = state.waiting > 0
    more = jnp.asarray(False)
    if shape.policy.router != Router.SAME_GPU:
        room = decode_room(shape, setting, state.gpus).any()
        more = placed.happens & room & (state.buffer.waiting.sum() > 0)
    if _prefill_first(shape):  # a cache that has moved away leaves room for a prefill
        more |= placed.happens & slots & waits.any()
    if shape.policy.gate != Gate.CREDIT:
        return state._replace(again=more | (started.happens & slots & waits.any()))
    targets = setting.targets
    free = (state.credit + ENOUGH >= 1.0) | targets.exempt | targets.open
    soon = waits & ~free & (targets.rate > 0.0)
    wait = (1.0 - state.credit) / jnp.where(soon, targets.rate, 1.0)
    wake = state.now_s + jnp.where(soon, wait, jnp.inf).min()
    wake = jnp.maximum(wake, jnp.nextafter(state.now_s, jnp.inf))  # or time would stand still
    return state._replace(
        again=more | (started.happens & slots & (waits & free).any()),
        wake_s=jnp.where(slots, wake, jnp.inf),
    )
