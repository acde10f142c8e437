"""Primal-dual hybrid gradient for parametric linear programs, jitted and vmapped.

Chambolle and Pock, A first-order primal-dual algorithm for convex problems, 2011, algorithm 1:
x <- proj(x - tau (c - K'y)), y <- proj(y + sigma (h - K (2 x_new - x))). Steps are diagonal (Pock
and Chambolle, Diagonal preconditioning for first order primal-dual algorithms, 2011, lemma 2), and
the method begins anew at the running mean as Applegate et al., 2021, section 3.1 and table 1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.classical.method import Method
from lpo.l2o.family import Problem
from lpo.l2o.linear import LinearFamily, kkt_error, products, projected, split

_ENOUGH, _SOME, _LONG = 0.2, 0.8, 0.36  # of restarts: Applegate et al., 2021, section 3.1


class Pdhg(NamedTuple):
    """x: the primal-dual point that counts, [n + m]. iterate: where the next step begins.

    total: sum of iterates since the last restart; length: how many, []. entry: KKT error where the
    last restart began; before: of the candidate one step ago. calls: products with the matrix and
    its transpose, one of each a step, int32 [].
    """

    x: jax.Array
    iterate: jax.Array
    total: jax.Array
    length: jax.Array
    entry: jax.Array
    before: jax.Array
    calls: jax.Array


class Found(NamedTuple):
    """z: [n + m]. error: its KKT error. iterations: steps until then, the limit where it was not
    reached. reached: [] bool."""

    z: jax.Array
    error: jax.Array
    iterations: jax.Array
    reached: jax.Array


def pdhg(linear: LinearFamily, *, weight: float = 1.0, restarts: bool = True) -> Method:
    """Return the method for z = (x, y); the KKT error is taken for restarts, and not counted.

    weight: primal weight omega; primal steps are divided by it, dual ones multiplied. restarts:
    begin anew at the better of iterate and mean. Raises InputError on a weight that is not
    positive.
    """
    if not 0.0 < weight < jnp.inf:
        raise InputError(f"`weight` must be positive and finite, got {weight}.")

    def init(problem: Problem, z: jax.Array) -> Pdhg:
        z = projected(linear, z)
        error = kkt_error(linear, z, problem)
        none = jnp.zeros((), z.dtype)
        return Pdhg(z, z, jnp.zeros_like(z), none, error, error, jnp.int32(0))

    def step(problem: Problem, state: Pdhg) -> Pdhg:
        z = _advanced(linear, problem, state.iterate, weight)
        calls = state.calls + 1
        if not restarts:
            return state._replace(x=z, iterate=z, calls=calls)
        total, length = state.total + z, state.length + 1.0
        mean = total / length
        at_z, at_mean = (kkt_error(linear, each, problem) for each in (z, mean))
        better = at_mean < at_z
        candidate, error = jnp.where(better, mean, z), jnp.minimum(at_mean, at_z)
        stalled = (error <= _SOME * state.entry) & (error > state.before)
        long = length >= _LONG * calls
        again = (error <= _ENOUGH * state.entry) | stalled | long
        return Pdhg(
            candidate,
            jnp.where(again, candidate, z),
            jnp.where(again, 0.0, total),
            jnp.where(again, 0.0, length),
            jnp.where(again, error, state.entry),
            error,
            calls,
        )

    return Method("pdhg", init, step)


def solve(
    linear: LinearFamily,
    problem: Problem,
    z: jax.Array,
    *,
    target: float = 1e-3,
    limit: int = 5000,
    method: Method | None = None,
) -> Found:
    """Run from z [n + m] until the KKT error is at most `target`; on one problem, vmap for more.

    method: None for `pdhg(linear)`. Raises InputError on a target or limit that is not positive.
    """
    if not (target > 0.0 and limit >= 1):
        raise InputError(f"`target` and `limit` must be positive, got {target}, {limit}.")
    own = pdhg(linear) if method is None else method

    def error(state: Pdhg) -> jax.Array:
        return kkt_error(linear, state.x, problem)

    def going(state: Pdhg) -> jax.Array:
        return (error(state) > target) & (state.calls < limit)

    state = jax.lax.while_loop(going, lambda at: own.step(problem, at), own.init(problem, z))
    last = error(state)
    return Found(state.x, last, state.calls, last <= target)


def _advanced(linear: LinearFamily, problem: Problem, z: jax.Array, weight: float) -> jax.Array:
    x, y = split(linear, z)
    times, back = products(linear, problem)
    tau, sigma = _steps(linear, problem, weight)
    lower, upper = (jnp.asarray(bound, z.dtype) for bound in (linear.lower, linear.upper))
    new = jnp.clip(x - tau * (linear.cost(problem) - back(y)), lower, upper)
    dual = y + sigma * (linear.right(problem) - times(2.0 * new - x))
    return jnp.concatenate([new, jnp.where(linear.equal, dual, jnp.maximum(dual, 0.0))])


def _steps(linear: LinearFamily, problem: Problem, weight: float) -> tuple[jax.Array, jax.Array]:
    """tau [n], sigma [m]: one over sums of sizes of a column and of a row."""
    size = products(linear._replace(entries=lambda p: jnp.abs(linear.entries(p))), problem)
    n, m = linear.variables, linear.rows
    columns, rows = size.back(jnp.ones(m)), size.times(jnp.ones(n))
    safe = [jnp.where(each > 0.0, each, 1.0) for each in (columns, rows)]
    return 1.0 / (weight * safe[0]), weight / safe[1]
