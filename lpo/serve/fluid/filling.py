"""How a flow is divided between classes where it is less than they ask for."""

import jax.numpy as jnp
from jax import Array


def water_fill(start: Array, slope: Array, most: Array, total: Array) -> Array:
    """Return clip(start + slope L, 0, most) [I] at the level L at which the sum is `total` [].

    All of `most` where that is less than `total`. slope: not negative; a class without one gets
    nothing. Exact: the sum is piecewise linear in L, with kinks where a class meets an end.
    """
    counts = slope > 0.0
    slope, most = jnp.where(counts, slope, 1.0), jnp.where(counts, most, 0.0)
    levels = jnp.sort(jnp.concatenate([-start, most - start]) / jnp.tile(slope, 2))
    sums = jnp.clip(start + slope * levels[:, None], 0.0, most).sum(1)
    return jnp.clip(start + slope * jnp.interp(total, sums, levels), 0.0, most)


def in_proportion(asks: Array, total: Array) -> Array:
    """Return `asks` [I], scaled down to the sum `total` [] where that is less, 0 at the
    least."""
    asked, total = asks.sum(), jnp.maximum(total, 0.0)
    return asks * jnp.minimum(1.0, total / jnp.where(asked > 0.0, asked, 1.0))


def in_order(asks: Array, total: Array, order: Array) -> Array:
    """Return what classes get of `total` [] one after another, from the largest `order` [I] down;
    of equal ones the first is first."""
    ranks = jnp.argsort(-order, stable=True)
    taken = jnp.minimum(jnp.cumsum(asks[ranks]), total)
    return jnp.zeros_like(asks).at[ranks].set(jnp.diff(taken, prepend=0.0))
