"""Training of denoisers on solved problems, by `lpo.optim.training`. docs/l2o.md, "Training"."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lpo.errors import InputError
from lpo.l2o.denoisers.denoiser import Denoiser, Probe
from lpo.l2o.family import Family, Labels, Problem
from lpo.l2o.guidance import probe
from lpo.l2o.noise import Noise, Normaliser, drawn_level, from_normal, levels, out, to_normal
from lpo.optim.training import Training

_MOST_FALL = 1.0
"""Logarithm of the most by which levels fall in one step of a sampler that training foresees."""


class Trainer(StrEnum):
    """stateless: each example at a noise level of its own, nothing is propagated through a chain.
    rollout: the chain of a sampler, whose later steps see the network's own output, without
    gradients from one step to the next; as the published method."""

    STATELESS = "stateless"
    ROLLOUT = "rollout"


class Objective(NamedTuple):
    """What is minimised: w |z-hat - z*|^2 / d + alpha (f(x-hat) - f*) / (|f*| + scale).

    alpha: weight of the objective. scale: under its relative gap. most_weight: of w = 1 / c_o^2,
    which grows without bound at low noise.
    """

    alpha: float = 0.1
    scale: float = 0.1
    most_weight: float = 1e4


class Solved(NamedTuple):
    """Training data. problems: leaves [M, ...]. z: normalised solutions, [M, d]. value: objectives
    there, [M]."""

    problems: Problem
    z: jax.Array
    value: jax.Array
    normaliser: Normaliser


class State(NamedTuple):
    """params: being trained. ema: their running mean, which samplers use. inner: of the rule."""

    params: Any
    ema: Any
    inner: Any


class _Example(NamedTuple):
    """One solved problem. z: [d]. value: []."""

    problem: Problem
    z: jax.Array
    value: jax.Array


def solved(problems: Problem, labels: Labels, normaliser: Normaliser) -> Solved:
    """Return training data of problems and their solutions."""
    return Solved(problems, to_normal(normaliser, labels.x), labels.value, normaliser)


def make_training(
    family: Family,
    denoiser: Denoiser,
    noise: Noise,
    *,
    steps: int,
    trainer: Trainer = Trainer.STATELESS,
    objective: Objective = Objective(),  # noqa: B008 - an immutable record
    batch: int = 256,
    rate: float = 2e-3,
    decay: float = 0.995,
    rollout_steps: int = 8,
) -> Training:
    """Return the training of a denoiser; its data are `Solved`, its state is `State`.

    Adam with the rate falling to zero as a cosine over `steps`, gradients clipped at norm 1, a
    running mean of parameters with `decay`. rollout_steps: levels of the chain of that trainer.
    Raises InputError on numbers out of range.
    """
    if min(steps, batch, rollout_steps) < 1 or not rate > 0.0 or not 0.0 <= decay < 1.0:
        raise InputError(
            "`steps`, `batch` and `rollout_steps` must be at least 1, `rate` positive and `decay` "
            f"in [0, 1), got {steps}, {batch}, {rollout_steps}, {rate}, {decay}."
        )
    if not (objective.alpha >= 0.0 and objective.scale > 0.0 and objective.most_weight > 0.0):
        raise InputError(
            f"`alpha` must not be negative, `scale` and `most_weight` positive, got {objective}."
        )
    rule = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(rate, steps))
    )
    if trainer is Trainer.ROLLOUT:
        guesses = partial(_rolled_out, family, denoiser, noise, rollout_steps)
    else:
        guesses = partial(_independent, family, denoiser, noise)

    def init(key: jax.Array) -> State:
        params = denoiser.init(key)
        return State(params, params, rule.init(params))

    def loss(params: Any, data: Solved, row: jax.Array, key: jax.Array) -> jax.Array:
        problem = jax.tree.map(lambda leaf: leaf[row], data.problems)
        example = _Example(problem, data.z[row], data.value[row])
        fit = partial(_fit, family, objective, data.normaliser, example)
        denoise = partial(denoiser.apply, params, data.normaliser)
        return guesses(denoise, data.normaliser, example, key, fit)

    def update(key: jax.Array, state: State, data: Solved) -> tuple[State, dict[str, jax.Array]]:
        of_rows, of_noise = jax.random.split(key)
        rows = jax.random.randint(of_rows, (batch,), 0, len(data.z))
        keys = jax.random.split(of_noise, batch)

        def mean(params: Any) -> jax.Array:
            return jax.vmap(loss, (None, None, 0, 0))(params, data, rows, keys).mean()

        value, slope = jax.value_and_grad(mean)(state.params)
        move, inner = rule.update(slope, state.inner, state.params)
        params = optax.apply_updates(state.params, move)
        ema = jax.tree.map(lambda old, new: decay * old + (1.0 - decay) * new, state.ema, params)
        return State(params, ema, inner), {"loss": value}

    return Training(init, update)


def _fit(
    family: Family,
    objective: Objective,
    normaliser: Normaliser,
    example: _Example,
    guess: jax.Array,
    sigma: jax.Array,
) -> jax.Array:
    """The loss of one guess."""
    weight = jnp.minimum(1.0 / out(sigma) ** 2, objective.most_weight)
    total = weight * jnp.mean((guess - example.z) ** 2)
    if objective.alpha == 0.0:
        return total
    value = family.objective(from_normal(normaliser, guess), example.problem)
    gap = (value - example.value) / (jnp.abs(example.value) + objective.scale)
    return total + objective.alpha * gap


def _independent(
    family: Family,
    denoiser: Denoiser,
    noise: Noise,
    denoise: Callable[..., jax.Array],
    normaliser: Normaliser,
    example: _Example,
    key: jax.Array,
    fit: Callable[..., jax.Array],
) -> jax.Array:
    """The loss at one noise level."""
    of_level, of_eps, of_earlier, of_other = jax.random.split(key, 4)
    sigma = drawn_level(noise, of_level)
    z = example.z + sigma * jax.random.normal(of_eps, example.z.shape)
    here = before = None
    if denoiser.probes:
        # the level before, of a sampler with few or many steps
        ratio = jnp.exp(jax.random.uniform(of_earlier, maxval=_MOST_FALL))
        earlier = jnp.minimum(sigma * ratio, noise.most)
        other = example.z + earlier * jax.random.normal(of_other, example.z.shape)
        look = partial(probe, family, normaliser)
        here, before = jax.lax.stop_gradient(
            (look(z, sigma, example.problem), look(other, earlier, example.problem))
        )
    return fit(denoise(z, sigma, here, before, example.problem), sigma)


def _rolled_out(
    family: Family,
    denoiser: Denoiser,
    noise: Noise,
    steps: int,
    denoise: Callable[..., jax.Array],
    normaliser: Normaliser,
    example: _Example,
    key: jax.Array,
    fit: Callable[..., jax.Array],
) -> jax.Array:
    """The mean loss along the chain of an ancestral sampler."""
    of_start, of_other, of_steps = jax.random.split(key, 3)
    ladder, most = levels(noise, steps), jnp.float32(noise.most)
    z = most * jax.random.normal(of_start, example.z.shape)
    before: Probe | None = None
    if denoiser.probes:
        other = most * jax.random.normal(of_other, example.z.shape)
        before = probe(family, normaliser, other, most, example.problem)

    def step(carry: tuple[Any, ...], level: tuple[jax.Array, ...]) -> tuple[Any, jax.Array]:
        (z, before), (i, sigma, following) = carry, level
        here = None
        if denoiser.probes:
            here = probe(family, normaliser, z, sigma, example.problem)
        here, before = jax.lax.stop_gradient((here, before))
        guess = denoise(z, sigma, here, before, example.problem)
        eps = jax.random.normal(jax.random.fold_in(of_steps, i), z.shape)
        return (jax.lax.stop_gradient(guess) + following * eps, here), fit(guess, sigma)

    given = jnp.arange(steps), jnp.asarray(ladder[:-1]), jnp.asarray(ladder[1:])
    _, losses = jax.lax.scan(step, (z, before), given)
    return losses.mean()
