"""The policy of the earlier deployment, whose decisions are the log. docs/bandit_product.md."""

from typing import Any, NamedTuple

import numpy as np

from lpo.bandit.product.costs import Bill
from lpo.errors import InputError


class Behaviour(NamedTuple):
    """Softmax over what a request was estimated to cost, money and waiting, in values of a good
    answer; it knew no quality. temperature: in the same unit. explore: share of requests that any
    arm got that had room."""

    temperature: float = 0.1
    explore: float = 0.1


def check_behaviour(behaviour: Behaviour) -> None:
    """Raise InputError unless the temperature is positive and 0 < explore <= 1, so that every
    decision has a propensity."""
    if not (np.isfinite(behaviour.temperature) and behaviour.temperature > 0.0):
        raise InputError(f"`temperature` must be positive, got {behaviour.temperature}.")
    if not 0.0 < behaviour.explore <= 1.0:
        raise InputError(f"`explore` must be above 0 and at most 1, got {behaviour.explore}.")


def probabilities(behaviour: Behaviour, bill: Bill, allowed: Any) -> np.ndarray:
    """Return with which probability each arm is taken, [n, K]; 0 where it is not `allowed`."""
    cost = np.where(allowed, bill.money + bill.wait, np.inf)
    weight = np.exp(-(cost - cost.min(-1, keepdims=True)) / behaviour.temperature)
    by_cost = weight / weight.sum(-1, keepdims=True)
    by_chance = allowed / allowed.sum(-1, keepdims=True)
    return (1.0 - behaviour.explore) * by_cost + behaviour.explore * by_chance
