"""LISTA: ISTA whose matrices and thresholds are learned, layer by layer.

Gregor and LeCun, Learning fast approximations of sparse coding, 2010, section 3.
"""

from typing import Any

import jax
import jax.numpy as jnp

from lpo.l2o.family import Family, Problem
from lpo.l2o.learned.layers import Layers, checked_count, composite_of, shared_matrix


def lista(family: Family, count: int = 16) -> Layers:
    """x <- soft(W1 b + W2 x, theta) with W1 [n, m], W2 [n, n] and theta [n] of each layer.

    They begin at A^T / L, I - A^T A / L and lambda / L, where the layers are steps of ISTA; theta
    is lambda e^r / L with r learned. W1 b + W2 x costs as much as a gradient and is counted as one.

    **Raises:** InputError where problems do not share a matrix, and on fewer layers than one.
    """
    A, composite, d = shared_matrix(family), composite_of(family), family.dimension
    checked_count(count)
    size = 1.0 / jnp.linalg.norm(A, 2) ** 2

    def init(key: jax.Array) -> Any:
        del key  # where it starts is known
        return {
            "W1": jnp.tile(size * A.T, (count, 1, 1)),
            "W2": jnp.tile(jnp.eye(d) - size * A.T @ A, (count, 1, 1)),
            "r": jnp.zeros((count, d)),
        }

    def layer(row: Any, problem: Problem, x: jax.Array) -> jax.Array:
        moved = row["W1"] @ problem.b + row["W2"] @ x
        return composite.prox(moved, size * jnp.exp(row["r"]), problem)

    return Layers("lista", count, init, layer)
