"""What a predictor is: a solution from a problem's features alone, without a gradient."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.family import Family, Problem

Predictor = Callable[[Problem], jax.Array]
"""(one problem) -> x [d]; vmapped by callers."""


def features_of(family: Family, problems: Problem) -> jax.Array:
    """Return features of problems with a leading axis, [B, f].

    Raises InputError where the family tells nothing of its problems.
    """
    features = jax.vmap(family.features)(problems)
    if features.shape[-1] == 0:
        raise InputError(f"{family.name} tells nothing of its problems: nothing can be predicted.")
    return features


def statistics(features: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return mean and standard deviation of features [B, f], each [f]; the latter is 1 where a
    feature never moves."""
    std = features.std(0)
    return features.mean(0), jnp.where(std > 1e-6 * jnp.abs(features).max(0), std, 1.0)
