"""Estimates of a policy's value from another policy's log. docs/off_policy_evaluation.md.

Every estimate is a ratio of two sums over rows: for all but SNIPS the denominator counts rows. One
standard error and one bootstrap then serve all.
"""

from enum import StrEnum
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Estimator(StrEnum):
    """What `evaluate` offers."""

    IPS = "ips"
    SNIPS = "snips"
    CLIPPED_IPS = "clipped_ips"
    DM = "dm"
    DR = "dr"
    SWITCH_DR = "switch_dr"


WITH_MODEL = (Estimator.DM, Estimator.DR, Estimator.SWITCH_DR)
"""Estimators that use a model of the rewards."""


class Scores(NamedTuple):
    """What each row adds to an estimate sum(numerator) / sum(denominator), both [..., n]."""

    numerator: Array
    denominator: Array


def importance_weights(probabilities: Array, actions: Array, propensities: Array) -> Array:
    """Return w = pi(a | x) / p of the logged actions [n], for policies [..., n, K]: [..., n]."""
    return probabilities[..., jnp.arange(len(actions)), actions] / propensities


def ips(weights: Array, rewards: Array) -> Scores:
    """Inverse propensity scoring: the mean of w r (Horvitz and Thompson, "A generalization of
    sampling without replacement from a finite universe", 1952). Weights [..., n], rewards [n]."""
    return _mean(weights * rewards)


def snips(weights: Array, rewards: Array) -> Scores:
    """Self-normalised IPS: sum w r / sum w (Swaminathan and Joachims, "The self-normalized
    estimator for counterfactual learning", 2015). A constant added to the rewards is added to the
    estimate. 0 / 0 where no weight is positive."""
    return Scores(weights * rewards, weights)


def clipped_ips(weights: Array, rewards: Array, clip: Array | float) -> Scores:
    """IPS with weights of at most `clip`: the mean of min(w, clip) r (Ionides, "Truncated
    importance sampling", 2008)."""
    return _mean(jnp.minimum(weights, clip) * rewards)


def direct_method(probabilities: Array, q: Array) -> Scores:
    """The mean of sum_a pi(a | x) q(x, a), for a model of the rewards q [n, K]."""
    return _mean(_under(probabilities, q))


def doubly_robust(
    probabilities: Array, weights: Array, actions: Array, rewards: Array, q: Array
) -> Scores:
    """The mean of sum_a pi(a | x) q(x, a) + w (r - q(x, a_logged)) (Dudik, Langford and Li, "Doubly
    robust policy evaluation and learning", 2011).

    Unbiased whatever q is, as long as q(x, .) of a row does not come from that row's reward.
    """
    return switch_doubly_robust(probabilities, weights, actions, rewards, q, jnp.inf)


def switch_doubly_robust(
    probabilities: Array,
    weights: Array,
    actions: Array,
    rewards: Array,
    q: Array,
    switch: Array | float,
) -> Scores:
    """Doubly robust with the correction left out where w > `switch` (Wang, Agarwal and Dudik,
    "Optimal and adaptive off-policy evaluation in contextual bandits", 2017).

    The model alone at switch 0, doubly robust at infinity.
    """
    residual = rewards - q[jnp.arange(len(actions)), actions]
    kept = jnp.where(weights <= switch, weights, 0.0)
    return _mean(_under(probabilities, q) + kept * residual)


@jax.jit
def value(scores: Scores) -> Array:
    """Return the estimate, [...]."""
    return scores.numerator.sum(-1) / scores.denominator.sum(-1)


@jax.jit
def standard_error(scores: Scores) -> Array:
    """Return the standard error of the estimate, [...], from independent rows.

    Of a mean sd / sqrt(n); of a ratio v = a / b by the delta method, the rows being those of
    (a - v b) / mean(b). A model q counts as given.
    """
    n = scores.numerator.shape[-1]
    off = scores.numerator - value(scores)[..., None] * scores.denominator
    return jnp.sqrt((off**2).sum(-1) / (n - 1) / n) / scores.denominator.mean(-1)


def effective_sample_size(weights: Array) -> Array:
    """Return (sum w)^2 / sum w^2 of weights [..., n]: from 1 to n, 0 where no weight is positive
    (Kong, "A note on importance sampling using standardized weights", 1992)."""
    squares = (weights**2).sum(-1)
    return jnp.where(
        squares > 0.0, weights.sum(-1) ** 2 / jnp.where(squares > 0.0, squares, 1.0), 0
    )


def _under(probabilities: Array, q: Array) -> Array:
    return (probabilities * q).sum(-1)


def _mean(rows: Array) -> Scores:
    return Scores(rows, jnp.ones_like(rows))
