"""The choice of a method's rate on validation problems."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.l2o.classical.method import Method, path
from lpo.l2o.family import Family, Problem


class Tuned(NamedTuple):
    """rate: the best of those tried. rates: these, rising, [R]. score: of each, the mean over
    problems of the least objective found; infinite where one came to no number. at_edge: whether
    the best is the least or the greatest tried, so that a better one may lie beyond."""

    rate: float
    rates: np.ndarray
    score: np.ndarray
    at_edge: bool


def tuned(
    family: Family,
    make: Callable[[Family, Any], Method],
    rates: np.ndarray,
    problems: Problem,
    starts: jax.Array,
    steps: int,
) -> Tuned:
    """Run a method at every rate on every problem and return the rate that ends lowest.

    For problems of validation: a rate chosen on those of a test flatters the method.

    **Arguments:**

    - `make`: from a family and a rate, traced, to a method: `gradient_descent`, `adam`, ...
    - `rates`: [R], positive.
    - `problems`: leaves [B, ...]. `starts`: [B, d], of each problem.
    - `steps`: of the method, as many as it will be given.

    **Raises:** InputError on rates that are not positive and finite, and where no rate ends finite
    on all problems.
    """
    rates = np.sort(np.asarray(rates, np.float32).ravel())
    if not (rates.size and np.isfinite(rates).all() and rates[0] > 0.0):
        raise InputError(
            f"`rates` must be positive and finite, at least one, got {rates.tolist()}."
        )

    def lowest(rate: jax.Array, problem: Problem, start: jax.Array) -> jax.Array:
        run = path(family, make(family, rate), problem, start, steps)
        # a path that ends in no number has diverged, wherever it was before
        return jnp.where(jnp.isfinite(run.value[-1]), jnp.nanmin(run.value), jnp.inf)

    def mean(rate: jax.Array) -> jax.Array:
        return jax.vmap(lowest, (None, 0, 0))(rate, problems, starts).mean()

    score = np.asarray(jax.jit(jax.vmap(mean))(jnp.asarray(rates)))
    at = int(score.argmin())
    if not np.isfinite(score[at]):
        raise InputError(
            f"No rate from {rates[0]:g} to {rates[-1]:g} ends finite on all problems: lower ones?"
        )
    return Tuned(float(rates[at]), rates, score, at in (0, rates.size - 1))
