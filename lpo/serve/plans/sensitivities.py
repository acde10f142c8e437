"""R* and its derivatives in every number of many instances at once. docs/serve.md, "Derivatives".

One program is built and one function compiled; the instances are a batch of it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.serve.instance import Instance
from lpo.serve.plans.levels import NO_LEVELS, ServiceLevels
from lpo.serve.plans.program import Pricing, shape_of
from lpo.serve.plans.revenue import make_optimal_revenue


class Sensitivities(NamedTuple):
    """value [K]: `FluidPlan.value`. slopes: its derivatives, an `Instance` of [K] and [K, I].

    elasticities: the same in per cent of the value per per cent of the number. All in JAX's floats;
    NaN where the levels cannot be kept, and elasticities of a value of 0.
    """

    value: np.ndarray
    slopes: Instance
    elasticities: Instance


def revenue_sensitivities(
    instances: Sequence[Instance],
    levels: ServiceLevels = NO_LEVELS,
    *,
    pricing: Pricing | str = Pricing.BUNDLED,
    disaggregated: bool = False,
) -> Sensitivities:
    """Return R* and its derivatives at instances of one shape; batch and chunk count as real.

    At kinks of R* the derivatives are one-sided or lie between the two sides.
    Raises InputError where there is no instance or they differ in the number of classes or in which
    of them abandon, and as `solve_plan`.
    """
    if not instances:
        raise InputError("`instances` must hold at least one.")
    shapes = [shape_of(each, levels, pricing, disaggregated) for each in instances]
    odd = next((k for k, shape in enumerate(shapes) if shape != shapes[0]), None)
    if odd is not None:
        raise InputError(
            f"`instances[{odd}]` must have the classes of the first, {shapes[0].impatient} "
            f"(whether they abandon), got {shapes[odd].impatient}."
        )
    revenue = make_optimal_revenue(
        instances[0], levels, pricing=pricing, disaggregated=disaggregated, throw=False
    )

    def stacked(*leaves: Any) -> np.ndarray:
        return np.stack([np.asarray(leaf, np.float64) for leaf in leaves])

    points: Instance = jax.tree.map(stacked, *instances)
    floats: Instance = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), points)
    found = jax.jit(jax.vmap(jax.value_and_grad(lambda point: revenue(point, levels))))(floats)
    value, gradient = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), found)

    def known(slope: np.ndarray) -> np.ndarray:
        return np.where(_along(np.isfinite(value), slope), slope, np.nan)

    def elastic(slope: np.ndarray, number: np.ndarray) -> np.ndarray:
        worth = _along(np.where(value == 0.0, np.nan, value), slope)
        return slope * number / worth

    slopes: Instance = jax.tree.map(known, gradient)
    return Sensitivities(value, slopes, jax.tree.map(elastic, slopes, points))


def _along(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """[K] with as many axes as `like`."""
    return values.reshape(values.shape + (1,) * (like.ndim - 1))
