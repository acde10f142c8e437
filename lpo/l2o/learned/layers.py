"""Learned layers for LASSO problems that share their matrix: what LISTA and ALISTA are.

Each layer takes one gradient of the smooth part, or as much work. docs/l2o.md, "Baselines".
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lpo.errors import InputError
from lpo.l2o.classical.method import Method
from lpo.l2o.family import Composite, Family, Problem
from lpo.l2o.learned.solved import Solved
from lpo.optim.training import Training

Layer = Callable[[Any, Problem, jax.Array], jax.Array]


class Layers(NamedTuple):
    """init: key -> params, leaves [count, ...], one row a layer. layer: (a row of params, problem,
    x [d]) -> x [d]. The first layer starts at 0."""

    name: str
    count: int
    init: Callable[[jax.Array], Any]
    layer: Layer


class State(NamedTuple):
    """params: being trained. inner: of Adam."""

    params: Any
    inner: Any


class Layered(NamedTuple):
    """x: [d]. layer: the next one, int32 []. calls: int32 []."""

    x: jax.Array
    layer: jax.Array
    calls: jax.Array


def shared_matrix(family: Family) -> jax.Array:
    """Return the A that the LASSO problems of a family share, [m, n].

    Raises InputError where problems are not of LASSO, or have each their own.
    """
    composite = family.composite
    if composite is None or composite.matrix is None:
        raise InputError(f"{family.name} has no matrix that all problems share: LISTA needs one.")
    return composite.matrix()


def composite_of(family: Family) -> Composite:
    """Return the composite objective of a family that `shared_matrix` has let through."""
    assert family.composite is not None
    return family.composite


def checked_count(count: int) -> int:
    """Return a number of layers. Raises InputError below 1."""
    if count < 1:
        raise InputError(f"`count` of layers must be at least 1, got {count}.")
    return count


def outputs(layers: Layers, params: Any, problem: Problem, dimension: int) -> jax.Array:
    """Return x after each layer, [count, d]."""

    def step(x: jax.Array, row: Any) -> tuple[jax.Array, jax.Array]:
        x = layers.layer(row, problem, x)
        return x, x

    return jax.lax.scan(step, jnp.zeros(dimension), params)[1]


def method_of(family: Family, layers: Layers, params: Any) -> Method:
    """Return the method whose k-th step is the k-th trained layer, one gradient each.

    It starts at 0 whatever x it is given, and stays where the last layer leaves it, without taking
    further gradients.
    """
    del family

    def init(problem: Problem, x: jax.Array) -> Layered:
        del problem
        return Layered(jnp.zeros_like(x), jnp.int32(0), jnp.int32(0))

    def step(problem: Problem, state: Layered) -> Layered:
        within = state.layer < layers.count
        row = jax.tree.map(lambda leaf: leaf[jnp.minimum(state.layer, layers.count - 1)], params)
        x = jnp.where(within, layers.layer(row, problem, state.x), state.x)
        return Layered(x, state.layer + 1, state.calls + within.astype(jnp.int32))

    return Method(layers.name, init, step)


def make_training(
    family: Family,
    layers: Layers,
    *,
    steps: int,
    batch: int = 128,
    rate: float = 3e-3,
    alpha: float = 1.0,
    scale: float = 0.1,
    discount: float = 0.8,
) -> Training:
    """Return the training of layers; its data are `Solved`.

    Minimises the mean over layers, each weighing `discount` times the one after it, of
    |x - x*|^2 / d + alpha (f(x) - f*) / (|f*| + scale): as published with alpha = 0 and the last
    layer alone; the objective is what methods are compared by. Adam, its rate falling to zero as a
    cosine over `steps`, gradients clipped at norm 1.
    """
    rule = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(rate, steps))
    )
    weight = discount ** jnp.arange(layers.count - 1, -1, -1.0)
    weight /= weight.sum()

    def loss(params: Any, problem: Problem, x: jax.Array, least: jax.Array) -> jax.Array:
        found = outputs(layers, params, problem, family.dimension)
        apart = ((found - x) ** 2).mean(1)
        value = jax.vmap(family.objective, (0, None))(found, problem)
        return weight @ (apart + alpha * (value - least) / (jnp.abs(least) + scale))

    def init(key: jax.Array) -> State:
        params = layers.init(key)
        return State(params, rule.init(params))

    def update(key: jax.Array, state: State, data: Solved) -> tuple[State, dict[str, jax.Array]]:
        rows = jax.random.randint(key, (batch,), 0, len(data.labels.value))
        problems, (x, least) = jax.tree.map(lambda leaf: leaf[rows], data)

        def mean(params: Any) -> jax.Array:
            return jax.vmap(loss, (None, 0, 0, 0))(params, problems, x, least).mean()

        value, slope = jax.value_and_grad(mean)(state.params)
        move, inner = rule.update(slope, state.inner, state.params)
        return State(optax.apply_updates(state.params, move), inner), {"loss": value}

    return Training(init, update)
