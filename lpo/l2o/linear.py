"""Linear programs that depend on parameters, their KKT error, and labels of both kinds.

minimise cost(p)'x over matrix(p) x >= right(p) (equal where `equal`), lower <= x <= upper.
A primal-dual point is z = (x [n], y [m]), y the multipliers of the rows. docs/l2o_warm_starts.md.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp

from lpo.errors import InputError
from lpo.l2o.family import Family, Labels, Least, Problem, Reported
from lpo.optim.linear import solve_linear
from lpo.optim.matrix_program import MatrixProgram
from lpo.optim.outcome import MilpStatus

_DENSE = 1 << 14  # entries of a matrix up to which a dense product is faster than a sparse one


class LinearFamily(NamedTuple):
    """A linear program of n variables and m rows for every problem p.

    sample: key -> p. cost: p -> [n]. row, column: [nnz], where the matrix has entries; entries:
    p -> [nnz], the same place may come twice and counts as the sum. right: p -> [m]. equal: [m]
    bool. lower, upper: [n], upper may be infinite. features: p -> [f], about unit variance.
    """

    name: str
    sample: Callable[[jax.Array], Problem]
    cost: Callable[[Problem], jax.Array]
    row: np.ndarray
    column: np.ndarray
    entries: Callable[[Problem], jax.Array]
    right: Callable[[Problem], jax.Array]
    equal: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    features: Callable[[Problem], jax.Array]

    @property
    def variables(self) -> int:
        """n."""
        return len(self.lower)

    @property
    def rows(self) -> int:
        """m."""
        return len(self.equal)


class Products(NamedTuple):
    """times: x [n] -> matrix x [m]. back: y [m] -> matrix' y [n]."""

    times: Callable[[jax.Array], jax.Array]
    back: Callable[[jax.Array], jax.Array]


class Residuals(NamedTuple):
    """How far z is from optimal; each is 0 at an optimum, and all three only there.

    primal, dual: norms of what is violated over 1 + norms of right side and cost. gap: distance of
    the primal and the dual objective over 1 + their sizes. Applegate et al., Practical large-scale
    linear programming using primal-dual hybrid gradient, 2021, section 5 (there as a test of three
    numbers). Bounds of x and signs of y count as rows, so that a point outside them has an error.
    """

    primal: jax.Array
    dual: jax.Array
    gap: jax.Array


def products(linear: LinearFamily, problem: Problem) -> Products:
    """Return the products with the matrix of one problem."""
    values, (m, n) = linear.entries(problem), (linear.rows, linear.variables)
    row, column = jnp.asarray(linear.row), jnp.asarray(linear.column)
    if m * n <= _DENSE:
        matrix = jnp.zeros((m, n), values.dtype).at[row, column].add(values)
        return Products(lambda x: matrix @ x, lambda y: y @ matrix)
    return Products(
        lambda x: jax.ops.segment_sum(values * x[column], row, m),
        lambda y: jax.ops.segment_sum(values * y[row], column, n),
    )


