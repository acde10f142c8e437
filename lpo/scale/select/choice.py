"""What is known of a choice: its passes, means, cost and time of a pass, room to the limits."""

from typing import Any, NamedTuple

import numpy as np

from lpo.scale.curves import Curves, Estimate, Limits
from lpo.scale.select.points import points_of


class Place(NamedTuple):
    """Indices into curves [m, p, K], int arrays of one shape; -1 where there is no choice."""

    model: np.ndarray
    parallel: np.ndarray
    k: np.ndarray


class Choice(NamedTuple):
    """Of choices [...]; NaN, and -1 for whole numbers, where there is none.

    k: passes. parallel: slots. cost, time, accuracy: of the query. pass_cost, pass_time: dollars
    and seconds over k. slack: what is left to each limit, negative where its mean violates it.
    """

    k: np.ndarray
    parallel: np.ndarray
    cost: Estimate
    time: Estimate
    accuracy: Estimate
    pass_cost: np.ndarray
    pass_time: np.ndarray
    slack: Limits


def places(at: Any) -> Place:
    """Return the places of indices of k [..., m, p], -1 where there is none."""
    k = np.asarray(at)
    model, parallel = np.indices(k.shape)[-2:]
    return Place(np.where(k < 0, -1, model), np.where(k < 0, -1, parallel), k)


def choices(curves: Curves, limits: Limits, place: Place) -> Choice:
    """Return what curves say of the choices [s, ...] under limits [s]."""
    none = np.asarray(place.k) < 0
    index = tuple(np.maximum(each, 0) for each in place)
    shape = points_of(curves).cost.shape

    def there(values: Any) -> np.ndarray:
        return np.where(none, np.nan, np.broadcast_to(values, shape)[index])

    def of(estimate: Estimate) -> Estimate:
        return Estimate(*(None if leaf is None else there(leaf) for leaf in estimate))

    def room(limit: Any, mean: np.ndarray, sign: float) -> np.ndarray:
        scenarios = np.reshape(limit, (-1,) + (1,) * (none.ndim - 1))
        return sign * (np.asarray(scenarios, np.float64) - mean)

    cost, time, accuracy = of(curves.cost), of(curves.time), of(curves.accuracy)
    k, parallel = (
        np.where(none, -1, np.asarray(values)[at])
        for values, at in ((curves.k, index[2]), (curves.parallel, index[1]))
    )
    return Choice(
        k,
        parallel,
        cost,
        time,
        accuracy,
        pass_cost=cost.mean / k,
        pass_time=time.mean / k,
        slack=Limits(
            room(limits.cost, cost.mean, 1.0),
            room(limits.time, time.mean, 1.0),
            room(limits.accuracy, accuracy.mean, -1.0),
        ),
    )
