"""What a learned update rule is, and the `Method` that it makes. docs/l2o.md, "Baselines"."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from lpo.l2o.classical.method import Method
from lpo.l2o.family import Family, Problem, gradient

LAYERS, WIDTH = 2, 20
"""Of the LSTM of both published rules."""

Memory = Any
"""What a rule keeps of one run from step to step, a pytree of arrays [d, ...]."""


class Optimiser(NamedTuple):
    """A rule that sees each coordinate by itself, with the same parameters for all.

    init: key -> params. start: d -> memory. update: (params, memory, g [d]) -> (what is added to x
    [d], memory).
    """

    name: str
    init: Callable[[jax.Array], Any]
    start: Callable[[int], Memory]
    update: Callable[[Any, Memory, jax.Array], tuple[jax.Array, Memory]]


class Learned(NamedTuple):
    """x: [d]. memory: of the rule. calls: int32 []."""

    x: jax.Array
    memory: Memory
    calls: jax.Array


def method_of(family: Family, optimiser: Optimiser, params: Any) -> Method:
    """Return the method that takes the steps of a trained rule; a gradient a step."""

    def init(problem: Problem, x: jax.Array) -> Learned:
        del problem
        return Learned(x, optimiser.start(family.dimension), jnp.int32(0))

    def step(problem: Problem, state: Learned) -> Learned:
        slope = gradient(family, state.x, problem)
        move, memory = optimiser.update(params, state.memory, slope)
        return Learned(state.x + move, memory, state.calls + 1)

    return Method(optimiser.name, init, step)


class Recurrent(nn.Module):
    """Layers of LSTM and a number: (carries, [d, inputs]) -> (carries, [d]).

    entry: width of a layer before them, 0 for none.
    """

    entry: int = 0

    @nn.compact
    def __call__(self, carries: tuple[Any, ...], told: jax.Array) -> tuple[Any, jax.Array]:
        hidden, kept = told, []
        if self.entry:
            hidden = nn.elu(nn.Dense(self.entry)(hidden))
        for carry in carries:
            carry, hidden = nn.OptimizedLSTMCell(WIDTH)(carry, hidden)
            kept.append(carry)
        return tuple(kept), nn.Dense(1)(hidden)[:, 0]


def rest(d: int) -> tuple[tuple[jax.Array, jax.Array], ...]:
    """Return carries of `Recurrent` before the first step, of d coordinates."""
    zero = jnp.zeros((d, WIDTH))
    return tuple((zero, zero) for _ in range(LAYERS))
