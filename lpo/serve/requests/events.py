"""What happens next to a run, and what it changes before the policy acts."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from lpo.serve.policies import Pools, Router
from lpo.serve.requests.buffer import next_due, past_holes, without_next_due
from lpo.serve.requests.gpus import NEVER
from lpo.serve.requests.lines import Lines
from lpo.serve.requests.state import Setting, Shape, State


class Event(NamedTuple):
    """What happens at a time in s, at most one of four, bool []: the stretch of a GPU ends, a
    request arrives, one gives up before prefill, one before decoding. None of them: credit has
    grown, or the policy goes on. live: the run has not come to its end."""

    time_s: Array
    live: Array
    ends: Array
    arrives: Array
    gives_up: Array
    leaves: Array


class Ended(NamedTuple):
    """What ended on a GPU, if anything: a stream (`done`) or a prefill (`read`), of a request."""

    gpu: Array
    request: Array
    done: Array
    read: Array


def next_event(shape: Shape, lines: Lines, setting: Setting, state: State) -> Event:
    """Return what happens next, no later than `until_s`.

    At equal times in the order of `Event`, so that a request can be served at the very time at
    which it would give up.
    """
    never = jnp.float64(jnp.inf)
    ends = state.gpus.end_s.min()
    arrives = lines.arrival_s[state.arrived]
    gives_up = lines.due_s[state.due_next] if shape.gives_up_prefill else never
    leaves = next_due(state.buffer) if shape.gives_up_decode else never
    next_s = jnp.minimum(jnp.minimum(ends, arrives), jnp.minimum(gives_up, leaves))
    next_s = jnp.minimum(next_s, state.wake_s)
    occurs = ~state.again & (next_s <= setting.until_s) & (next_s < jnp.inf)
    flags, rest = [], occurs
    for each in (ends, arrives, gives_up, leaves):
        flags.append(rest & (each <= next_s))
        rest = rest & ~flags[-1]
    # whoever has been served gives up at no time
    passed = flags[2] & _served(lines, state, lines.due_request[state.due_next])
    time_s = jnp.where(occurs & ~passed, next_s, state.now_s)
    return Event(time_s, occurs | state.again, *flags)


def end_on_gpu(
    shape: Shape, lines: Lines, state: State, event: Event, here: Array
) -> tuple[State, Ended]:
    """Return the state after a stream on the GPU `here` (one-hot, [n]) has ended, or its prefill;
    streams come first."""
    gpus = state.gpus
    gpu = jnp.argmin(gpus.end_s).astype(jnp.int32)
    row = gpus.ends_at[gpu]
    slot = jnp.argmin(row)
    done = event.ends & (row[slot] <= gpus.iteration[gpu])
    read = event.ends & ~done
    request = jnp.where(done, gpus.holder[gpu, slot], gpus.prefill[gpu])
    request = jnp.where(event.ends, request, len(lines.prompt) - 1)
    prompt, tokens = lines.prompt[request], lines.prompt[request] + lines.decode[request]
    gone = jnp.where(done, tokens, 0)
    if shape.policy.router != Router.SAME_GPU:
        gone += jnp.where(read, prompt, 0)  # it decodes elsewhere, or waits
    free = (here & done)[:, None] & (jnp.arange(shape.batch) == slot)
    gpus = gpus._replace(
        streams=gpus.streams - (here & done),
        prefill=jnp.where(here & read, -1, gpus.prefill),
        kv=gpus.kv - jnp.where(here, gone, 0),
        reserved=gpus.reserved - jnp.where(here & done, tokens, 0),
        ends_at=jnp.where(free, NEVER, gpus.ends_at),
    )
    mine = (jnp.arange(shape.classes) == lines.seen[request]) & read
    state = state._replace(gpus=gpus, prefilling=state.prefilling - mine)
    return state, Ended(gpu, request, done, read)


def arrive(shape: Shape, lines: Lines, state: State, event: Event) -> State:
    """Return the state after the next request has joined its class."""
    mine = (jnp.arange(shape.classes) == lines.seen[state.arrived]) & event.arrives
    return state._replace(
        arrived=state.arrived + event.arrives,
        tail=state.tail + mine,
        waiting=state.waiting + mine,
    )


def give_up(shape: Shape, lines: Lines, state: State, event: Event) -> State:
    """Return the state after somebody has given up before prefill."""
    request = lines.due_request[state.due_next]
    served = _served(lines, state, request)
    mine = (jnp.arange(shape.classes) == lines.seen[request]) & event.gives_up & ~served
    # those who have been served are passed over, one a step, mostly before they are due
    due_next = state.due_next + (event.gives_up | served)
    state = state._replace(due_next=due_next, waiting=state.waiting - mine)
    return state._replace(head=past_gone(lines, state, state.head))


def past_gone(lines: Lines, state: State, head: Array) -> Array:
    """Return the heads of the classes, [I], moved to the first who has not given up."""

    def gone(head: Array) -> Array:
        return (head < state.tail) & (lines.due_rank[lines.order[head]] < state.due_next)

    return lax.while_loop(lambda h: gone(h).any(), lambda h: h + gone(h), head)


def leave_buffer(shape: Shape, lines: Lines, state: State, event: Event) -> State:
    """Return the state after somebody has given up before decoding; its cache is free."""
    buffer, request, gpu = without_next_due(state.buffer, event.leaves)
    freed = jnp.where(event.leaves, kept_tokens(shape, lines, jnp.maximum(request, 0)), 0)
    here = jnp.arange(shape.gpus) == gpu
    reserved = state.gpus.reserved - jnp.where(here, freed, 0)
    return state._replace(buffer=past_holes(buffer), gpus=state.gpus._replace(reserved=reserved))


def kept_tokens(shape: Shape, lines: Lines, request: Array) -> Array:
    """Return what a request reserves of the cache of the GPU that prefills it, from the start of
    the prefill until it decodes elsewhere.

    All its tokens where that GPU may decode it, so that one GPU always has room for it.
    """
    prompt = lines.prompt[request]
    return prompt if shape.policy.pools == Pools.SPLIT else prompt + lines.decode[request]


def _served(lines: Lines, state: State, request: Array) -> Array:
    """Whether a request has begun its prefill: its class has come past it."""
    return lines.place[request] < state.head[lines.seen[request]]
