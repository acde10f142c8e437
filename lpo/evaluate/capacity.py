"""Capacities of one bin in whole replicas of one configuration, and what they cost in dollars."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpo.provision import CapacityTask, Fleet


class Unit(NamedTuple):
    """The replica that capacity is bought in: tokens a bin, $ a bin, GPUs; its name."""

    name: str
    tokens: float
    usd: float
    gpus: float


def cheapest_unit(fleet: Fleet, names: Sequence[str]) -> Unit:
    """The configuration with the least price for a token of capacity."""
    k = int(np.argmin(fleet.price / fleet.capacity))
    return Unit(names[k], float(fleet.capacity[k]), float(fleet.price[k]), float(fleet.gpus[k]))


def replicas(task: CapacityTask, unit: Unit, forecast: np.ndarray, decision: str) -> np.ndarray:
    """Replicas [...] for a forecast [...] in tokens: relaxed, rounded or exact.

    relaxed: the task's capacity in replicas. rounded: to the nearest whole number. exact: the whole
    number that costs least if the forecast comes true; the cost is convex in the capacity where
    the task's optimum is its only minimum, so it is one of the two neighbours of the relaxed one.
    """
    relaxed = np.asarray(task.decide(forecast), np.float64) / unit.tokens
    if decision == "relaxed":
        return relaxed
    if decision == "rounded":
        return np.rint(relaxed)
    below, above = np.floor(relaxed), np.ceil(relaxed)
    costs = [np.asarray(task.cost(n * unit.tokens, forecast)) for n in (below, above)]
    return np.where(costs[0] <= costs[1], below, above)
