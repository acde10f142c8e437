"""The volume of the box between a point and the limits."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.scale.curves import Limits
from lpo.scale.select.front import over
from lpo.scale.select.options import Cube, Options
from lpo.scale.select.points import Points, leading


def cube(options: Options, points: Points, limits: Limits) -> Array:
    """Return (1 - C / C_max) (1 - T / T_max) times the third factor of `Cube`; 0 beyond a limit.

    Arrays that broadcast; the factor A is that of arXiv 2510.18905.
    """
    left = (1.0 - over(points.cost, limits.cost)).clip(0.0)
    left *= (1.0 - over(points.time, limits.time)).clip(0.0)
    if options.cube == Cube.ACCURACY:
        return left * points.accuracy
    room = 1.0 - limits.accuracy
    above = (points.accuracy - limits.accuracy).clip(0.0)
    return left * jnp.where(room > 0.0, above / jnp.where(room > 0.0, room, 1.0), 0.0)


def cubes(options: Options, points: Points, limits: Limits) -> np.ndarray:
    """Return `cube` of points [m, p, K] under limits [s], [s, m, p, K] NumPy float64."""
    wide = leading(limits, 1 + np.ndim(points.cost))
    with jax.enable_x64(True):
        return np.asarray(
            _compiled(options, jax.tree.map(_real, points), jax.tree.map(_real, wide))
        )


def _real(leaf: Any) -> Array:
    return jnp.asarray(leaf, jnp.float64)


_compiled = partial(jax.jit, static_argnums=0)(cube)
