"""Completion times against schedules that are built pass by pass."""

import heapq
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.scale.laws import Latency, make_laws
from lpo.scale.monte_carlo.slots import next_pass, no_passes
from tests.quick import jit

K, N = 30, 3
PARALLEL = (1, 2, 3, 7, K, 64)
CONTENTION = 0.2


@pytest.fixture(scope="module")
def seconds():
    return np.random.default_rng(3).exponential(size=(K, N))


def completed(latency, seconds, parallel=PARALLEL):
    """[p, K, N]."""
    with jax.enable_x64(True):
        return np.moveaxis(np.asarray(program(latency, parallel)(seconds)), 1, 0)


@cache
def program(latency, parallel):
    laws, numbers = make_laws(latency=latency, contention=CONTENTION)
    slots = jnp.array(parallel, jnp.int32)

    @jit
    def run(seconds):
        def step(state, given):
            return next_pass(laws, numbers, slots, state, *given)

        begin = no_passes(laws, slots, min(K, max(parallel)), (N,))
        return jax.lax.scan(step, begin, (jnp.arange(K), seconds))[1]

    return run


def in_waves(seconds, P, contention):
    waves = [seconds[at : at + P] for at in range(0, len(seconds), P)]
    return sum(max(wave) * (1.0 + contention * (len(wave) - 1)) for wave in waves)


def in_order(seconds, P):
    """A free slot takes the next pass."""
    free = [0.0] * P
    ends = []
    for each in seconds:
        ends.append(heapq.heappop(free) + each)
        heapq.heappush(free, ends[-1])
    return max(ends)


SCHEDULES = {
    Latency.MEAN: lambda seconds, P: sum(seconds) / P,
    Latency.WAVES: lambda seconds, P: in_waves(seconds, P, 0.0),
    Latency.CONTENDED: lambda seconds, P: in_waves(seconds, P, CONTENTION),
    Latency.WORK_CONSERVING: in_order,
}


@pytest.mark.parametrize("latency", Latency)
def test_every_number_of_passes_and_slots_against_a_schedule(latency, seconds):
    ours = completed(latency, seconds)
    for which, P in enumerate(PARALLEL):
        for k in range(1, K + 1):
            expected = [SCHEDULES[latency](list(seconds[:k, n]), P) for n in range(N)]
            np.testing.assert_allclose(ours[which, k - 1], expected, rtol=1e-12)


@pytest.mark.parametrize("latency", [Latency.WAVES, Latency.CONTENDED, Latency.WORK_CONSERVING])
def test_one_slot_takes_the_sum_and_slots_beyond_k_change_nothing(latency, seconds):
    ours = completed(latency, seconds)
    np.testing.assert_allclose(ours[0], np.cumsum(seconds, 0), rtol=1e-12)
    np.testing.assert_array_equal(ours[-1], ours[-2])
    alone = completed(latency, seconds, (7,))
    np.testing.assert_array_equal(alone[0], ours[3])


def test_a_slot_that_does_not_wait_is_never_later_and_bounded_by_graham(seconds):
    """List scheduling takes at most mean work and the longest pass (Graham, 1966)."""
    ours, waves = completed("work_conserving", seconds), completed("waves", seconds)
    assert (ours <= waves + 1e-12).all()
    work = np.cumsum(seconds, 0)
    longest = np.maximum.accumulate(seconds)
    for which, P in enumerate(PARALLEL):
        assert (ours[which] <= work / P + (1 - 1 / P) * longest + 1e-12).all()
        assert (ours[which] >= np.maximum(work / P, longest) - 1e-12).all()
