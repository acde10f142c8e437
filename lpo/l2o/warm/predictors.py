"""One interface of all predictors of starts: fitted on solved problems, then problem -> start.

docs/l2o_warm_starts.md, "Predictors".
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.denoisers.mlp import mlp
from lpo.l2o.family import Labels, Problem
from lpo.l2o.guidance import Guidance
from lpo.l2o.learned import regression as regressions
from lpo.l2o.learned.nearest import nearest
from lpo.l2o.learned.predictor import Predictor as Prediction
from lpo.l2o.linear import LinearFamily, cold_start, family_of, kkt_error, projected
from lpo.l2o.noise import Noise, normaliser_of
from lpo.l2o.sampling import Model, Sampler, calls_of, samples
from lpo.l2o.training import Objective, make_training
from lpo.l2o.training import solved as as_training_data
from lpo.l2o.warm.guard import Guarded, Range, guarded, training_range
from lpo.optim.training import fit as train


class Kind(StrEnum):
    """none: the cold start, x = lower, y = 0. mean: of training solutions. nearest: the solution of
    the nearest training problem. regression: a network from the problem. diffusion: samples, the
    best by KKT error. diffusion_mean: the mean of those samples."""

    NONE = "none"
    MEAN = "mean"
    NEAREST = "nearest"
    REGRESSION = "regression"
    DIFFUSION = "diffusion"
    DIFFUSION_MEAN = "diffusion_mean"


class Settings(NamedTuple):
    """levels: noise levels of a sample. count: samples, K. training: steps. batch,
    rate, width: of training and network, of regression too. noise, sampler: see `lpo.l2o.noise`,
    `lpo.l2o.sampling`. alpha: weight of the squared KKT
    error in the loss. scale: of gradients in the
    guidance."""

    levels: int = 12
    count: int = 8
    training: int = 3000
    batch: int = 256
    rate: float = 2e-3
    width: int = 256
    noise: Noise = Noise(0.02, 2.0, 5.0)
    sampler: Sampler = Sampler.ANCESTRAL
    alpha: float = 0.1
    scale: float = 0.1


class Start(NamedTuple):
    """z: [n + m], inside bounds. error: its KKT error, []. calls: gradients taken, int32 []; the
    error of each of K samples is one more product each, and is counted by those who compare."""

    z: jax.Array
    error: jax.Array
    calls: jax.Array


class Predictor(NamedTuple):
    """start: (problem, key) -> `Start`, compiled. starts: (problems [B, ...], key) -> the same for
    all; the first is that of `start` with `fold_in(key, 0)`. known: where training problems lay."""

    kind: Kind
    start: Callable[[Problem, jax.Array], Start]
    starts: Callable[[Problem, jax.Array], Start]
    known: Range


Point = Callable[[Problem, jax.Array], tuple[jax.Array, int]]


def fit(
    kind: Kind | str,
    linear: LinearFamily,
    problems: Problem,
    labels: Labels,
    key: jax.Array,
    settings: Settings = Settings(),  # noqa: B008 - an immutable record
) -> Predictor:
    """Fit a predictor of primal-dual starts on solved problems.

    **Arguments:**

    - `problems`: leaves [M, ...]; `labels`: their solutions, `x` [M, n + m], as `linear.labels`.
    - `key`: of training, which is reproducible on one device.
    - `settings`: of networks and samplers.

    **Raises:** InputError on an unknown kind, labels of another width, and no more problems than
    features.
    """
    if kind not in tuple(Kind):
        raise InputError(f"`predictor` must be one of {', '.join(Kind)}, got {kind!r}.")
    kind = Kind(kind)
    width = linear.variables + linear.rows
    if labels.x.ndim != 2 or labels.x.shape[1] != width:
        raise InputError(f"`labels` must be [M, {width}], got {labels.x.shape}.")
    point = _point(kind, linear, problems, labels, key, settings)

    def one(problem: Problem, key: jax.Array) -> Start:
        z, calls = point(problem, key)
        z = projected(linear, z)
        return Start(z, kkt_error(linear, z, problem), jnp.int32(calls))

    def every(problems: Problem, key: jax.Array) -> Start:
        at = jnp.arange(jax.tree.leaves(problems)[0].shape[0])
        return jax.vmap(lambda problem, i: one(problem, jax.random.fold_in(key, i)))(problems, at)

    known = training_range(jax.vmap(linear.features)(problems))
    return Predictor(kind, jax.jit(one), jax.jit(every), known)


def guarded_starts(
    linear: LinearFamily, predictor: Predictor, problems: Problem, key: jax.Array
) -> Guarded:
    """Return the starts of problems [B, ...] past the guard, leaves [B, ...]; the mean of
    `fell_back` is the rate to report."""
    found = predictor.starts(problems, key)
    return jax.vmap(lambda problem, z: guarded(linear, predictor.known, problem, z))(
        problems, found.z
    )


def _point(
    kind: Kind,
    linear: LinearFamily,
    problems: Problem,
    labels: Labels,
    key: jax.Array,
    settings: Settings,
) -> Point:
    if kind is Kind.NONE:
        return lambda problem, key: (cold_start(linear), 0)
    if kind is Kind.MEAN:
        mean = labels.x.mean(0)
        return lambda problem, key: (mean, 0)
    if kind in (Kind.NEAREST, Kind.REGRESSION):
        if kind is Kind.NEAREST:
            predict = nearest(family_of(linear), problems, labels.x)
        else:
            predict = regression(linear, problems, labels, key, settings)
        return lambda problem, key: (predict(problem), 0)
    return _sampling(kind, linear, diffusion(linear, problems, labels, key, settings), settings)


def regression(
    linear: LinearFamily,
    problems: Problem,
    labels: Labels,
    key: jax.Array,
    settings: Settings = Settings(),  # noqa: B008 - an immutable record
) -> Prediction:
    """Train the network of `lpo.l2o.learned.regression` with the same budget as the denoiser's."""
    family = family_of(linear)
    data = regressions.solved(family, problems, labels, normaliser_of(labels.x))
    training = regressions.make_training(
        family,
        steps=settings.training,
        objective=Objective(alpha=settings.alpha),
        batch=settings.batch,
        rate=settings.rate,
        width=settings.width,
    )
    segment = min(250, settings.training)
    state = train(training, key[None], data, steps=settings.training, segment_steps=segment)
    params = jax.tree.map(lambda leaf: leaf[0], state.ema)
    return regressions.regression(family, params, data, width=settings.width)