def split(linear: LinearFamily, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """z [..., n + m] -> x [..., n], y [..., m]."""
    return z[..., : linear.variables], z[..., linear.variables :]


def projected(linear: LinearFamily, z: jax.Array) -> jax.Array:
    """Return z [..., n + m] with x inside its bounds and multipliers of their signs."""
    x, y = split(linear, z)
    x = jnp.clip(x, jnp.asarray(linear.lower, z.dtype), jnp.asarray(linear.upper, z.dtype))
    return jnp.concatenate([x, jnp.where(linear.equal, y, jnp.maximum(y, 0.0))], -1)


def squared_residuals(linear: LinearFamily, z: jax.Array, problem: Problem) -> Residuals:
    """Return the squares of the `Residuals` of z [n + m], which have gradients at 0 as well."""
    x, y = split(linear, z)
    times, back = products(linear, problem)
    cost, right = linear.cost(problem), linear.right(problem)
    lower = jnp.asarray(linear.lower, z.dtype)
    bounded = np.isfinite(linear.upper)
    upper = jnp.asarray(np.where(bounded, linear.upper, 0.0), z.dtype)
    short = right - times(x)
    short = jnp.where(linear.equal, short, jnp.maximum(short, 0.0))
    outside = jnp.maximum(lower - x, 0.0), jnp.where(bounded, jnp.maximum(x - upper, 0.0), 0.0)
    primal = (short**2).sum() + sum((part**2).sum() for part in outside)
    sign = jnp.where(linear.equal, 0.0, jnp.minimum(y, 0.0))
    reduced = cost - back(y)
    down, up = jnp.maximum(reduced, 0.0), jnp.minimum(reduced, 0.0)
    dual = (sign**2).sum() + (jnp.where(bounded, 0.0, up) ** 2).sum()
    value = cost @ x
    bound = right @ y + lower @ down + upper @ up
    return Residuals(
        primal / (1.0 + jnp.linalg.norm(right)) ** 2,
        dual / (1.0 + jnp.linalg.norm(cost)) ** 2,
        ((value - bound) / (1.0 + jnp.abs(value) + jnp.abs(bound))) ** 2,
    )


def squared_kkt_error(linear: LinearFamily, z: jax.Array, problem: Problem) -> jax.Array:
    """Return the sum of the squared residuals of z [n + m], []."""
    return sum(squared_residuals(linear, z, problem), jnp.zeros((), z.dtype))


def kkt_error(linear: LinearFamily, z: jax.Array, problem: Problem) -> jax.Array:
    """Return the root of `squared_kkt_error`, []."""
    return jnp.sqrt(squared_kkt_error(linear, z, problem))


def family_of(linear: LinearFamily) -> Family:
    """Return the family of primal-dual points z: d = n + m, objective = squared KKT error.

    Labels are solutions and multipliers by HiGHS. Methods start at x = lower, y = 0, as solvers do.
    What is reported is the KKT error itself, which is 0 at optima.
    """

    def prior(key: jax.Array) -> jax.Array:
        del key
        return cold_start(linear)

    return Family(
        linear.name,
        linear.variables + linear.rows,
        linear.sample,
        lambda z, problem: squared_kkt_error(linear, z, problem),
        prior,
        lambda problems: labels(linear, problems),
        linear.features,
        least=Least.ZERO,
        reported=Reported("KKT error", jnp.sqrt),
    )


def cold_start(linear: LinearFamily) -> jax.Array:
    """Return x = lower, y = 0, [n + m]."""
    return jnp.concatenate([jnp.asarray(linear.lower, jnp.float32), jnp.zeros(linear.rows)])


class LinearLabels(NamedTuple):
    """Solutions of B programs in float64. x: [B, n]. y: [B, m]. value: costs, [B]."""

    x: np.ndarray
    y: np.ndarray
    value: np.ndarray


def solved(linear: LinearFamily, problems: Problem) -> LinearLabels:
    """Solve problems [B, ...] by HiGHS, one after another; raise InputError where one has no
    optimum."""
    found = [solve_linear(program) for program in matrix_programs(linear, problems)]
    for at, each in enumerate(found):
        if each.status is not MilpStatus.OPTIMAL:
            raise InputError(f"Problem {at} of {linear.name} has no optimum: {each.status}.")
    return LinearLabels(
        np.array([each.x for each in found]),
        np.array([each.row_dual for each in found]),
        np.array([each.objective for each in found]),
    )


def labels(linear: LinearFamily, problems: Problem) -> Labels:
    """Return `solved` as primal-dual points z [B, n + m] and their squared KKT errors."""
    found = solved(linear, problems)
    z = jnp.asarray(np.concatenate([found.x, found.y], axis=1), jnp.float32)
    error = jax.vmap(lambda z, problem: squared_kkt_error(linear, z, problem))(z, problems)
    return Labels(z, error)


def matrix_programs(linear: LinearFamily, problems: Problem) -> list[MatrixProgram]:
    """Return the programs of problems [B, ...] for a solver, in float64."""
    cost, values, right = (
        np.asarray(part, np.float64)
        for part in _numbers(linear, jax.tree.map(jnp.asarray, problems))
    )
    shape, none = (linear.rows, linear.variables), np.zeros(linear.variables, bool)
    return [
        MatrixProgram(
            cost=cost[at],
            offset=0.0,
            quadratic=None,
            matrix=sp.csr_matrix((values[at], (linear.row, linear.column)), shape),
            row_lower=right[at],
            row_upper=np.where(linear.equal, right[at], np.inf),
            lower=linear.lower,
            upper=linear.upper,
            integer=none,
            binary=none,
        )
        for at in range(len(cost))
    ]


def _numbers(linear: LinearFamily, problems: Problem) -> tuple[jax.Array, ...]:
    return _compiled(linear.cost, linear.entries, linear.right)(problems)


@cache
def _compiled(*numbers: Callable[[Problem], jax.Array]) -> Callable[[Problem], Any]:
    return jax.jit(jax.vmap(lambda problem: tuple(each(problem) for each in numbers)))


def features_by(
    sample: Callable[[jax.Array], Problem],
    raw: Callable[[Problem], jax.Array],
    key: jax.Array,
    count: int = 1024,
) -> Callable[[Problem], jax.Array]:
    """Return p -> raw(p) [f] normalised by mean and standard deviation over drawn problems.

    Drawn once, from `key`, so that what a network is told does not depend on a training set.
    """
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))
    drawn = np.asarray(jax.vmap(lambda key: raw(sample(key)))(keys), np.float64)
    mean, std = drawn.mean(0), np.maximum(drawn.std(0), 1e-9)
    low, scale = np.array(mean, np.float32), np.array(1.0 / std, np.float32)
    return lambda problem: (raw(problem) - low) * scale
