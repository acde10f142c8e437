"""The choice of model, passes and slots together."""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.optim.pareto import efficient
from lpo.scale.curves import Curves, Estimate, Limits
from lpo.scale.select.choice import Place
from lpo.scale.select.criteria import Selections, best_by_each, named
from lpo.scale.select.feasible import feasible_by_mean
from lpo.scale.select.front import settled
from lpo.scale.select.hypervolumes import front_hypervolume
from lpo.scale.select.options import Options
from lpo.scale.select.points import Points, points_of


class Joint(NamedTuple):
    """Choices over all models, slots and passes under s limits.

    curves: those given. feasible bool [s, m, p, K]. selections: [s] each, `at` an index into m p K,
    the last one fastest. place: of the selections, [s, 5] each, in the order of `Selections`.
    front: of each scenario all efficient points, in increasing cost. hypervolume [s]: of the front,
    see `front_hypervolume`.
    """

    curves: Curves
    feasible: np.ndarray
    selections: Selections
    place: Place
    front: list[Place]
    hypervolume: np.ndarray


def joint(
    options: Options,
    curves: Curves,
    limits: Limits,
    allowed: Any,
    *,
    most_parallel: int | None = None,
    feasible: Any = None,
) -> Joint:
    """Choose among all points of curves [m, p, K] at once, exhaustively, for limits [s].

    Criteria are those of `select`, on the front of all models and slots. That is no line but a
    surface: points are taken in increasing cost (then time, k, slots and model), so that the
    cheapest of equals wins, of points that are equal in everything knees see one, and the
    curvature is that of the zigzag through them, with its length as the parameter. More slots are
    never worse, unless they cost something (`with_slots`) or too many are in use (`most_parallel`).

    **Arguments:**

    - `allowed`: bool [p, K]. `most_parallel`: slots that may be used at the most, where queries
      share them.
    - `feasible`: bool [s, m, p, K] in place of what keeps the limits in the mean.

    **Raises:** InputError on no slots that may be used.
    """
    slots = np.asarray(curves.parallel)
    if most_parallel is not None and most_parallel < slots.min():
        raise InputError(
            f"`most_parallel` must be at least the least number of slots, {slots.min()}, "
            f"got {most_parallel}."
        )
    usable = np.asarray(allowed, bool)
    if most_parallel is not None:
        usable = usable & (slots <= most_parallel)[:, None]
    if feasible is None:
        feasible = feasible_by_mean(curves, limits, usable)
    else:
        feasible = np.asarray(feasible, bool) & usable
    return _choose(options, curves, limits, feasible)


def with_slots(curves: Curves, slot_price: float) -> Curves:
    """Return curves of which the mean cost has slot_price P E[T] added, dollars [m, p, K] (*ours*).

    slot_price: dollars per slot and second that it is reserved. Under the mean law it makes no
    number of slots worse than another, since P T is the work of all passes.

    The spread of the sum is not known, since cost and time go together: it is NaN, as is the
    standard error of simulated curves, and percentiles are left out. Raises InputError on a price
    that is negative or not finite.
    """
    if not 0.0 <= slot_price < np.inf:
        raise InputError(f"`slot_price` must be finite and at least 0, got {slot_price}.")
    if slot_price == 0.0:
        return curves
    means = points_of(curves)
    slots = np.asarray(curves.parallel)[:, None]
    unknown = np.full_like(means.cost, np.nan)
    exact = np.broadcast_to((curves.cost.sem == 0.0) & (curves.time.sem == 0.0), unknown.shape)
    cost = Estimate(
        means.cost + slot_price * slots * means.time, unknown, np.where(exact, 0.0, unknown)
    )
    return curves._replace(cost=cost)


def _choose(options: Options, curves: Curves, limits: Limits, feasible: np.ndarray) -> Joint:
    grid = points_of(curves)
    flat = Points(*(axis.ravel() for axis in grid))
    model, parallel, k = (axis.ravel() for axis in np.indices(grid.cost.shape))
    order = np.lexsort((model, parallel, k, flat.time, flat.cost))
    points = Points(*(axis[order] for axis in flat))
    may = feasible.reshape(len(feasible), -1)[:, order]
    # axes as the selections compare them, all to be small
    axes = np.stack([points.cost, points.time, -settled(points.accuracy)], -1)
    front = np.zeros_like(may)
    for mine, kept in zip(may, front, strict=True):
        kept[mine] = efficient(axes[mine])
    one_of_equals = front & ~_repeated(axes, front)
    each = [np.broadcast_to(limit, len(may)) for limit in limits]
    with np.errstate(invalid="ignore"):  # points that are not feasible may be infinite
        found = [
            best_by_each(options, points, mine, Limits(*bounds), None, line)
            for mine, line, *bounds in zip(may, one_of_equals, *each, strict=True)
        ]
    at, score = (np.stack(part) for part in zip(*found, strict=True))
    at = np.where(at < 0, -1, order[at])
    flat_fronts = [order[kept] for kept in front]
    return Joint(
        curves,
        feasible,
        named(at, score),
        _place(at, grid.cost.shape),
        [_place(each, grid.cost.shape) for each in flat_fronts],
        front_hypervolume(points, front, limits),
    )


def _repeated(axes: np.ndarray, front: np.ndarray) -> np.ndarray:
    """[s, N] bool: front points that are equal to the one before, which is next to them in order
    of cost and time."""
    again = np.zeros_like(front)
    for kept, mine in zip(front, again, strict=True):
        at = np.flatnonzero(kept)
        mine[at[1:]] = (axes[at[1:]] == axes[at[:-1]]).all(1)
    return again


def _place(flat: np.ndarray, shape: tuple[int, ...]) -> Place:
    found = np.unravel_index(np.maximum(flat, 0), shape)
    return Place(*(np.where(flat < 0, -1, each) for each in found))
