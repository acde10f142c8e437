"""The aggregated Markov chain of fleets with pools, compiled. docs/serve_simulators.md.

Exact for GPUs of a pool that share its work evenly; the cost of an event does not depend on how
many GPUs there are. Fleets (seeds, instances, sizes) lie on the last axis of every array, so that
one event of all of them is a few passes over short rows.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.errors import InputError
from lpo.serve.aggregated.step import Draws, State, drawn, event_rates, follow
from lpo.serve.chain_runs import (
    KINDS,
    Sums,
    added,
    check_windows,
    seed_parts,
    totals_of,
    window_keys,
)
from lpo.serve.instance import Instance
from lpo.serve.policies import Policy, Pools, Rounding, Targets
from lpo.serve.totals import Occupancy, Totals

_FLEETS = 32  # that are worth a core of their own
_BLOCK = 512  # events of one compiled scan: what float32 adds up before float32 pairs take over


def empty(classes: int, fleets: int) -> State:
    """Return fleets without requests and without credit."""
    zero = jnp.zeros((classes, fleets), jnp.float32)
    return State(zero, zero, jnp.zeros((2, classes, fleets), jnp.float32), zero, zero, zero)


def simulate(
    policy: Policy,
    instance: Instance,
    targets: Targets,
    keys: Array,
    *,
    windows: int,
    window_s: float,
    warm_up_s: float = 0.0,
) -> Totals:
    """Return what fleets do in `windows` windows of `window_s` seconds, after a warm-up.

    **Arguments:**

    - `instance`, `targets`: of one fleet, or with a first axis [cases] on every leaf, padded to
      the same number of classes (arrival 0).
    - `keys` [seeds]: of the random numbers. Every case sees the same ones, event by event
      (common random numbers).

    **Returns:** NumPy float64 arrays [seeds, windows, I], or [cases, seeds, windows, I].
    Fleets begin empty. `Totals.time.mixed` counts the pool that may prefill.

    **Raises:** InputError for a policy without pools, which needs `lpo.serve.per_gpu`, and for
    windows that are not positive.
    """
    if policy.pools == Pools.NONE:
        raise InputError(f"{policy.name} has no pools: simulate it GPU by GPU (per_gpu).")
    check_windows(windows, window_s, warm_up_s)
    cases = max(np.size(targets.gpus), 1)
    parts = seed_parts(len(keys), -(-_FLEETS // cases))
    run = partial(
        _simulated,
        policy,
        instance,
        targets,
        windows=windows,
        window_s=window_s,
        warm_up_s=warm_up_s,
    )
    if len(parts) == 1:
        return run(keys)
    with ThreadPoolExecutor(len(parts)) as threads:
        each = list(threads.map(run, [keys[part] for part in parts]))
    axis = np.ndim(targets.gpus)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis), *each)


def _simulated(
    policy: Policy,
    instance: Instance,
    targets: Targets,
    keys: Array,
    *,
    windows: int,
    window_s: float,
    warm_up_s: float,
) -> Totals:
    cases = np.ndim(targets.gpus)
    count = len(targets.gpus) if cases else 1
    seeds = len(keys)
    fleets = jax.tree.map(
        lambda leaf: _on_last_axis(leaf, count if cases else None, seeds), (instance, targets)
    )
    state = empty(np.shape(instance.arrival)[-1], count * seeds)
    if warm_up_s:
        state, _ = _window(policy, *fleets, state, window_keys(keys, 0), warm_up_s)
    passed, begins = [], []
    for number in range(1, windows + 1):
        begins.append(state)
        state, sums = _window(policy, *fleets, state, window_keys(keys, number), window_s)
        passed.append(sums)
    shape = (count, seeds) if cases else (seeds,)
    return _totals(passed, [*begins, state], shape)


def _on_last_axis(leaf: Any, cases: int | None, seeds: int) -> Array:
    """[...] or [cases, ...] as [..., cases x seeds]."""
    array = np.asarray(leaf)
    if array.dtype != bool:
        array = array.astype(np.float32)
    if cases is None:
        return jnp.asarray(np.repeat(array[..., None], seeds, -1))
    return jnp.asarray(np.repeat(np.moveaxis(array, 0, -1), seeds, -1))


@partial(jax.jit, static_argnums=0)
def _window(
    policy: Policy,
    instance: Instance,
    targets: Targets,
    state: State,
    keys: Array,
    seconds: Array | float,
) -> tuple[State, Sums]:
    """Every fleet up to `seconds` from now; `Sums` as pairs of float32 (hi, lo) on a first axis."""
    classes, fleets = state.waiting.shape
    seeds = len(keys)
    zero = Sums(
        jnp.zeros(fleets), jnp.zeros((6, classes, fleets)), jnp.zeros((KINDS, classes, fleets))
    )
    one = jax.vmap(partial(_event, policy), in_axes=-1, out_axes=-1)

    def block(carry: tuple[State, Sums, Sums, Array]) -> tuple[State, Sums, Sums, Array]:
        state, high, low, number = carry
        draws = _draws(keys, number, fleets // seeds)
        left = (seconds - high.seconds) - low.seconds
        mixed = pool_size(policy, targets, draws.place[0])

        def event(carry: tuple[State, Sums], draw: Draws) -> tuple[tuple[State, Sums], None]:
            return one(instance, targets, mixed, left, *carry, draw), None

        (state, sums), _ = jax.lax.scan(event, (state, zero), draws)
        both = jax.tree.map(added, high, low, sums)
        high, low = jax.tree.transpose(jax.tree.structure(sums), jax.tree.structure((0, 0)), both)
        return state, high, low, number + 1

    def unfinished(carry: tuple[State, Sums, Sums, Array]) -> Array:
        # what is left after the last, truncated step is rounding, less than any event takes
        _, high, low, _ = carry
        return jnp.any((seconds - high.seconds) - low.seconds > 1e-6 * seconds)

    state, high, low, _ = jax.lax.while_loop(unfinished, block, (state, zero, zero, jnp.int32(0)))
    return state, jax.tree.map(lambda h, l: jnp.stack([h, l]), high, low)


def _draws(keys: Array, number: Array, cases: int) -> Draws:
    """[_BLOCK, cases x seeds]: the same for every case."""

    def of_seed(key: Array) -> Draws:
        clock, rest = jax.random.split(jax.random.fold_in(key, number))
        uniform = jax.random.uniform(rest, (3, _BLOCK))
        return Draws(jax.random.exponential(clock, (_BLOCK,)), *uniform)

    draws = jax.vmap(of_seed, out_axes=-1)(keys)
    return jax.tree.map(lambda each: jnp.tile(each, (1, cases)), draws)


def pool_size(policy: Policy, targets: Targets, uniform: Array) -> Array:
    """Return M of an epoch, which is a block of events; `uniform` decides for random rounding.

    Where M falls nobody is moved: slots above the new number are not filled again.
    """
    if policy.rounding != Rounding.RANDOM:
        return targets.mixed
    down = jnp.floor(targets.mixed)
    return jnp.maximum(down + (uniform < targets.mixed - down), 1.0)


def _event(
    policy: Policy,
    instance: Instance,
    targets: Targets,
    mixed_gpus: Array,
    left: Array,
    state: State,
    sums: Sums,
    draws: Draws,
) -> tuple[State, Sums]:
    """One event of one fleet, or what is left of the window if that is shorter."""
    rates = event_rates(instance, targets, mixed_gpus, state)
    wait = draws.clock / rates.sum()
    rest = left - sums.seconds
    happens = wait < rest
    seconds = jnp.clip(wait, 0.0, jnp.maximum(rest, 0.0))
    event = drawn(rates, draws.event) * happens
    waits = state.queues[0] + state.queues[1]
    during = [state.waiting, state.prefilling, waits, state.mixed, state.solo, rates[5] + rates[6]]
    sums = Sums(
        sums.seconds + seconds,
        sums.occupied + seconds * jnp.stack(during),
        sums.events + event,
    )
    after = follow(policy, instance, targets, mixed_gpus, state, event, seconds, draws)
    return jax.tree.map(lambda a, b: jnp.where(happens, a, b), after, state), sums


def _totals(passed: list[Sums], states: list[State], shape: tuple[int, ...]) -> Totals:
    def arranged(parts: list[np.ndarray]) -> np.ndarray:
        """[windows][..., fleets] as [fleets..., windows, ...]."""
        whole = np.moveaxis(np.stack(parts), -1, 0)  # fleets, windows, ...
        return whole.reshape(*shape, *whole.shape[1:])

    exact = [[np.asarray(pair, np.float64).sum(0) for pair in window] for window in passed]
    occupancy = [
        Occupancy(
            *(
                arranged([np.asarray(part, np.float64)])[..., 0, :]
                for part in (s.waiting, s.prefilling, s.queues.sum(0), s.mixed, s.solo)
            )
        )
        for s in states
    ]

    def at(which: list[Occupancy]) -> Occupancy:
        return Occupancy(*(np.stack(parts, -2) for parts in zip(*which, strict=True)))

    sums = Sums(*(arranged(list(parts)) for parts in zip(*exact, strict=True)))
    return totals_of(sums, at(occupancy[:-1]), at(occupancy[1:]))
