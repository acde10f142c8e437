"""How different samples of one problem are, and what a bound on risk makes of it.

McAllester, Some PAC-Bayesian theorems, 1999; Catoni, PAC-Bayesian supervised classification, 2007;
docs/l2o.md, "Diversity".
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError


class Diversity(NamedTuple):
    """Of B problems. distance: mean distance of two of K samples, [B]. value_sd: standard deviation
    of their objectives, [B]. best_of: least objective of the first k, [B, K]."""

    distance: jax.Array
    value_sd: jax.Array
    best_of: jax.Array


def diversity(x: Any, value: Any) -> Diversity:
    """Return how different K >= 2 samples are; x [B, K, d], value [B, K].

    Raises InputError on a single sample.
    """
    x, value = jnp.asarray(x), jnp.asarray(value)
    if x.shape[1] < 2:
        raise InputError(f"diversity needs at least two samples a problem, got {x.shape[1]}.")
    apart = jax.vmap(_apart)(x)
    return Diversity(apart, value.std(1, ddof=1), jax.lax.cummin(value, axis=1))


def _apart(x: jax.Array) -> jax.Array:
    count = len(x)
    distances = jnp.linalg.norm(x[:, None] - x[None], axis=-1)
    return distances.sum() / (count * (count - 1))


def normal_of(x: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return means [B, d] and one standard deviation [B] for all coordinates of the normal law of
    K >= 2 samples x [B, K, d]; raise InputError on a single sample."""
    given = np.asarray(x, np.float64)
    if given.shape[1] < 2:
        raise InputError(f"A law needs at least two samples a problem, got {given.shape[1]}.")
    return given.mean(1), np.sqrt(given.var(1, ddof=1).mean(-1))


def kl_of_normals(mean: Any, sd: float, prior_mean: Any, prior_sd: float) -> float:
    """Return KL(N(mean, sd^2 I) | N(prior_mean, prior_sd^2 I)), means [d], in nats."""
    mean, prior_mean = np.asarray(mean, float), np.asarray(prior_mean, float)
    _positive(sd=sd, prior_sd=prior_sd)
    ratio = (sd / prior_sd) ** 2
    away = ((mean - prior_mean) ** 2).sum() / prior_sd**2
    return 0.5 * float(mean.size * (ratio - 1.0 - np.log(ratio)) + away)


def risk_bound(empirical: float, kl: float, problems: int, delta: float = 0.05) -> float:
    """Return McAllester's bound on the risk of a sampling law, with probability 1 - delta over
    `problems` training problems; losses in [0, 1].

    Raises InputError on a risk outside [0, 1], a negative divergence, no problems, and delta
    outside (0, 1).
    """
    if not (0.0 <= empirical <= 1.0 and kl >= 0.0 and problems >= 1 and 0.0 < delta < 1.0):
        raise InputError(
            "risk_bound needs a risk in [0, 1], a divergence of at least 0, at least one problem "
            f"and delta in (0, 1), got {empirical}, {kl}, {problems}, {delta}."
        )
    return empirical + float(
        np.sqrt((kl + np.log(2.0 * np.sqrt(problems) / delta)) / (2.0 * problems))
    )


def weight_of(kl: float, problems: int, delta: float = 0.05) -> float:
    """Return the weight that minimises Catoni's bound, empirical risk + KL / weight + (weight / 8
    problems + log(1 / delta) / weight), losses in [0, 1]: sqrt(8 problems (KL + log 1 / delta)).

    Alquier, User-friendly introduction to PAC-Bayes bounds, 2024, theorem 2.1. Raises InputError as
    `risk_bound`.
    """
    risk_bound(0.0, kl, problems, delta)
    return float(np.sqrt(8.0 * problems * (kl + np.log(1.0 / delta))))


def best_spread(trace_of_hessian: float, dimension: int, prior_sd: float, weight: float) -> float:
    """Return the standard deviation s that minimises E f + KL / weight, f being
    f(mu) + s^2 tr(H) / 2: s^2 = d / (weight tr H + d / prior_sd^2).

    Wide where the objective is flat, narrow where it is sharp. Raises InputError on a negative
    trace, and on other numbers that are not positive.
    """
    _positive(dimension=dimension, prior_sd=prior_sd, weight=weight)
    if trace_of_hessian < 0.0:
        raise InputError(f"`trace_of_hessian` must be at least 0, got {trace_of_hessian}.")
    return float(np.sqrt(dimension / (weight * trace_of_hessian + dimension / prior_sd**2)))


def _positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if not (np.isfinite(number) and number > 0.0):
            raise InputError(f"`{name}` must be positive and finite, got {number}.")
