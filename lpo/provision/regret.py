"""Regret of decisions against the per-sample optimum, and the scores of a test set."""

from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.provision.arrays import Array
from lpo.provision.tasks import Task

CODE_BATCH = 64  # rows a batch in the published evaluation loop, which `nr_code` reproduces


class Score(NamedTuple):
    """Scores of one method on one test set; None where a score is undefined.

    nr_pooled: sum of regret / |sum of the oracle's cost|. nr_code: mean over (batch of 64 windows,
    pair) of the same ratio of batch sums, as published for one-slot tasks. regret, cost,
    oracle_cost: means over decisions, in the task's unit. cost_per_token: sum of cost / sum of
    demand. mse: tokens^2. n_windows: rows. Definitions and their differences: docs/provision.md.
    """

    nr_pooled: float | None
    nr_code: float | None
    regret: float
    cost: float
    oracle_cost: float
    cost_per_token: float | None
    mse: float
    n_windows: int


def regret(task: Task, forecast: Array, demand: Array) -> Array:
    """Return cost(decide(forecast), demand) - cost(optimum(demand), demand) of each decision.

    forecast, demand: tokens per bin, broadcastable, with a last axis of slots where the task has a
    horizon. In `task.unit`; differentiable on JAX arrays. Not negative, but for what the ridges of
    a relaxed fleet cost its optimum (docs/fleet.md).
    """
    return task.cost(task.decide(forecast), demand) - task.cost(task.optimum(demand), demand)


def score(task: Task, forecast: Array, demand: Array) -> Score:
    """Score the forecasts of a test set in float64.

    forecast, demand: [n, P] tokens per bin, n windows of P pairs, in time order (`nr_code`
    depends on it); [n, P, H] where the task has a horizon of H slots. Raises InputError on other
    shapes, an empty set, values that are not finite, or negative demand.
    """
    predicted, actual = np.asarray(forecast, np.float64), np.asarray(demand, np.float64)
    axes = "[windows, pairs]" if task.horizon is None else "[windows, pairs, slots]"
    if (
        predicted.ndim != axes.count(",") + 1
        or predicted.shape != actual.shape
        or predicted.size == 0
    ):
        raise InputError(
            f"`forecast` and `demand` must both be {axes} with at least one pair, "
            f"got {predicted.shape} and {actual.shape}."
        )
    if not (np.isfinite(predicted).all() and np.isfinite(actual).all() and (actual >= 0).all()):
        raise InputError("`forecast` and `demand` must be finite and `demand` not negative.")

    cost = np.asarray(task.cost(task.decide(predicted), actual))
    oracle = np.asarray(task.cost(task.optimum(actual), actual))
    excess, demanded = cost - oracle, actual.sum()
    return Score(
        nr_pooled=_pooled(excess, oracle) if task.normalised and demanded > 0 else None,
        nr_code=_by_batch(excess, oracle) if task.normalised and task.horizon is None else None,
        regret=float(excess.mean()),
        cost=float(cost.mean()),
        oracle_cost=float(oracle.mean()),
        cost_per_token=float(cost.sum() / demanded) if demanded > 0 else None,
        mse=float(np.square(predicted - actual).mean()),
        n_windows=len(actual),
    )


def _pooled(excess: np.ndarray, oracle: np.ndarray) -> float | None:
    """Ratio of sums; None when the oracle's costs sum to zero (no demand it could serve)."""
    magnitude = abs(oracle.sum())
    return float(excess.sum() / magnitude) if magnitude > 0 else None


def _by_batch(excess: np.ndarray, oracle: np.ndarray) -> float | None:
    """Mean of the ratios per (batch, pair), the last partial batch kept.

    A (batch, pair) without any demand has no ratio and is left out; None when all are.
    """
    starts = np.arange(0, len(oracle), CODE_BATCH)
    benefit = -np.add.reduceat(oracle, starts, axis=0)
    ratios = np.add.reduceat(excess, starts, axis=0)[benefit > 0] / benefit[benefit > 0]
    return float(ratios.mean()) if ratios.size else None
