"""The solution of the training problem that is most alike."""

import jax
import jax.numpy as jnp

from lpo.l2o.family import Family, Problem
from lpo.l2o.learned.predictor import Predictor, features_of, statistics


def nearest(family: Family, problems: Problem, x: jax.Array) -> Predictor:
    """Return the predictor that looks up the nearest problem of a training set.

    Nearest by the Euclidean distance of features in units of their standard deviations; of several,
    the first.

    **Arguments:**

    - `problems`: leaves [M, ...]. `x`: their solutions, [M, d].

    **Raises:** InputError where the family tells nothing of its problems.
    """
    features = features_of(family, problems)
    mean, std = statistics(features)
    known = (features - mean) / std

    def predict(problem: Problem) -> jax.Array:
        asked = (family.features(problem) - mean) / std
        return x[jnp.sum((known - asked) ** 2, 1).argmin()]

    return predict
