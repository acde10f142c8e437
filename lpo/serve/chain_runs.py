"""What the runs of both chains share: windows, seeds on cores, sums that stay exact."""

import os
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from lpo.errors import InputError
from lpo.serve.totals import Occupancy, Totals

KINDS = 7
"""Events of a class: arrival, leaving the first queue, end of prefill, leaving the queue of the
solo pool, leaving that of the mixed pool, end of a decode in the mixed pool, in the solo pool."""


class Sums(NamedTuple):
    """Of a block or window: seconds [], occupied [6, I] and events [KINDS, I].

    occupied: integrals of waiting, prefilling, both queues together, mixed, solo, and of the rate
    at which decodes end.
    """

    seconds: Any
    occupied: Any
    events: Any


window_keys = jax.jit(jax.vmap(jax.random.fold_in, in_axes=(0, None)))
"""From keys [seeds] and the number of a window to the keys of that window."""


def check_windows(windows: int, window_s: float, warm_up_s: float) -> None:
    """Raise InputError unless there is at least one window, and times are finite and not negative
    (windows: positive)."""
    if not (windows >= 1 and 0.0 < window_s < np.inf and 0.0 <= warm_up_s < np.inf):
        raise InputError(
            "`windows`, `window_s` must be positive and `warm_up_s` at least 0, got "
            f"{windows}, {window_s} and {warm_up_s}."
        )


def seed_parts(seeds: int, least: int) -> list[slice]:
    """Return equal parts of the seeds, at most one a core and of at least `least` seeds, because a
    compiled loop over short rows uses one core. Results do not depend on it."""
    most = min(os.cpu_count() or 1, seeds // least) if jax.default_backend() == "cpu" else 1
    count = next((count for count in range(most, 0, -1) if seeds % count == 0), 1)
    size = seeds // count
    return [slice(size * part, size * (part + 1)) for part in range(count)]


def totals_of(sums: Sums, begin: Occupancy, end: Occupancy) -> Totals:
    """Return the totals of windows from their sums [...], [..., 6, I] and [..., KINDS, I]."""
    waiting, prefilling, queued, mixed, solo, completing = np.moveaxis(sums.occupied, -2, 0)
    arrived, gave_up, prefilled, left_solo, left_mixed, done_mixed, done_solo = np.moveaxis(
        sums.events, -2, 0
    )
    return Totals(
        seconds=sums.seconds,
        arrivals=arrived,
        left_prefill=gave_up,
        prefilled=prefilled,
        left_decode=left_solo + left_mixed,
        completed=done_mixed + done_solo,
        time=Occupancy(waiting, prefilling, queued, mixed, solo),
        completing=completing,
        begin=begin,
        end=end,
    )


def added(high: Array, low: Array, term: Array) -> tuple[Array, Array]:
    """Return high + low + term as a pair, exact but for the last bits of low (Knuth's two-sum)."""
    total = high + term
    part = total - high
    return total, low + ((high - (total - part)) + (term - part))
