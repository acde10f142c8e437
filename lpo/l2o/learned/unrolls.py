"""Training of learned update rules through truncated unrolls, by `lpo.optim.training`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lpo.errors import InputError
from lpo.l2o.family import Family, Problem, gradient
from lpo.l2o.learned.optimiser import Memory, Optimiser
from lpo.l2o.learned.solved import Solved
from lpo.optim.training import Training


class Episode(NamedTuple):
    """Runs under way. row: of each one's problem, int32 [B]. x: [B, d]. first: gaps at their
    starts, [B]. memory: leaves [B, ...]. age: unrolls so far, int32 []."""

    row: jax.Array
    x: jax.Array
    first: jax.Array
    memory: Memory
    age: jax.Array


class State(NamedTuple):
    """params: being trained. inner: of Adam. episode: what the next unroll goes on with."""

    params: Any
    inner: Any
    episode: Episode


def make_training(
    family: Family,
    optimiser: Optimiser,
    *,
    steps: int,
    unroll: int = 20,
    episode: int = 100,
    batch: int = 32,
    rate: float = 3e-3,
    floor: float = 1e-3,
    start: Callable[[jax.Array], jax.Array] | None = None,
) -> Training:
    """Return the training of a rule; its data are `Solved`.

    Each update runs a batch `unroll` steps on and lowers the mean over steps and runs of
    log((f - f*) / (f - f* at the start) + floor), the logarithm because a sum of objectives, as
    published, is that of the first steps and of the worst problems. Runs start from the prior and
    are given up after `episode` steps, for new problems. Gradients are told to the rule, not
    differentiated through, as published; Adam, its rate falling to zero as a cosine over `steps`
    updates, gradients clipped at norm 1.

    start: key -> x [d], where runs start; the family's prior unless given. A rule does best from
    where it was trained to start.

    **Raises:** InputError unless `episode` is a multiple of `unroll`, both at least 1.
    """
    if unroll < 1 or episode < unroll or episode % unroll:
        raise InputError(
            f"`episode` must be a multiple of `unroll`, both at least 1, got {episode}, {unroll}."
        )
    rule = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(rate, steps))
    )
    d = family.dimension

    def nothing() -> Episode:
        memory = jax.vmap(lambda _: optimiser.start(d))(jnp.arange(batch))
        zero = jnp.zeros(batch)
        return Episode(zero.astype(jnp.int32), jnp.zeros((batch, d)), zero, memory, jnp.int32(0))

    def begun(key: jax.Array, data: Solved) -> Episode:
        of_rows, of_x = jax.random.split(key)
        row = jax.random.randint(of_rows, (batch,), 0, len(data.labels.value))
        x = jax.vmap(start or family.prior)(jax.random.split(of_x, batch))
        first = jax.vmap(gap)(x, _rows(data.problems, row), data.labels.value[row])
        return nothing()._replace(row=row, x=x, first=first)

    def gap(x: jax.Array, problem: Problem, least: jax.Array) -> jax.Array:
        # labels may be near-optima, which a run may pass
        return jnp.maximum(family.objective(x, problem) - least, 0.0)

    def run(
        params: Any, x: jax.Array, memory: Memory, problem: Problem, least: jax.Array, first: Any
    ) -> tuple[jax.Array, tuple[jax.Array, Memory]]:
        def step(carry: tuple[jax.Array, Memory], _: None) -> tuple[Any, jax.Array]:
            x, memory = carry
            slope = jax.lax.stop_gradient(gradient(family, x, problem))
            move, memory = optimiser.update(params, memory, slope)
            x = x + move
            share = gap(x, problem, least) / jnp.maximum(first, 1e-12)
            return (x, memory), jnp.log(share + floor)

        (x, memory), lost = jax.lax.scan(step, (x, memory), None, length=unroll)
        return lost.mean(), (x, memory)

    def init(key: jax.Array) -> State:
        params = optimiser.init(key)
        return State(params, rule.init(params), nothing())

    def update(key: jax.Array, state: State, data: Solved) -> tuple[State, dict[str, jax.Array]]:
        now = jax.lax.cond(
            state.episode.age % (episode // unroll) == 0,
            lambda: begun(key, data),
            lambda: state.episode,
        )
        problem, least = _rows(data.problems, now.row), data.labels.value[now.row]

        def loss(params: Any) -> tuple[jax.Array, tuple[jax.Array, Memory]]:
            lost, after = jax.vmap(run, (None, 0, 0, 0, 0, 0))(
                params, now.x, now.memory, problem, least, now.first
            )
            return lost.mean(), after

        (lost, (x, memory)), slope = jax.value_and_grad(loss, has_aux=True)(state.params)
        move, inner = rule.update(slope, state.inner, state.params)
        params = optax.apply_updates(state.params, move)
        following = Episode(now.row, x, now.first, memory, now.age + 1)
        return State(params, inner, following), {"loss": lost}

    return Training(init, update)


def _rows(problems: Problem, row: jax.Array) -> Problem:
    return jax.tree.map(lambda leaf: leaf[row], problems)
