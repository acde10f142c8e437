"""Several estimators of several policies at once."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from lpo.bandit.ope.estimators import (
    Estimator,
    Scores,
    clipped_ips,
    direct_method,
    effective_sample_size,
    importance_weights,
    ips,
    snips,
    switch_doubly_robust,
)
from lpo.bandit.ope.intervals import Ranges, empirical_bernstein_interval, weighted_range


@partial(jax.jit, static_argnames="estimators")
def scores_of(
    estimators: tuple[Estimator, ...],
    tables: Array,
    q: Array | None,
    actions: Array,
    rewards: Array,
    propensities: Array,
    clip: float,
    switch: float,
) -> tuple[Scores, Array, Array]:
    """Return scores [E, P, n], weights [P, n] and effective sample sizes [P] of policies' tables
    [P, n, K]. q [n, K] may be None where no estimator uses a model."""
    weights = importance_weights(tables, actions, propensities)

    def of(estimator: Estimator) -> Scores:
        if estimator == Estimator.IPS:
            return ips(weights, rewards)
        if estimator == Estimator.SNIPS:
            return snips(weights, rewards)
        if estimator == Estimator.CLIPPED_IPS:
            return clipped_ips(weights, rewards, clip)
        assert q is not None
        if estimator == Estimator.DM:
            return direct_method(tables, q)
        above = jnp.inf if estimator == Estimator.DR else switch
        return switch_doubly_robust(tables, weights, actions, rewards, q, above)

    stacked = jax.tree.map(lambda *each: jnp.stack(each), *map(of, estimators))
    return stacked, weights, effective_sample_size(weights)


def bernstein_of(
    estimators: tuple[Estimator, ...], scores: Scores, ranges: Ranges, clip: float, level: float
) -> tuple[Array, Array]:
    """Return empirical Bernstein intervals, two arrays [E, P], of the estimators whose rows are
    independent and of known range, NaN for others."""
    most = {Estimator.IPS: ranges.weight, Estimator.CLIPPED_IPS: min(ranges.weight, clip)}
    ends = [
        empirical_bernstein_interval(rows, *weighted_range(ranges, most[each]), level)
        if each in most
        else (jnp.full(rows.shape[:-1], jnp.nan),) * 2
        for each, rows in zip(estimators, scores.numerator, strict=True)
    ]
    low, high = zip(*ends, strict=True)
    return jnp.stack(low), jnp.stack(high)
