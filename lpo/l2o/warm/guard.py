"""When not to trust a start: it is worse than the cold one, or the problem is a stranger.

docs/l2o_warm_starts.md, "Guard".
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import chi2

from lpo.errors import InputError
from lpo.l2o.family import Problem
from lpo.l2o.linear import LinearFamily, cold_start, kkt_error


class Range(NamedTuple):
    """Where training problems lay. mean: [f]. whiten: [f, f], distance = |whiten (told - mean)|.
    most: greatest distance that counts as inside."""

    mean: np.ndarray
    whiten: np.ndarray
    most: float


class Guarded(NamedTuple):
    """z: [n + m], the start to use. fell_back: it is the cold one, [] bool, because the problem is
    outside the range (`outside`) or the start was worse (`worse`). error: its KKT error."""

    z: jax.Array
    fell_back: jax.Array
    outside: jax.Array
    worse: jax.Array
    error: jax.Array


def training_range(features: np.ndarray | jax.Array, level: float = 0.999) -> Range:
    """Return the range of features [B, f] of training problems.

    A problem is inside when its Mahalanobis distance is at most that of a share `level` of a normal
    law (chi-squared with f degrees), or of the training problems themselves, whichever is more.
    Raises InputError on a level outside (0, 1) and on no more problems than features.
    """
    told = np.asarray(features, np.float64)
    if not 0.0 < level < 1.0:
        raise InputError(f"`level` must be in (0, 1), got {level}.")
    if told.ndim != 2 or len(told) <= told.shape[1]:
        raise InputError(f"`features` must be [B, f] with B > f, got {told.shape}.")
    mean, f = told.mean(0), told.shape[1]
    covariance = np.atleast_2d(np.cov(told, rowvar=False))
    ridge = 1e-6 * max(float(np.trace(covariance)) / f, 1e-12)  # features that never move
    whiten = np.linalg.inv(np.linalg.cholesky(covariance + ridge * np.eye(f)))
    own = np.quantile(np.linalg.norm((told - mean) @ whiten.T, axis=1), level)
    return Range(mean, whiten, float(max(own, np.sqrt(chi2.ppf(level, f)))))


def distance(known: Range, features: jax.Array) -> jax.Array:
    """Return the Mahalanobis distance of features [f], []."""
    whiten = jnp.asarray(np.array(known.whiten, np.float32))
    return jnp.linalg.norm(whiten @ (features - np.array(known.mean, np.float32)))


def guarded(linear: LinearFamily, known: Range, problem: Problem, z: jax.Array) -> Guarded:
    """Return z [n + m], or the cold start where the guard says so; NaN counts as worse.

    On one problem; jit- and vmap-able.
    """
    cold = cold_start(linear)
    at_cold, at_z = (kkt_error(linear, each, problem) for each in (cold, z))
    worse = ~(at_z <= at_cold)
    outside = ~(distance(known, linear.features(problem)) <= known.most)
    fell_back = worse | outside
    return Guarded(
        jnp.where(fell_back, cold, z),
        fell_back,
        outside,
        worse,
        jnp.where(fell_back, at_cold, at_z),
    )
