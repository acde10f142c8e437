"""Gauss-Legendre quadrature over adjoining pieces."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def over_pieces(breaks: Any, nodes: int) -> tuple[jax.Array, jax.Array]:
    """Return points and weights [..., (b - 1) nodes] for ascending breaks [..., b].

    Exact for polynomials of degree 2 nodes - 1 on each piece; pieces of no length weigh nothing.
    """
    at, weight = np.polynomial.legendre.leggauss(nodes)
    half = 0.5 * jnp.diff(breaks)[..., None]
    middle = 0.5 * (breaks[..., 1:] + breaks[..., :-1])[..., None]
    shape = (*breaks.shape[:-1], -1)
    return (middle + half * at).reshape(shape), (half * weight).reshape(shape)
