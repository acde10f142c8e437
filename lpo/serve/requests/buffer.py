"""Requests that wait to decode: rings of fixed capacity, first come, first served."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax


class Buffer(NamedTuple):
    """Q rings of K places.

    request, gpu int32 [Q, K]: who waits, and the GPU that holds its cache. due_s float64 [Q, K]:
    when it gives up; infinite where nobody waits. head, tail int32 [Q]: places are counted on and
    on, place p lies at p mod K. waiting int32 [Q]: requests in the ring; those who gave up in the
    middle of it keep their places until the head passes them.
    """

    request: Any
    gpu: Any
    due_s: Any
    head: Any
    tail: Any
    waiting: Any


def empty_buffer(rings: int, places: int) -> Buffer:
    """Return empty rings, in NumPy."""
    whole = np.zeros(rings, np.int32)
    nobody = np.full((rings, places), -1, np.int32)
    return Buffer(nobody, nobody, np.full((rings, places), np.inf), whole, whole, whole)


def join(
    buffer: Buffer, ring: Array, request: Array, gpu: Array, due_s: Array, joins: Array
) -> tuple[Buffer, Array]:
    """Return the buffer after a request came last in a ring, and whether the ring was full, in
    which case it did not; nothing happens where `joins` is false."""
    K = buffer.request.shape[1]
    full = joins & (buffer.tail[ring] - buffer.head[ring] >= K)
    joins &= ~full
    at = (ring, buffer.tail[ring] % K)
    mine = (jnp.arange(len(buffer.tail)) == ring) & joins
    joined = buffer._replace(
        request=buffer.request.at[at].set(jnp.where(joins, request, buffer.request[at])),
        gpu=buffer.gpu.at[at].set(jnp.where(joins, gpu, buffer.gpu[at])),
        due_s=buffer.due_s.at[at].set(jnp.where(joins, due_s, buffer.due_s[at])),
        tail=buffer.tail + mine,
        waiting=buffer.waiting + mine,
    )
    return joined, full


def first_in(buffer: Buffer, ring: Array) -> tuple[Array, Array]:
    """Return the request at the head of a ring and the GPU of its cache, any of an empty ring."""
    at = (ring, buffer.head[ring] % buffer.request.shape[1])
    return buffer.request[at], buffer.gpu[at]


def without_first(buffer: Buffer, ring: Array, leaves: Array) -> Buffer:
    """Return the buffer after the head of a ring left it; unchanged where `leaves` is false."""
    at = (ring, buffer.head[ring] % buffer.request.shape[1])
    mine = (jnp.arange(len(buffer.head)) == ring) & leaves
    return buffer._replace(
        due_s=buffer.due_s.at[at].set(jnp.where(leaves, jnp.inf, buffer.due_s[at])),
        head=buffer.head + mine,
        waiting=buffer.waiting - mine,
    )


def next_due(buffer: Buffer) -> Array:
    """Return when somebody next gives up, s."""
    return buffer.due_s.min()


def without_next_due(buffer: Buffer, gives_up: Array) -> tuple[Buffer, Array, Array]:
    """Return the buffer after the request of `next_due` left it, the request, and its GPU.

    Its place becomes a hole, which `past_holes` passes. Unchanged where `gives_up` is false.
    """
    Q, K = buffer.due_s.shape
    due = buffer.due_s.reshape(-1)
    places = jnp.arange(Q * K, dtype=jnp.int32)
    flat = jnp.where(due == due.min(), places, Q * K - 1).min()
    at = (flat // K, flat % K)
    request, gpu = buffer.request[at], buffer.gpu[at]
    return (
        buffer._replace(
            request=buffer.request.at[at].set(jnp.where(gives_up, -1, request)),
            due_s=buffer.due_s.at[at].set(jnp.where(gives_up, jnp.inf, buffer.due_s[at])),
            waiting=buffer.waiting - ((jnp.arange(Q) == at[0]) & gives_up),
        ),
        request,
        gpu,
    )


def past_holes(buffer: Buffer) -> Buffer:
    """Return the buffer with every head at a request, or at its tail."""
    K = buffer.request.shape[1]
    rings = jnp.arange(len(buffer.head))

    def hole(head: Array) -> Array:
        return (head < buffer.tail) & (buffer.request[rings, head % K] < 0)

    head = lax.while_loop(lambda h: hole(h).any(), lambda h: h + hole(h), buffer.head)
    return buffer._replace(head=head)
