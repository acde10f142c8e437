"""GPUs that iterate: between two changes on a GPU all its iterations are alike.

Such a stretch is never walked through. Its iterations grow by equal amounts, because the cache does
and iteration times are straight lines in the cache, so that the time of k of them and the number of
them until a time have closed forms. docs/serve_requests.md.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.serve.iteration_time import IterationTime

NEVER = 2**31 - 1
"""Iteration at which no stream ends."""
_AT_ONCE = 1e-9  # s: boundaries of iterations this close after a time are at that time


class Gpus(NamedTuple):
    """n GPUs with B decode slots each.

    Of the stretch: start_s, end_s [n] float64, s; its start is a boundary between iterations and
    may lie ahead, its end is when a stream or the prefill is next complete, infinite on an idle
    GPU. tau_s, slope_s [n] float64: seconds of its first iteration, and by how much each is longer
    than the one before. alike, count [n] int32: iterations that read a whole chunk (or none), and
    all of them: one more where the prompt's last chunk is shorter.

    At its start, int32 [n]: iteration, how often the streams have made a token. kv, tokens of the
    streams and of what is read of the prompt. unread, tokens of the prompt. And what runs: streams
    [n]; prefill [n], a request or -1; reserved [n], tokens; ends_at [n, B], value of `iteration` at
    which a slot is free, `NEVER` in a free one; holder [n, B], its request.
    """

    start_s: Any
    end_s: Any
    tau_s: Any
    slope_s: Any
    alike: Any
    count: Any
    iteration: Any
    kv: Any
    unread: Any
    streams: Any
    prefill: Any
    reserved: Any
    ends_at: Any
    holder: Any

    @property
    def prefilling(self) -> Array:
        """Whether a prompt is being read, [n]."""
        return self.prefill >= 0


def idle_gpus(gpus: int, batch: int) -> Gpus:
    """Return empty GPUs at time 0, in NumPy."""
    real, whole = np.zeros(gpus), np.zeros(gpus, np.int32)
    slots = np.zeros((gpus, batch), np.int32)
    return Gpus(
        real,
        real + np.inf,
        real + 1.0,
        real,
        *(whole,) * 6,
        prefill=whole - 1,
        reserved=whole,
        ends_at=slots + NEVER,
        holder=slots - 1,
    )


def at_boundary(pauses: bool, chunk: Array, gpus: Gpus, time_s: Array, ends: Array) -> Gpus:
    """Return the GPUs at their first boundary that is not before `time_s`, where changes begin.

    pauses: streams stand still while a prompt is read, in one iteration. ends bool [n]: GPUs whose
    stretch ends now. end_s and what is of the rest of the stretch is left as it was.
    """
    k = jnp.where(ends, gpus.count, _iterations_until(gpus, time_s))
    busy = jnp.isfinite(gpus.end_s)
    k = jnp.where(busy, k, 0)
    then = gpus.start_s + _seconds(gpus, k)
    then = jnp.where(k == gpus.count, gpus.end_s, then)
    start = jnp.where(busy, then, jnp.maximum(time_s, gpus.start_s))
    if pauses:
        read = jnp.where(k > 0, gpus.unread, 0)
        made = jnp.where(gpus.prefilling, 0, k)
    else:
        # k chunk fits 32 bits where a prompt is read, and is not used elsewhere
        read = jnp.where(gpus.prefilling, jnp.minimum(gpus.unread, k * chunk), 0)
        made = k
    return gpus._replace(
        start_s=start,
        iteration=gpus.iteration + made,
        kv=gpus.kv + made * gpus.streams + read,
        unread=gpus.unread - read,
    )


def timed(times: IterationTime, pauses: bool, chunk: Array, gpus: Gpus) -> Gpus:
    """Return the GPUs with the stretch that follows from what runs on them at `start_s`."""
    reading, streams, unread, kv = gpus.prefilling, gpus.streams, gpus.unread, gpus.kv
    chunk = unread if pauses else chunk
    whole = unread // jnp.maximum(chunk, 1)  # chunks
    rest = unread - whole * chunk
    # the iterations alike: whole chunks while there are some, otherwise the one shorter chunk
    size = jnp.where(reading, jnp.where(whole > 0, chunk, unread), 0)
    until_read = jnp.where(reading, whole + (rest > 0), NEVER)
    until_made = jnp.where(streams > 0, gpus.ends_at.min(-1) - gpus.iteration, NEVER)
    if pauses:
        until_made = jnp.where(reading, jnp.minimum(until_made, 1), until_made)
    count = jnp.minimum(until_read, until_made)
    alike = jnp.where(reading & (whole > 0), jnp.minimum(count, whole), count)

    # of the first iteration, of the last one alike, and of the one that reads what is left
    growth = size + streams
    last, tail = kv + (jnp.maximum(alike, 1) - 1) * growth, kv + alike * growth
    beside, tokens = streams, jnp.stack([kv, last, tail]).astype(jnp.float64)
    if pauses:
        beside, tokens = jnp.zeros_like(streams), jnp.where(reading, 0.0, tokens)
    mixed = times.mixed(jnp.stack([size, size, rest]), beside, tokens)
    solo = times.solo(streams, tokens)
    seconds = jnp.broadcast_to(jnp.where(reading, mixed, solo), tokens.shape)
    tau = seconds[0]
    slope = (seconds[1] - tau) / jnp.maximum(alike - 1, 1)
    gpus = gpus._replace(tau_s=tau, slope_s=slope, alike=alike, count=count)
    end = gpus.start_s + _seconds(gpus, alike) + jnp.where(count > alike, seconds[2], 0.0)
    return gpus._replace(end_s=jnp.where(reading | (streams > 0), end, jnp.inf))


def _seconds(gpus: Gpus, k: Array) -> Array:
    """Of the first k iterations alike."""
    steps = k.astype(jnp.float64)
    return steps * (gpus.tau_s + 0.5 * gpus.slope_s * (steps - 1.0))


def _iterations_until(gpus: Gpus, time_s: Array) -> Array:
    """The least k whose boundary is not before the time.

    The root of k tau + slope k (k - 1) / 2 = late, without cancellation, rounded up and put right
    by one either way.
    """
    late = time_s - gpus.start_s - _AT_ONCE
    linear = gpus.tau_s - 0.5 * gpus.slope_s
    root = jnp.sqrt(jnp.maximum(linear**2 + 2.0 * gpus.slope_s * late, 0.0))
    guess = jnp.clip(jnp.ceil(2.0 * late / (linear + root)), 0, gpus.alike).astype(jnp.int32)
    guess -= (guess > 0) & (_seconds(gpus, guess - 1) >= late)
    guess += _seconds(gpus, guess) < late
    return jnp.where(guess > gpus.alike, gpus.count, guess)
