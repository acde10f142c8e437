"""The GPUs of a fleet one by one: what runs on each of them, and what each of them may take.

Channels of a GPU, whole numbers: prefills that run [I] (at most one), decodes beside a prefill [I],
other decodes [I], and three that are 0 or 1: a prefill may begin; a decode may begin and the GPU is
of the kind SOLO; the same and MIXED.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from lpo.serve.instance import Instance
from lpo.serve.per_gpu.least import grow_minima, put
from lpo.serve.per_gpu.tree import Shape, Tree, add, grow, row
from lpo.serve.policies import Policy, Pools, Router, Targets

BALANCED = (Router.LEAST_LOADED, Router.LEAST_KV)
"""Routers that look at all GPUs."""


class Setting(NamedTuple):
    """What does not change from event to event.

    shape: of the trees. averaged: decodes of the pool that may prefill all count as beside a
    prefill, whether their GPU has one or not. mixed_gpus []: M, a whole number.
    """

    policy: Policy
    shape: Shape
    averaged: bool
    instance: Instance
    targets: Targets
    mixed_gpus: Array


class Gpus(NamedTuple):
    """sums: of channels. minima [nodes] float32: of `_load`, empty if nobody asks."""

    sums: Tree
    minima: Array


class Counts(NamedTuple):
    """Of the whole fleet, int32: prefilling, mixed, solo [I]; startable []: GPUs on which a prefill
    may begin; room [2]: GPUs of the kinds SOLO and MIXED on which a decode may."""

    prefilling: Array
    mixed: Array
    solo: Array
    startable: Array
    room: Array


def startable_channel(classes: int) -> int:
    """Return the channel of GPUs on which a prefill may begin."""
    return 3 * classes


def room_channel(classes: int) -> int:
    """Return the channel of GPUs of the kind SOLO with room; that of MIXED is the next."""
    return 3 * classes + 1


def idle(setting: Setting) -> Gpus:
    """Return GPUs on which nothing runs."""
    nothing = jnp.zeros((setting.shape.leaves, len(setting.targets.x)), jnp.int32)
    return _grown(setting, nothing, nothing)


def regrown(setting: Setting, gpus: Gpus) -> Gpus:
    """Return the same GPUs under a setting with other numbers of GPUs.

    What runs is finished where it runs; what the GPU may take from now on is new.
    """
    _, prefill, mixed, solo = _parts(gpus.sums.nodes[setting.shape.first :])
    return _grown(setting, prefill, mixed + solo)


def counts(gpus: Gpus) -> Counts:
    """Return the numbers of the whole fleet."""
    flags, prefill, mixed, solo = _parts(gpus.sums.total)
    return Counts(prefill, mixed, solo, flags[0], flags[1:])


def changed(setting: Setting, gpus: Gpus, gpu: Array, prefill: Array, decodes: Array) -> Gpus:
    """Return the GPUs after prefills and decodes [I] int32 were added to one, or taken away."""
    old = row(setting.shape, gpus.sums, gpu)
    _, had, mixed, solo = _parts(old)
    prefill, decodes = had + prefill, mixed + solo + decodes
    new = _rows(setting, gpu, prefill, decodes)
    sums = add(setting.shape, gpus.sums, gpu, new - old)
    if setting.policy.router not in BALANCED:
        return Gpus(sums, gpus.minima)
    load = _load(setting, new, prefill, decodes)
    return Gpus(sums, put(setting.shape, gpus.minima, gpu, load))


def _grown(setting: Setting, prefill: Array, decodes: Array) -> Gpus:
    """From prefill, decodes [leaves, I]."""
    rows = _rows(setting, jnp.arange(setting.shape.leaves), prefill, decodes)
    minima = jnp.zeros(0, jnp.float32)
    if setting.policy.router in BALANCED:
        minima = grow_minima(setting.shape, _load(setting, rows, prefill, decodes))
    return Gpus(grow(setting.shape, rows), minima)


def _parts(row: Array) -> tuple[Array, Array, Array, Array]:
    """Flags, prefills, decodes beside a prefill, other decodes."""
    I = row.shape[-1] // 3 - 1
    return row[..., 3 * I :], row[..., :I], row[..., I : 2 * I], row[..., 2 * I : 3 * I]


def _rows(setting: Setting, gpu: Array, prefill: Array, decodes: Array) -> Array:
    """Channels [..., channels] of GPUs [...] from what runs on them [..., I].

    Without pools a prefill takes one of the B slots while it runs. With them the first M GPUs keep
    a slot for prefills, and one that was among them keeps it to the end of the prefill that runs.
    """
    policy, targets = setting.policy, setting.targets
    batch = setting.instance.hardware.batch
    streams, busy = decodes.sum(-1), prefill.sum(-1) > 0
    exists, may = gpu < targets.gpus, gpu < setting.mixed_gpus
    below = streams + busy < batch
    if policy.pools == Pools.NONE:
        startable = exists & ~busy & below
        kind, room = busy, exists & below
    else:
        startable = exists & may & ~busy & (streams <= targets.mixed_slots)
        kind, room = may, exists & jnp.where(may, streams < targets.mixed_slots, below)
    mixed = jnp.where((kind if setting.averaged else busy)[..., None], decodes, 0)
    flags = jnp.stack([startable, room & ~kind, room & kind], -1)
    return jnp.concatenate([prefill, mixed, decodes - mixed, flags.astype(jnp.int32)], -1)


def _load(setting: Setting, rows: Array, prefill: Array, decodes: Array) -> Array:
    """What a balancing router compares, [...]: decodes, or tokens in the cache as far as the chain
    knows them: of exponential lengths the mean age of those in service is the mean length."""
    instance = setting.instance
    if setting.policy.router == Router.LEAST_KV:
        prompt, decode = jnp.float32(instance.prompt), jnp.float32(instance.decode)
        load = (prefill * prompt + decodes * (prompt + decode)).sum(-1)
    else:
        load = decodes.sum(-1).astype(jnp.float32)
    room = rows[..., room_channel(decodes.shape[-1]) :].sum(-1) > 0
    return jnp.where(room, load, jnp.inf)
