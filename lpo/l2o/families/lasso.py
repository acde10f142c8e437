"""LASSO, 1/2 |A x - b|^2 + lambda |x|_1 (Tibshirani, 1996). docs/l2o.md, "Families"."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.l2o.family import Composite, Family
from lpo.l2o.labels import composite_labels


class Lasso(NamedTuple):
    """A: [m, n], columns of length 1; None where all problems share one. b: [m]. lipschitz: the
    greatest eigenvalue of A^T A, []."""

    A: jax.Array | None
    b: jax.Array
    lipschitz: jax.Array


def soft(x: jax.Array, threshold: jax.Array | float) -> jax.Array:
    """Return sign(x) max(|x| - threshold, 0)."""
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - threshold, 0.0)


@cache
def lasso(
    rows: int = 32,
    columns: int = 64,
    *,
    penalty: float = 0.05,
    support: float = 0.1,
    noise: float = 0.01,
    fixed: bool = True,
    seed: int = 0,
) -> Family:
    """Sparse regression: b = A x + noise, each of x's entries normal with probability `support`.

    **Arguments:**

    - `rows`, `columns`: m and n. `penalty`: lambda.
    - `fixed`: all problems share A, that of `seed`; otherwise each has its own.

    **Raises:** InputError on sizes below 1, a penalty or noise that is negative, and a support
    outside (0, 1].
    """
    if min(rows, columns) < 1:
        raise InputError(f"`rows` and `columns` must be at least 1, got {rows}, {columns}.")
    if not (penalty > 0.0 and noise >= 0.0 and 0.0 < support <= 1.0):
        raise InputError(
            "`penalty` must be positive, `noise` not negative and `support` in (0, 1], got "
            f"{penalty}, {noise}, {support}."
        )
    shared = _design(np.random.default_rng(seed).normal(size=(rows, columns)))
    greatest = float(np.linalg.norm(shared, 2) ** 2)

    def shared_matrix() -> jax.Array:
        return jnp.asarray(np.array(shared, np.float32))

    def matrix(problem: Lasso) -> jax.Array:
        return shared_matrix() if problem.A is None else problem.A

    def sample(key: jax.Array) -> Lasso:
        of_a, of_support, of_x, of_noise = jax.random.split(key, 4)
        if fixed:
            A, own = shared_matrix(), None
            lipschitz = jnp.float32(greatest)
        else:
            A = own = _unit(jax.random.normal(of_a, (rows, columns)))
            small = A @ A.T if rows <= columns else A.T @ A
            lipschitz = jnp.linalg.eigvalsh(small)[-1]
        x = jax.random.normal(of_x, (columns,))
        x = x * jax.random.bernoulli(of_support, support, (columns,))
        return Lasso(own, A @ x + noise * jax.random.normal(of_noise, (rows,)), lipschitz)

    def smooth(x: jax.Array, problem: Lasso) -> jax.Array:
        residual = matrix(problem) @ x - problem.b
        return 0.5 * residual @ residual

    def objective(x: jax.Array, problem: Lasso) -> jax.Array:
        return smooth(x, problem) + penalty * jnp.abs(x).sum()

    def prox(x: jax.Array, step: jax.Array, problem: Lasso) -> jax.Array:
        del problem
        return soft(x, step * penalty)

    composite = Composite(
        smooth, prox, lambda problem: problem.lipschitz, shared_matrix if fixed else None
    )

    def features(problem: Lasso) -> jax.Array:
        return matrix(problem).T @ problem.b

    return Family(
        f"lasso_{rows}x{columns}{'' if fixed else '_random'}",
        columns,
        sample,
        objective,
        lambda key: jax.random.normal(key, (columns,)),
        composite_labels(objective, composite, columns),
        features,
        composite,
    )


def _design(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.linalg.norm(matrix, axis=0)


def _unit(matrix: jax.Array) -> jax.Array:
    return matrix / jnp.linalg.norm(matrix, axis=0)
