"""Samplers: from noise through falling levels to a solution. docs/l2o.md, "Samplers"."""

from enum import StrEnum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lpo.l2o.denoisers.denoiser import Denoiser, Probe
from lpo.l2o.family import Family, Problem
from lpo.l2o.guidance import probe
from lpo.l2o.measures import or_worst
from lpo.l2o.noise import Noise, Normaliser, from_normal, levels


class Sampler(StrEnum):
    """euler: the probability flow, z <- z-hat + (sigma' / sigma) (z - z-hat). ancestral: fresh
    noise, z <- z-hat + sigma' eps, which keeps the denoiser's errors out of what it sees next."""

    EULER = "euler"
    ANCESTRAL = "ancestral"


class Sample(NamedTuple):
    """x: [d]. value: its objective, []. calls: gradients taken, int32 []."""

    x: jax.Array
    value: jax.Array
    calls: jax.Array


class Model(NamedTuple):
    """A trained denoiser: functions, its parameters, and the coordinates that it works in."""

    denoiser: Denoiser
    params: Any
    normaliser: Normaliser
    noise: Noise


def calls_of(denoiser: Denoiser, steps: int) -> int:
    """Return how many gradients a sample of `steps` levels takes."""
    return steps * denoiser.calls + (steps + 1 if denoiser.probes else 0)


def sample(
    family: Family,
    model: Model,
    problem: Problem,
    key: jax.Array,
    *,
    steps: int,
    sampler: Sampler = Sampler.ANCESTRAL,
) -> Sample:
    """Draw one solution of one problem.

    steps: noise levels. Where the denoiser is told of two points, the first two are independent
    draws at the highest level, and later the earlier point is that of the level before.
    """
    denoiser, params, normaliser, noise = model
    ladder = levels(noise, steps)
    of_start, of_other, of_steps = jax.random.split(key, 3)
    d, most = family.dimension, jnp.float32(noise.most)
    calls = jnp.int32(0)
    z = most * jax.random.normal(of_start, (d,))
    before: Probe | None = None
    if denoiser.probes:
        other = most * jax.random.normal(of_other, (d,))
        before, calls = probe(family, normaliser, other, most, problem), calls + 1

    def step(carry: tuple[Any, ...], level: tuple[jax.Array, ...]) -> tuple[Any, None]:
        (z, before, calls), (i, sigma, following) = carry, level
        here = None
        if denoiser.probes:
            here, calls = probe(family, normaliser, z, sigma, problem), calls + 1
        guess = denoiser.apply(params, normaliser, z, sigma, here, before, problem)
        if sampler is Sampler.EULER:
            z = guess + following / sigma * (z - guess)
        else:
            z = guess + following * jax.random.normal(jax.random.fold_in(of_steps, i), (d,))
        return (z, here, calls + denoiser.calls), None

    given = jnp.arange(steps), jnp.asarray(ladder[:-1]), jnp.asarray(ladder[1:])
    (z, _, calls), _ = jax.lax.scan(step, (z, before, calls), given)
    x = from_normal(normaliser, z)
    return Sample(x, family.objective(x, problem), calls)


def samples(
    family: Family,
    model: Model,
    problem: Problem,
    key: jax.Array,
    count: int,
    *,
    steps: int,
    sampler: Sampler = Sampler.ANCESTRAL,
) -> Sample:
    """Draw `count` solutions of one problem, leaves [count, ...]; the first is that of `sample`
    with `fold_in(key, 0)`."""

    def one(i: jax.Array) -> Sample:
        own = jax.random.fold_in(key, i)
        return sample(family, model, problem, own, steps=steps, sampler=sampler)

    return jax.vmap(one)(jnp.arange(count))


def best(drawn: Sample) -> Sample:
    """Return the sample of the least objective of [K]; its calls are those of all."""
    at = or_worst(drawn.value).argmin()
    return Sample(drawn.x[at], drawn.value[at], drawn.calls.sum())
