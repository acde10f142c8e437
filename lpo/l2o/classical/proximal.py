"""Proximal gradient methods for composite objectives: ISTA and FISTA."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.classical.method import Method
from lpo.l2o.family import Composite, Family, Problem


class Proximal(NamedTuple):
    """x: [d]. y: where the next gradient is taken, [d]. t: of the momentum, []. calls: int32 []."""

    x: jax.Array
    y: jax.Array
    t: jax.Array
    calls: jax.Array


def ista(family: Family) -> Method:
    """x <- prox(x - grad smooth(x) / L). Daubechies, Defrise and De Mol, 2004.

    Raises InputError on a family without a composite objective, as `fista`.
    """
    return _method("ista", _composite_of(family), accelerated=False)


def fista(family: Family) -> Method:
    """ISTA at a point beyond x. Beck and Teboulle, A fast iterative shrinkage-thresholding
    algorithm, 2009, equations 4.1 to 4.3."""
    return _method("fista", _composite_of(family), accelerated=True)


def _method(name: str, composite: Composite, *, accelerated: bool) -> Method:
    def init(problem: Problem, x: jax.Array) -> Proximal:
        del problem
        return Proximal(x, x, jnp.ones((), x.dtype), jnp.int32(0))

    def step(problem: Problem, state: Proximal) -> Proximal:
        size = 1.0 / composite.lipschitz(problem)
        slope = jax.grad(composite.smooth)(state.y, problem)
        x = composite.prox(state.y - size * slope, size, problem)
        if not accelerated:
            return Proximal(x, x, state.t, state.calls + 1)
        t = 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * state.t**2))
        return Proximal(x, x + (state.t - 1.0) / t * (x - state.x), t, state.calls + 1)

    return Method(name, init, step)


def _composite_of(family: Family) -> Composite:
    if family.composite is None:
        raise InputError(f"{family.name} has no proximal step: ISTA and FISTA do not apply.")
    return family.composite
