"""ALISTA: learned steps and thresholds with a matrix that is computed, not learned.

Liu, Chen, Wang and Yin, ALISTA: analytic weights are as good as learned weights in LISTA, 2019.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lpo.l2o.family import Family, Problem
from lpo.l2o.learned.layers import Layers, checked_count, composite_of, shared_matrix


def analytic_weights(A: np.ndarray | jax.Array) -> np.ndarray:
    """Return W [m, n] of least coherence with A [m, n]: the minimiser of |W^T A|_F^2 under
    w_i^T a_i = 1, as the paper has it in place of the greatest |w_i^T a_j|.

    Column by column, w_i = (A A^T)^-1 a_i / (a_i^T (A A^T)^-1 a_i). Where A A^T is singular, as
    with more rows than columns, its pseudo-inverse serves.
    """
    A = np.asarray(A, np.float64)
    W = np.linalg.pinv(A @ A.T, hermitian=True) @ A
    return W / (W * A).sum(0)


def coherence(W: np.ndarray, A: np.ndarray | jax.Array) -> float:
    """Return the greatest |w_i^T a_j| of i other than j."""
    across = np.abs(np.asarray(W).T @ np.asarray(A, np.float64))
    np.fill_diagonal(across, 0.0)
    return float(across.max())


def alista(family: Family, count: int = 16) -> Layers:
    """x <- soft(x - gamma W^T (A x - b), theta), two numbers learned in each layer.

    They begin at gamma = 1 / |W^T A|_2, with which layers do not diverge, and theta = gamma lambda,
    and are learned as logarithms. The published selection of entries that no threshold shrinks is
    left out: it helps to recover what made b, while solutions of LASSO are shrunk. With W other
    than A, what layers converge to is not quite such a solution.

    **Raises:** InputError where problems do not share a matrix, and on fewer layers than one.
    """
    A, composite = shared_matrix(family), composite_of(family)
    checked_count(count)
    weights = analytic_weights(A)
    first = 1.0 / float(np.linalg.norm(weights.T @ np.asarray(A), 2))
    W = jnp.asarray(weights.astype(np.float32))

    def init(key: jax.Array) -> Any:
        del key  # where it starts is known
        log = jnp.full(count, jnp.log(first))
        return {"gamma": log, "theta": log}

    def layer(row: Any, problem: Problem, x: jax.Array) -> jax.Array:
        moved = x - jnp.exp(row["gamma"]) * W.T @ (A @ x - problem.b)
        return composite.prox(moved, jnp.exp(row["theta"]), problem)

    return Layers("alista", count, init, layer)
