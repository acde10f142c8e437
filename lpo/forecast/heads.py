"""Heads: from a network's numbers to ordered, non-negative outputs, and their losses.

Formulas: docs/forecast.md.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.forecast.types import Head

DEFAULT_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95)


def point_head(horizon: int | None = None) -> Head:
    """Return the head of one forecast per pair, or of one per slot of a `horizon`.

    Raises InputError on a horizon below 1.
    """
    return Head("point", (), _checked(horizon))


def quantile_head(levels: tuple[float, ...] = DEFAULT_LEVELS, horizon: int | None = None) -> Head:
    """Return the head of one output per quantile level (and slot of a `horizon`).

    Raises InputError unless the levels are strictly ascending inside (0, 1), or on a horizon
    below 1.
    """
    edges = (0.0, *levels, 1.0)
    if not levels or not all(a < b for a, b in itertools.pairwise(edges)):
        raise InputError(f"`levels` must be strictly ascending inside (0, 1), got {levels}.")
    return Head("quantile", tuple(float(level) for level in levels), _checked(horizon))


def _checked(horizon: int | None) -> int | None:
    if horizon is not None and horizon < 1:
        raise InputError(f"`horizon` must be at least 1, got {horizon}.")
    return horizon


def multiples(head: Head, raw: jax.Array) -> jax.Array:
    """Map a network's outputs to multiples of a demand level: positive, and ascending by level.

    raw: [..., outputs], any real numbers. Point: softplus(raw + b) with b such that raw = 0 gives
    1. Quantiles: cumulative sums of softplus(raw + b), with b such that raw = 0 gives the
    quantiles of the uniform law on [1/2, 3/2]. Softplus, unlike relu, never loses its gradient.
    """
    if head.name == "point":
        return jax.nn.softplus(raw + _inverse_softplus(1.0))
    increments = np.diff(head.levels, prepend=-0.5)
    offsets = np.array([_inverse_softplus(step) for step in increments], np.float32)
    return jnp.cumsum(jax.nn.softplus(raw + offsets), axis=-1)


def prediction_loss(
    head: Head, outputs: jax.Array, target: jax.Array, scale: float | jax.Array
) -> jax.Array:
    """Return the statistical loss of each pair, without unit.

    outputs: [..., head.outputs] tokens; target: [...] tokens; scale: tokens, such as the training
    mean. Point: ((output - target) / scale)^2. Quantile: mean over levels of the pinball loss
    max(tau e, (tau - 1) e), e = target - output, over scale. Returns [...].
    """
    error = (target[..., None] - outputs) / scale
    if head.name == "point":
        return jnp.square(error[..., 0])
    levels = np.array(head.levels, np.float32)
    return jnp.maximum(levels * error, (levels - 1.0) * error).mean(axis=-1)


def decision_forecast(head: Head, outputs: jax.Array, fractile: float | None) -> jax.Array:
    """Return the one number per pair, in tokens, that a decision is made from.

    outputs: [..., head.outputs] tokens. Point: the output. Quantile: linear interpolation between
    levels at `fractile`, the median for None. Raises InputError when the levels do not reach it.
    """
    if head.name == "point":
        return outputs[..., 0]
    level = 0.5 if fractile is None else fractile
    if not head.levels[0] <= level <= head.levels[-1]:
        raise InputError(
            f"`levels` must reach the task's fractile {level:.6g}, "
            f"got {head.levels[0]:g} to {head.levels[-1]:g}."
        )
    position = float(np.interp(level, head.levels, np.arange(len(head.levels))))
    below = math.floor(position)
    above = math.ceil(position)
    weight = position - below
    return (1.0 - weight) * outputs[..., below] + weight * outputs[..., above]


def _inverse_softplus(y: float) -> float:
    """Return x with ln(1 + e^x) = y, for y > 0."""
    return y + math.log(-math.expm1(-y))
