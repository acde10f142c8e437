"""Random deviations xi that realised delays and errors are drawn with. docs/allocate.md."""

from collections.abc import Callable
from enum import StrEnum

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.stats import norm

CORRELATION = 0.5  # of two routes of one tier, on the normal scale


class Distribution(StrEnum):
    """Law of xi; every one has its values in [0, 1], `two_sided` in [-1, 1].

    - `uniform`: independent, uniform on [0, 1].
    - `beta`: independent, Beta(2, 5): mean 2/7, a long tail to the worst.
    - `worst`: all ones, every deviation at its worst.
    - `correlated`: uniform on [0, 1] each, but routes of one tier move together: with one normal
      factor F_k a tier, and epsilon_r a route, xi_r = Phi(sqrt(c) F_k + sqrt(1 - c) epsilon_r), a
      Gaussian copula with correlation c = `CORRELATION` within a tier and none between tiers.
    - `two_sided`: independent, uniform on [-1, 1]: nominal is the mean.
    """

    UNIFORM = "uniform"
    BETA = "beta"
    WORST = "worst"
    CORRELATED = "correlated"
    TWO_SIDED = "two_sided"


def draw(key: Array, distribution: Distribution, place: Array, tier: Array, count: int) -> Array:
    """Return [count, R] independent draws of xi for R exposures, float64 under `jax.enable_x64`.

    place: [R] whole numbers that name the exposures, tier: [R] their tiers. What an exposure gets
    depends on `key`, its `place` and its tier alone, so that plans compared apart, with other
    routes beside, meet the same luck.
    """

    def each(names: Array, sampler: Callable[..., Array], *shape: int) -> Array:
        keys = jax.vmap(lambda name: jax.random.fold_in(key, name))(names)
        drawn = jax.vmap(lambda own: sampler(own, (*shape, count)))(keys)
        return jnp.moveaxis(drawn, 0, -1)  # [*shape, count, R]

    match distribution:
        case Distribution.UNIFORM:
            return each(place, jax.random.uniform)
        case Distribution.TWO_SIDED:
            return 2.0 * each(place, jax.random.uniform) - 1.0
        case Distribution.WORST:
            return jnp.ones((count, *place.shape))
        case Distribution.BETA:
            # The second smallest of six uniforms is Beta(2, 5): exact, without rejection.
            first, *others = each(place, jax.random.uniform, 6)
            second = jnp.ones_like(first)
            for other in others:
                second = jnp.minimum(second, jnp.maximum(first, other))
                first = jnp.minimum(first, other)
            return second
        case Distribution.CORRELATED:
            last = jnp.uint32(2**32 - 1)  # counted down from: no exposure has such a number
            factor = each(last - tier.astype(jnp.uint32), jax.random.normal)
            own = each(place, jax.random.normal)
            return norm.cdf(jnp.sqrt(CORRELATION) * factor + jnp.sqrt(1.0 - CORRELATION) * own)
