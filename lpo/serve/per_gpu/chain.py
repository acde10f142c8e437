"""The Markov chain of a fleet GPU by GPU, compiled. docs/serve_simulators.md.

Exact where the aggregated chain is not: a decode is slow while a prefill runs on its own GPU, and a
policy without pools may put both anywhere. An event costs a few walks through a tree over the GPUs.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.errors import InputError
from lpo.serve.aggregated.chain import pool_size
from lpo.serve.aggregated.step import drawn
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
from lpo.serve.per_gpu.fleet import Setting, counts, idle, regrown
from lpo.serve.per_gpu.step import Draws, Fleet, event_rates, follow, sampled, tries
from lpo.serve.per_gpu.tree import shape_for
from lpo.serve.policies import Policy, Pools, Rounding, Router, Targets
from lpo.serve.totals import Occupancy, Totals

_FLEETS = 16  # that are worth a core of their own
_BLOCK = 256  # events of one compiled scan: what float32 adds up before float32 pairs take over
# Bytes of the trees of the fleets that go through a window side by side. XLA gives every update of
# an array of twice this size to several threads, for more than the update itself takes.
_TOGETHER = 448 * 2**10


def empty(
    policy: Policy,
    instance: Instance,
    targets: Targets,
    seeds: int,
    *,
    gpus_max: int,
    averaged: bool = False,
) -> Fleet:
    """Return fleets without requests and without credit, [seeds, ...]; as in `simulate`."""
    _check(policy, instance, [targets], gpus_max, averaged)
    zero = jnp.zeros(len(instance.arrival))
    setting = _setting(policy, gpus_max, averaged, *jax.tree.map(_float32, (instance, targets)))
    one = Fleet(zero, jnp.zeros((2, len(zero))), zero, idle(setting))
    return jax.tree.map(lambda leaf: jnp.repeat(leaf[None], seeds, 0), one)


def simulate(
    policy: Policy,
    instance: Instance,
    targets: Targets | Sequence[Targets],
    keys: Array,
    *,
    gpus_max: int,
    windows: int,
    window_s: float,
    warm_up_s: float = 0.0,
    start: Fleet | None = None,
    averaged: bool = False,
) -> Totals:
    """Return what a fleet does in `windows` windows of `window_s` seconds, after a warm-up.

    **Arguments:**

    - `targets`: with up to `gpus_max` GPUs; one for all windows, or one for each (the first holds
      in the warm-up). Where there are fewer GPUs than before, or fewer that may prefill, what runs
      on the others is finished there and nothing new begins.
    - `keys` [seeds]: of the random numbers; event by event the same for every policy (common random
      numbers).
    - `start`: fleets of `advance` in place of empty ones, of the same policy and `gpus_max`.
    - `averaged`: on GPUs that may prefill decodes have the mean speed f mu_m + (1 - f) mu_s, f the
      share of them that prefills now, as in the aggregated chain; `time.mixed` is then of the pool,
      as it is there.

    **Returns:** NumPy float64 arrays [seeds, windows, I].

    **Raises:** InputError for sizes and times that are not positive, for more than `gpus_max` GPUs,
    for `averaged` without pools, and for pools with the router `same_gpu`.
    """
    each = [targets] * windows if isinstance(targets, Targets) else list(targets)
    check_windows(windows, window_s, warm_up_s)
    if len(each) != windows:
        raise InputError(f"`targets` must be one, or one a window: {windows}, got {len(each)}.")
    _check(policy, instance, each, gpus_max, averaged)
    sizes = {"gpus_max": gpus_max, "averaged": averaged}
    if start is None:
        start = empty(policy, instance, each[0], len(keys), **sizes)

    def run(part: slice) -> Totals:
        fleets, own = jax.tree.map(lambda leaf: leaf[part], (start, keys))
        times = [(0, each[0], warm_up_s)] if warm_up_s else []
        times += [(number, now, window_s) for number, now in enumerate(each, 1)]
        passed: list[Totals] = []
        for number, now, seconds in times:
            fleets, totals = advance(
                policy, instance, now, fleets, window_keys(own, number), seconds=seconds, **sizes
            )
            passed.append(totals)
        return jax.tree.map(lambda *parts: np.stack(parts, 1), *passed[-windows:])

    parts = seed_parts(len(keys), _FLEETS)
    with ThreadPoolExecutor(len(parts)) as threads:
        return jax.tree.map(lambda *rows: np.concatenate(rows), *threads.map(run, parts))


def advance(
    policy: Policy,
    instance: Instance,
    targets: Targets,
    fleets: Fleet,
    keys: Array,
    *,
    seconds: float,
    gpus_max: int,
    averaged: bool = False,
) -> tuple[Fleet, Totals]:
    """Return the fleets [seeds, ...] after one window, and its totals [seeds, I].

    The arguments are those of `simulate`; keys [seeds] are used up.
    """
    instance, targets = jax.tree.map(_float32, (instance, targets))
    after, sums = _window(policy, gpus_max, averaged, instance, targets, fleets, keys, seconds)
    exact = jax.tree.map(lambda pair: np.asarray(pair, np.float64).sum(1), sums)
    return after, totals_of(exact, _occupancy(fleets), _occupancy(after))


def _check(
    policy: Policy, instance: Instance, each: list[Targets], gpus_max: int, averaged: bool
) -> None:
    most = max(float(targets.gpus) for targets in each)
    if gpus_max != int(gpus_max) or not 1 <= most <= gpus_max:
        raise InputError(f"`gpus_max` must be a whole number of at least {most:g}, got {gpus_max}.")
    if any(len(targets.x) != len(instance.arrival) for targets in each):
        raise InputError("`targets` must be of as many classes as `instance`.")
    if averaged and policy.pools == Pools.NONE:
        raise InputError(f"`averaged` needs a pool of GPUs that prefill: {policy.name} has none.")
    if policy.router == Router.SAME_GPU and policy.pools != Pools.NONE:
        raise InputError("The router same_gpu needs GPUs without pools.")


def _float32(leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    return array if array.dtype == bool else array.astype(np.float32)


def _setting(
    policy: Policy, gpus_max: int, averaged: bool, instance: Instance, targets: Targets
) -> Setting:
    mixed_gpus = jnp.asarray(targets.mixed, jnp.float32)
    return Setting(policy, shape_for(gpus_max), averaged, instance, targets, mixed_gpus)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _window(
    policy: Policy,
    gpus_max: int,
    averaged: bool,
    instance: Instance,
    targets: Targets,
    fleets: Fleet,
    keys: Array,
    seconds: Array | float,
) -> tuple[Fleet, Sums]:
    """Every fleet up to `seconds` from now; `Sums` as pairs of float32 (hi, lo) on axis 1."""
    setting = _setting(policy, gpus_max, averaged, instance, targets)
    block = jax.vmap(partial(_block, setting, seconds))

    def side_by_side(fleets: Fleet, keys: Array) -> tuple[Fleet, Sums]:
        def unfinished(carry: tuple[Fleet, Sums, Sums, Array]) -> Array:
            # what is left after the last, truncated step is rounding, less than any event takes
            _, high, low, _ = carry
            return jnp.any((seconds - high.seconds) - low.seconds > 1e-6 * seconds)

        def another(carry: tuple[Fleet, Sums, Sums, Array]) -> tuple[Fleet, Sums, Sums, Array]:
            fleets, high, low, number = carry
            return *block(fleets, high, low, window_keys(keys, number)), number + 1

        gpus = jax.vmap(partial(regrown, setting))(fleets.gpus)
        zero = _no_sums(*fleets.waiting.shape)
        first = (fleets._replace(gpus=gpus), zero, zero, jnp.int32(0))
        fleets, high, low, _ = jax.lax.while_loop(unfinished, another, first)
        return fleets, jax.tree.map(lambda h, l: jnp.stack([h, l], 1), high, low)

    seeds, groups = len(keys), _groups(fleets)
    shape = (groups, seeds // groups)
    parts = jax.tree.map(lambda leaf: leaf.reshape(*shape, *leaf.shape[1:]), (fleets, keys))
    both = jax.lax.map(lambda part: side_by_side(*part), parts)
    return jax.tree.map(lambda leaf: leaf.reshape(seeds, *leaf.shape[2:]), both)


def _groups(fleets: Fleet) -> int:
    """In how many equal groups the fleets are simulated one after another; 1 on an accelerator."""
    seeds = len(fleets.waiting)
    bytes_each = fleets.gpus.sums.nodes.nbytes // seeds
    if jax.default_backend() != "cpu":
        return 1
    divisors = (k for k in range(1, seeds + 1) if seeds % k == 0)
    return next((k for k in divisors if seeds // k * bytes_each <= _TOGETHER), seeds)


def _block(
    setting: Setting, seconds: Array | float, fleet: Fleet, high: Sums, low: Sums, key: Array
) -> tuple[Fleet, Sums, Sums]:
    """The next events of one fleet, or fewer where the window ends."""
    left = (seconds - high.seconds) - low.seconds
    draws = _draws(setting.policy, key)
    if setting.policy.rounding == Rounding.RANDOM:
        epoch = jax.random.uniform(jax.random.fold_in(key, 1))
        mixed_gpus = pool_size(setting.policy, setting.targets, epoch)
        setting = setting._replace(mixed_gpus=mixed_gpus)
        fleet = fleet._replace(gpus=regrown(setting, fleet.gpus))

    def event(carry: tuple[Fleet, Sums], draw: Draws) -> tuple[tuple[Fleet, Sums], None]:
        return _event(setting, left, *carry, draw), None

    zero = Sums(*(leaf[0] for leaf in _no_sums(1, len(fleet.waiting))))
    (fleet, sums), _ = jax.lax.scan(event, (fleet, zero), draws)
    pairs = [added(*each) for each in zip(high, low, sums, strict=True)]
    return fleet, Sums(*(pair[0] for pair in pairs)), Sums(*(pair[1] for pair in pairs))


def _no_sums(fleets: int, classes: int) -> Sums:
    return Sums(
        jnp.zeros(fleets),
        jnp.zeros((fleets, 6, classes)),
        jnp.zeros((fleets, KINDS, classes)),
    )


def _draws(policy: Policy, key: Array) -> Draws:
    """[_BLOCK, ...]. The numbers of GPUs for prefills, of which policies need more or fewer, come
    last, so that the others are the same for all."""
    ways = (tries(policy), sampled(policy))
    uniform = jax.random.uniform(key, (7 + ways[0] * ways[1], _BLOCK))
    clock, event, gpu, pool, refill, place, first = uniform[:7]
    starts = uniform[7:].T.reshape(_BLOCK, *ways)
    return Draws(-jnp.log1p(-clock), event, gpu, pool, refill, place, first, starts)


def _event(
    setting: Setting, left: Array, fleet: Fleet, sums: Sums, draws: Draws
) -> tuple[Fleet, Sums]:
    """One event of one fleet, or what is left of the window if that is shorter."""
    rates, now = event_rates(setting, fleet), counts(fleet.gpus)
    wait = draws.clock / jnp.maximum(rates.sum(), 1e-30)
    rest = left - sums.seconds
    happens = wait < rest
    seconds = jnp.clip(wait, 0.0, jnp.maximum(rest, 0.0))
    event = drawn(rates, draws.event) * happens
    during = [fleet.waiting, now.prefilling, fleet.queues.sum(0), now.mixed, now.solo]
    during.append(rates[5] + rates[6])
    sums = Sums(
        sums.seconds + seconds, sums.occupied + seconds * jnp.stack(during), sums.events + event
    )
    return follow(setting, fleet, event, happens, seconds, draws), sums


def _occupancy(fleets: Fleet) -> Occupancy:
    now = jax.vmap(counts)(fleets.gpus)
    stages = (fleets.waiting, now.prefilling, fleets.queues.sum(1), now.mixed, now.solo)
    return Occupancy(*(np.asarray(stage, np.float64) for stage in stages))
