"""The best of several starts of a method, at as many times the work."""

import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.classical.method import Method, Path, path
from lpo.l2o.family import Family, Problem
from lpo.l2o.measures import or_worst


def multi_start(
    family: Family, method: Method, problem: Problem, starts: jax.Array, steps: int
) -> Path:
    """Return what K starts of a method on one problem come to, side by side.

    starts: [K, d]. Its `value` after a step is the least that any of them has then, and `calls` are
    those of all K together, the total work; one of them alone has taken 1 / K of it. `x` is the
    best iterate of all, `last` the last one of the start that ends lowest. Values that are not
    numbers count as the worst.

    **Raises:** InputError unless starts are [K, d] with K at least 1.
    """
    if starts.ndim != 2 or 0 in starts.shape or starts.shape[1] != family.dimension:
        raise InputError(
            f"`starts` must be [K, {family.dimension}] with K at least 1, got {list(starts.shape)}."
        )

    def one(x: jax.Array) -> Path:
        return path(family, method, problem, x, steps)

    each = jax.vmap(one)(starts)
    value = or_worst(each.value)
    lowest = or_worst(jax.vmap(family.objective, (0, None))(each.x, problem)).argmin()
    return Path(value.min(0), each.calls.sum(0), each.x[lowest], each.last[value[:, -1].argmin()])


def prior_starts(family: Family, key: jax.Array, count: int) -> jax.Array:
    """Return `count` starts drawn from the family's prior, [count, d]; the i-th does not depend on
    how many."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))
    return jax.vmap(family.prior)(keys)
