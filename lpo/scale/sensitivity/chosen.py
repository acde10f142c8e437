"""What each method chooses from curves: for each model alone, or among all of them."""

from typing import Any, NamedTuple

import jax
import numpy as np

from lpo.scale.curves import Curves, Limits
from lpo.scale.select import (
    Options,
    Place,
    choices,
    feasible_by_mean,
    joint,
    places,
    points_of,
    select,
)


class Chosen(NamedTuple):
    """Choices by the five methods of `Selections`, the last axis: [..., 5].

    model: place of the model. k: passes. parallel: slots. cost, time, accuracy: means of the query.
    -1 and NaN where nothing was chosen.
    """

    model: Any
    k: Any
    parallel: Any
    cost: Any
    time: Any
    accuracy: Any


def chosen_for_each(options: Options, curves: Curves, limits: Limits, allowed: Any) -> Chosen:
    """Return the choices of every model and number of slots, [s, m, p, 5].

    curves [m, p, K]; limits [s], kept in the mean; allowed bool [p, K].
    """
    feasible = feasible_by_mean(curves, limits, allowed)
    found = select(options, points_of(curves), feasible, limits, k=curves.k)
    each = [_read(curves, limits, places(one.at)) for one in found]
    return stacked(each, -1)


def chosen_among_all(options: Options, curves: Curves, limits: Limits, allowed: Any) -> Chosen:
    """Return the choices over all models and slots together, [s, 5], as `joint`."""
    found = joint(options, curves, limits, allowed)
    return _read(found.curves, limits, found.place)


def stacked(each: list[Chosen], axis: int = 0) -> Chosen:
    """Return the choices of several cases on one more axis."""
    return jax.tree.map(lambda *leaves: np.stack(leaves, axis), *each)


def _read(curves: Curves, limits: Limits, place: Place) -> Chosen:
    found = choices(curves, limits, place)
    means = (found.cost.mean, found.time.mean, found.accuracy.mean)
    return Chosen(place.model, found.k, found.parallel, *means)
