"""Predictors of solutions by kind, fitted on solved problems of any family.

docs/l2o_warm_starts.md, "Predictors".
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import jax

from lpo.errors import InputError
from lpo.l2o.denoisers.mlp import mlp
from lpo.l2o.family import Family, Labels, Problem
from lpo.l2o.guidance import Guidance
from lpo.l2o.learned import regression as regressions
from lpo.l2o.learned.nearest import nearest
from lpo.l2o.learned.predictor import Predictor
from lpo.l2o.measures import or_worst
from lpo.l2o.noise import Noise, normaliser_of
from lpo.l2o.sampling import Model, Sampler, calls_of, samples
from lpo.l2o.training import Objective, make_training
from lpo.l2o.training import solved as as_training_data
from lpo.optim.training import fit as train


class Kind(StrEnum):
    """none: the cold start. mean: of training solutions. nearest: the solution of the nearest
    training problem. regression: a network from the problem. diffusion: samples, the best by the
    family's objective. diffusion_mean: the mean of those samples."""

    NONE = "none"
    MEAN = "mean"
    NEAREST = "nearest"
    REGRESSION = "regression"
    DIFFUSION = "diffusion"
    DIFFUSION_MEAN = "diffusion_mean"


class Settings(NamedTuple):
    """What networks and samplers are told.

    levels: noise levels of a sample. count: samples of a problem. training: steps; batch, rate,
    width: of training and network, those of regression too. noise, sampler: see `lpo.l2o.noise`,
    `lpo.l2o.sampling`. alpha: weight of the family's objective in the loss. scale: of gradients in
    the guidance.
    """

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


Point = Callable[[Problem, jax.Array], tuple[jax.Array, int]]
"""(one problem, key) -> x [d] and how many gradients it took."""


def kind_named(name: Kind | str) -> Kind:
    """Return the kind of that name; raise InputError on another."""
    if name not in tuple(Kind):
        raise InputError(f"`predictor` must be one of {', '.join(Kind)}, got {name!r}.")
    return Kind(name)


def fitted_point(
    kind: Kind,
    family: Family,
    problems: Problem,
    labels: Labels,
    key: jax.Array,
    settings: Settings,
    inside: Callable[[jax.Array], jax.Array],
) -> Point:
    """Fit a kind on solved problems and return what it predicts; jit- and vmap-able.

    **Arguments:**

    - `problems`: leaves [M, ...]; `labels`: their solutions, `x` [M, d].
    - `inside`: x [..., d] -> the nearest that is allowed; of samples, the best inside counts. What
      is returned has been put inside.

    **Raises:** InputError where the family tells nothing of its problems.
    """
    if kind is Kind.NONE:
        return lambda problem, key: (inside(family.prior(key)), 0)
    if kind is Kind.MEAN:
        mean = inside(labels.x.mean(0))
        return lambda problem, key: (mean, 0)
    if kind in (Kind.NEAREST, Kind.REGRESSION):
        if kind is Kind.NEAREST:
            predict = nearest(family, problems, labels.x)
        else:
            predict = regression(family, problems, labels, key, settings)
        return lambda problem, key: (inside(predict(problem)), 0)
    model = diffusion(family, problems, labels, key, settings)
    return _sampling(kind, family, model, settings, inside)


def regression(
    family: Family, problems: Problem, labels: Labels, key: jax.Array, settings: Settings
) -> Predictor:
    """Train the network of `lpo.l2o.learned.regression` with the same budget as the denoiser's."""
    data = regressions.solved(family, problems, labels, normaliser_of(labels.x))
    training = regressions.make_training(
        family,
        steps=settings.training,
        objective=Objective(alpha=settings.alpha),
        batch=settings.batch,
        rate=settings.rate,
        width=settings.width,
    )
    state = train(training, key[None], data, steps=settings.training)
    params = jax.tree.map(lambda leaf: leaf[0], state.ema)
    return regressions.regression(family, params, data, width=settings.width)


def diffusion(
    family: Family, problems: Problem, labels: Labels, key: jax.Array, settings: Settings
) -> Model:
    """Train a denoiser of solutions, told of features and of the objective and its gradient."""
    normaliser = normaliser_of(labels.x)
    data = as_training_data(problems, labels, normaliser)
    denoiser = mlp(family, Guidance(octaves=0, scale=settings.scale), width=settings.width)
    training = make_training(
        family,
        denoiser,
        settings.noise,
        steps=settings.training,
        objective=Objective(alpha=settings.alpha),
        batch=settings.batch,
        rate=settings.rate,
    )
    state = train(training, key[None], data, steps=settings.training)
    params = jax.tree.map(lambda leaf: leaf[0], state.ema)
    return Model(denoiser, params, normaliser, settings.noise)


def _sampling(
    kind: Kind,
    family: Family,
    model: Model,
    settings: Settings,
    inside: Callable[[jax.Array], jax.Array],
) -> Point:
    calls = settings.count * calls_of(model.denoiser, settings.levels)

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
            return inside(drawn.x.mean(0)), calls
        x = inside(drawn.x)
        value = jax.vmap(lambda each: family.objective(each, problem))(x)
        return x[or_worst(value).argmin()], calls

    return point
