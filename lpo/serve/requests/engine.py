"""The request-level simulator: event by event, compiled. docs/serve_requests.md."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.errors import InputError
from lpo.serve.chain_runs import seed_parts
from lpo.serve.instance import Instance
from lpo.serve.iteration_time import IterationTime, TwoRegime
from lpo.serve.policies import Gate, Policy, Targets, earn
from lpo.serve.requests.arrivals import Requests
from lpo.serve.requests.gpus import NEVER, Gpus, at_boundary
from lpo.serve.requests.lines import Lines, make_lines
from lpo.serve.requests.served import Served, served_of
from lpo.serve.requests.state import Setting, Shape, State, empty_state
from lpo.serve.requests.step import step


class Run(NamedTuple):
    """A run at a time, or S runs of the same shape; what `start` was given, and

    lines, state: arrays, float64 and int32. advanced: how often it has been.
    """

    shape: Shape
    requests: Requests
    times: IterationTime
    chunk: int
    kv_tokens: int
    seed: int
    lines: Lines
    state: State
    advanced: int = 0


def start(
    policy: Policy,
    instance: Instance,
    requests: Requests,
    *,
    gpus_max: int,
    times: IterationTime | None = None,
    kv_tokens: int | None = None,
    buffer: int = 4096,
    seed: int = 0,
) -> Run:
    """Return a run of `requests` on an empty fleet at time 0, for `advance`.

    **Main arguments:**

    - `instance`: its number of classes and its hardware's batch and chunk; and, where `times` is
      None, the paper's iteration times.
    - `requests`: [R], or [S, R] for S runs side by side.
    - `gpus_max`: GPUs that there are at the most; the cost of an event grows with it.

    **Other arguments:**

    - `times`: seconds of an iteration, a pytree of numbers; straight lines in the tokens of the
      cache (others are replaced by one from the first to the last iteration of a stretch).
    - `kv_tokens`: tokens that the cache of a GPU holds; None: no limit. All tokens of a request are
      reserved when its prefill begins, so that no cache overflows; requests of more are refused.
    - `buffer`: places for requests that wait to decode (of each class and pool with
      `Router.SHARES`); whoever finds it full is lost, `Status.DROPPED`.
    - `seed`: of random GPUs, seed + s in run s. The same for every policy, by request.

    Raises InputError on numbers that are not positive, on classes that the instance does not have
    and on requests that are not in order.
    """
    classes, batch = len(instance.arrival), int(instance.hardware.batch)
    hardware = instance.hardware
    for name, number in (("gpus_max", gpus_max), ("buffer", buffer), ("kv_tokens", kv_tokens)):
        if number is not None and (number != int(number) or not 1 <= number <= NEVER // 2):
            raise InputError(f"`{name}` must be a whole number of at least 1, got {number}.")
    if max(requests.kind.max(initial=0), requests.seen.max(initial=0)) >= classes:
        raise InputError(f"The requests name a class above {classes - 1}, the instance's last.")
    if np.any(requests.arrival_s[..., 1:] < requests.arrival_s[..., :-1]):
        raise InputError("`requests` must be in the order of their arrival.")
    if times is None:
        times = TwoRegime(hardware.alpha, hardware.beta, hardware.tau_solo)
    most = NEVER // 2 if kv_tokens is None else int(kv_tokens)
    shape = Shape(
        policy,
        int(gpus_max),
        batch,
        classes,
        gives_up_prefill=bool(np.isfinite(requests.patience_prefill_s).any()),
        gives_up_decode=bool(np.isfinite(requests.patience_decode_s).any()),
    )
    R = requests.arrival_s.shape[-1]
    each = [make_lines(run, classes, most, seed + s) for s, run in enumerate(_one_by_one(requests))]
    states = [empty_state(shape, one.first, R, buffer) for one in each]
    if requests.arrival_s.ndim == 1:
        lines, state = each[0], states[0]
    else:
        lines, state = (
            jax.tree.map(lambda *runs: np.stack(runs), *of_all) for of_all in (each, states)
        )
    return Run(shape, requests, times, int(hardware.chunk), most, seed, lines, state)


def advance(run: Run, targets: Targets, until_s: float = np.inf) -> Run:
    """Return the run at `until_s`, or when nothing more happens, under `targets`.

    targets: of one fleet, or with a first axis [S] on every leaf for S runs. `gpus` and `mixed` may
    differ from those of the time before: a GPU that is no longer in the mixed pool, or in the
    fleet, finishes what runs on it, and one that has come into the pool first finishes decodes that
    are too many for it. `Rounding.RANDOM` draws M anew each time.

    Raises InputError on more GPUs than `gpus_max`, and on times that are before the run's.
    """
    most = int(np.max(targets.gpus))
    if most > run.shape.gpus:
        raise InputError(f"`targets.gpus` is {most}, above `gpus_max` = {run.shape.gpus}.")
    now = float(np.asarray(run.state.now_s).max())
    if not until_s >= now:
        raise InputError(f"`until_s` must be at least {now:g} s, where the run is, got {until_s}.")
    many = run.requests.arrival_s.ndim == 2
    several = np.ndim(targets.gpus) == 1
    drawn = [np.random.default_rng([seed, run.advanced]).random() for seed in _seeds(run)]
    mixed = np.floor(np.asarray(targets.mixed, np.float64) + (drawn if many else drawn[0]))
    with jax.enable_x64(True):
        setting = Setting(
            times=jax.tree.map(np.float64, run.times),
            chunk=np.int32(run.chunk),
            kv_tokens=np.int32(run.kv_tokens),
            targets=targets,
            gpus=np.asarray(targets.gpus).astype(np.int32),
            mixed=mixed.astype(np.int32),
            until_s=np.float64(until_s),
        )
        if many:
            state = _advanced_on_cores(run, setting, several)
        else:
            state = _advanced(run.shape, None, run.lines, setting, run.state)
    return run._replace(state=state, advanced=run.advanced + 1)


def read(run: Run) -> Served:
    """Return what has become of every request."""
    with jax.enable_x64(True):
        gpus = _next_boundaries(
            run.shape.policy.prefill_pauses, np.int32(run.chunk), run.state.gpus, run.state.now_s
        )
    log, request, now_s = (
        np.asarray(each) for each in (run.state.log, run.lines.request, run.state.now_s)
    )
    gpus = jax.tree.map(np.asarray, gpus)
    if run.requests.arrival_s.ndim == 1:
        return served_of(run.requests, log, request, gpus, float(now_s))
    each = [
        served_of(one, log[s], request[s], jax.tree.map(lambda v, s=s: v[s], gpus), now_s[s])
        for s, one in enumerate(_one_by_one(run.requests))
    ]
    return Served(*(np.stack(values) for values in zip(*each, strict=True)))


def serve(
    policy: Policy,
    instance: Instance,
    requests: Requests,
    targets: Targets,
    *,
    until_s: float = np.inf,
    **options: Any,
) -> Served:
    """Return what becomes of `requests` under one set of targets; `options` as in `start`."""
    options.setdefault("gpus_max", int(np.max(targets.gpus)))
    return read(advance(start(policy, instance, requests, **options), targets, until_s))


def _one_by_one(requests: Requests) -> list[Requests]:
    if requests.arrival_s.ndim == 1:
        return [requests]
    return [Requests(*columns) for columns in zip(*requests, strict=True)]


def _seeds(run: Run) -> list[int]:
    return [run.seed + s for s in range(len(_one_by_one(run.requests)))]


def _advanced_on_cores(run: Run, setting: Setting, several: bool) -> State:
    """Equal parts of the S runs side by side; several: targets are those of one run each."""

    def part(runs: slice) -> State:
        lines, state, mixed = jax.tree.map(
            lambda leaf: leaf[runs], (run.lines, run.state, setting.mixed)
        )
        own = setting._replace(mixed=mixed)
        if several:
            targets, gpus = jax.tree.map(lambda leaf: leaf[runs], (setting.targets, setting.gpus))
            own = own._replace(targets=targets, gpus=gpus)
        with jax.enable_x64(True):  # of this thread
            return _advanced(run.shape, (several, True), lines, own, state)

    parts = seed_parts(len(run.requests.arrival_s), 1)
    if len(parts) == 1:
        return part(parts[0])
    with ThreadPoolExecutor(len(parts)) as threads:
        states = list(threads.map(part, parts))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *states)


@partial(jax.jit, static_argnums=0)
def _next_boundaries(pauses: bool, chunk: Array, gpus: Gpus, now_s: Array) -> Gpus:
    def one(gpus: Gpus, now_s: Array) -> Gpus:
        return at_boundary(pauses, chunk, gpus, now_s, jnp.zeros_like(gpus.end_s, bool))

    return one(gpus, now_s) if now_s.ndim == 0 else jax.vmap(one)(gpus, now_s)


@partial(jax.jit, static_argnums=(0, 1))
def _advanced(
    shape: Shape,
    axes: tuple[bool, bool] | None,
    lines: Lines,
    setting: Setting,
    state: State,
) -> State:
    """axes: None for one run; otherwise whether targets and M are those of one run each."""
    one, close = partial(step, shape), partial(_closed, shape)
    if axes is not None:
        of_targets, of_mixed = (0 if each else None for each in axes)
        of = Setting(None, None, None, of_targets, of_targets, of_mixed, None)  # type: ignore[arg-type]
        one, close = jax.vmap(one, (0, of, 0)), jax.vmap(close, (of, 0))
    always = jnp.ones_like(state.live)
    # not a loop of one run in `vmap`, which would copy the log of every run in every step
    state = jax.lax.while_loop(
        lambda state: state.live.any(),
        lambda state: one(lines, setting, state),
        state._replace(live=always, again=always),
    )
    return close(setting, state)


def _closed(shape: Shape, setting: Setting, state: State) -> State:
    """At the time that was asked for, with the credit of that time."""
    end = jnp.where(jnp.isfinite(setting.until_s), setting.until_s, state.now_s)
    credit = state.credit
    if shape.policy.gate == Gate.CREDIT:
        credit = earn(setting.targets, credit, end - state.now_s)
    return state._replace(now_s=end, credit=credit)
