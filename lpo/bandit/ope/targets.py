"""Target policies as tables of probabilities [n, K]: a row for each row of a log, a column for each
of its actions, in the order of `Log.action_names`."""

from typing import Any

import numpy as np
from scipy.special import softmax as softmax_of

from lpo.bandit.ope.log import Log
from lpo.errors import InputError

_SUM = 1e-6  # how far the sum of a row may be from 1: tables in float32 are taken


def always(log: Log, action: str | int) -> np.ndarray:
    """Return the policy that always takes the action of that name (a number names itself).

    Raises InputError on another name.
    """
    if str(action) not in log.action_names:
        known = ", ".join(log.action_names)
        raise InputError(f"`action` must be one of {known}, got {str(action)!r}.")
    table = np.zeros((len(log.rewards), len(log.action_names)))
    table[:, log.action_names.index(str(action))] = 1.0
    return table


def uniform(log: Log) -> np.ndarray:
    """Return the policy that takes every action with the same probability."""
    K = len(log.action_names)
    return np.full((len(log.rewards), K), 1.0 / K)


def greedy(values: Any) -> np.ndarray:
    """Return the policy that takes the action of the greatest of `values` [n, K], the first of
    equals.

    Values that were learned from the rewards of the log which is to evaluate the policy flatter it;
    cross-fitted ones (`predicted_rewards`) do not. Raises InputError on values that are NaN.
    """
    values = _values(values)
    return np.eye(values.shape[1])[values.argmax(1)]


def epsilon_greedy(values: Any, epsilon: float) -> np.ndarray:
    """Return the greedy policy mixed with the uniform one: (1 - epsilon) greedy + epsilon / K.

    Raises InputError as `greedy`, and unless 0 <= epsilon <= 1.
    """
    if not 0.0 <= epsilon <= 1.0:
        raise InputError(f"`epsilon` must be between 0 and 1, got {epsilon}.")
    best = greedy(values)
    return (1.0 - epsilon) * best + epsilon / best.shape[1]


def softmax(values: Any, temperature: float = 1.0) -> np.ndarray:
    """Return the policy with probabilities proportional to exp(values / temperature).

    Raises InputError as `greedy`, and unless the temperature is above 0.
    """
    if not temperature > 0.0:
        raise InputError(f"`temperature` must be above 0, got {temperature}.")
    return softmax_of(_values(values) / temperature, axis=1)


def linear_greedy(log: Log, theta: Any) -> np.ndarray:
    """Return the greedy policy of the values <x, theta_a>, with `theta` [K, c] for contexts x [c].

    Raises InputError on another shape.
    """
    theta = np.asarray(theta, np.float64)
    shape = len(log.action_names), log.contexts.shape[1]
    if theta.shape != shape:
        raise InputError(f"`theta` must be {list(shape)}, got {theta.shape}.")
    return greedy(log.contexts @ theta.T)


def check_policy(log: Log, name: str, probabilities: Any) -> np.ndarray:
    """Return a policy's table as float64 [n, K].

    Raises InputError, with the policy's name and the row, on another shape, probabilities outside
    [0, 1], and a row that does not sum to 1 up to 1e-6.
    """
    table = np.asarray(probabilities, np.float64)
    shape = len(log.rewards), len(log.action_names)
    if table.shape != shape:
        raise InputError(
            f"policy `{name}`: must be [{shape[0]}, {shape[1]}], a row for each row of the log and "
            f"a column for each of {', '.join(log.action_names)}; got {table.shape}."
        )
    bad = np.argwhere(~((table >= 0.0) & (table <= 1.0 + _SUM)))
    if len(bad):
        i, a = bad[0]
        raise InputError(
            f"policy `{name}`, [{i}, {a}]: must be a probability, got {table[i, a]:.15g}."
        )
    total = table.sum(1)
    if (off := np.abs(total - 1.0) > _SUM).any():
        i = int(np.argmax(off))
        raise InputError(f"policy `{name}`, row {i}: must sum to 1, sums to {total[i]:.15g}.")
    return table


def _values(values: Any) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not values.shape[1] or np.isnan(values).any():
        raise InputError(f"`values` must be [n, K] without NaN, got the shape {values.shape}.")
    return values