def diffusion(
    linear: LinearFamily,
    problems: Problem,
    labels: Labels,
    key: jax.Array,
    settings: Settings = Settings(),  # noqa: B008 - an immutable record
) -> Model:
    """Train a denoiser of primal-dual points, told of features and the gradient of the squared KKT
    error, on solved problems [M, ...]."""
    family = family_of(linear)
    normaliser = normaliser_of(labels.x)
    data = as_training_data(problems, labels, normaliser)
    guidance = Guidance(octaves=0, scale=settings.scale)
    denoiser = mlp(family, guidance, width=settings.width)
    training = make_training(
        family,
        denoiser,
        settings.noise,
        steps=settings.training,
        objective=Objective(alpha=settings.alpha),
        batch=settings.batch,
        rate=settings.rate,
    )
    segment = min(250, settings.training)
    state = train(training, key[None], data, steps=settings.training, segment_steps=segment)
    return Model(
        denoiser, jax.tree.map(lambda leaf: leaf[0], state.ema), normaliser, settings.noise
    )


def _sampling(kind: Kind, linear: LinearFamily, model: Model, settings: Settings) -> Point:
    family, calls = family_of(linear), settings.count * calls_of(model.denoiser, settings.levels)

    def point(problem: Problem, key: jax.Array) -> tuple[jax.Array, int]:
        drawn = samples(
            family,
            model,
            problem,
            key,
            settings.count,
            steps=settings.levels,
            sampler=settings.sampler,
        )
        if kind is Kind.DIFFUSION_MEAN:
            return drawn.x.mean(0), calls
        inside = jax.vmap(lambda z: projected(linear, z))(drawn.x)
        errors = jax.vmap(lambda z: family.objective(z, problem))(inside)
        return inside[jnp.where(jnp.isnan(errors), jnp.inf, errors).argmin()], calls

    return point
