"""Plain regression from a problem's features to its solution, with the body of the MLP denoiser.

What a diffusion gains over it is not owed to the network.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lpo.errors import InputError
from lpo.l2o.denoisers.mlp import Perceptron
from lpo.l2o.family import Family, Labels, Problem
from lpo.l2o.learned.predictor import Predictor, features_of, statistics
from lpo.l2o.noise import Normaliser, from_normal, to_normal
from lpo.l2o.training import Objective
from lpo.optim.training import Training


class Solved(NamedTuple):
    """Training data. problems: leaves [M, ...]. told: features in units of their spread, [M, f].
    z: normalised solutions, [M, d]. value: [M]. mean, std: of features, [f]."""

    problems: Problem
    told: jax.Array
    z: jax.Array
    value: jax.Array
    mean: jax.Array
    std: jax.Array
    normaliser: Normaliser


class State(NamedTuple):
    """params: being trained. ema: their running mean, which predicts. inner: of Adam."""

    params: Any
    ema: Any
    inner: Any


def solved(family: Family, problems: Problem, labels: Labels, normaliser: Normaliser) -> Solved:
    """Return training data of problems and their solutions.

    Raises InputError where the family tells nothing of its problems.
    """
    features = features_of(family, problems)
    mean, std = statistics(features)
    z = to_normal(normaliser, labels.x)
    return Solved(problems, (features - mean) / std, z, labels.value, mean, std, normaliser)


def make_training(
    family: Family,
    *,
    steps: int,
    objective: Objective = Objective(),  # noqa: B008 - an immutable record
    batch: int = 256,
    rate: float = 2e-3,
    decay: float = 0.995,
    width: int = 192,
    layers: int = 3,
) -> Training:
    """Return the training of the network; its data are `Solved`.

    Minimises |z-hat - z*|^2 / d + alpha (f(x-hat) - f*) / (|f*| + scale), with the rule of
    `lpo.l2o.training.make_training`, so that a denoiser differs by its diffusion alone.

    **Raises:** InputError on sizes below 1.
    """
    net = _net(family, width, layers)
    rule = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(rate, steps))
    )

    def init(key: jax.Array) -> State:
        of_sample, of_net = jax.random.split(key)
        params = net.init(of_net, family.features(family.sample(of_sample)))
        return State(params, params, rule.init(params))

    def loss(params: Any, data: Solved, row: jax.Array) -> jax.Array:
        guess = jnp.asarray(net.apply(params, data.told[row]))
        total = jnp.mean((guess - data.z[row]) ** 2)
        if objective.alpha == 0.0:
            return total
        problem = jax.tree.map(lambda leaf: leaf[row], data.problems)
        above = family.objective(from_normal(data.normaliser, guess), problem) - data.value[row]
        return total + objective.alpha * above / (jnp.abs(data.value[row]) + objective.scale)

    def update(key: jax.Array, state: State, data: Solved) -> tuple[State, dict[str, jax.Array]]:
        rows = jax.random.randint(key, (batch,), 0, len(data.z))

        def mean(params: Any) -> jax.Array:
            return jax.vmap(loss, (None, None, 0))(params, data, rows).mean()

        value, slope = jax.value_and_grad(mean)(state.params)
        move, inner = rule.update(slope, state.inner, state.params)
        params = optax.apply_updates(state.params, move)
        ema = jax.tree.map(lambda old, new: decay * old + (1.0 - decay) * new, state.ema, params)
        return State(params, ema, inner), {"loss": value}

    return Training(init, update)


def regression(
    family: Family, params: Any, data: Solved, *, width: int = 192, layers: int = 3
) -> Predictor:
    """Return what trained parameters, `State.ema`, predict; sizes as in training. data: what they
    were trained on, whose statistics are used."""
    net = _net(family, width, layers)

    def predict(problem: Problem) -> jax.Array:
        told = (family.features(problem) - data.mean) / data.std
        return from_normal(data.normaliser, jnp.asarray(net.apply(params, told)))

    return predict


def _net(family: Family, width: int, layers: int) -> Perceptron:
    if min(width, layers) < 1:
        raise InputError(f"`width` and `layers` must be at least 1, got {width}, {layers}.")
    return Perceptron(width, layers, family.dimension)
