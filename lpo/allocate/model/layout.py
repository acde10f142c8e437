"""Where the variables of the allocation program are. docs/allocate.md."""

from typing import NamedTuple

import numpy as np

from lpo.allocate.model.coefficients import Coefficients, stored_by_route
from lpo.allocate.model.columns import Columns
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Box, Budget, Ellipsoid, Uncertainty, UncertaintySet


class Layout(NamedTuple):
    """Where each kind of variable begins in x, and n, their number.

    replicas [C]; share [R]; unmet [I]; active [C] where there are several replicas; placed [R], or
    [S] when weights are stored by route and types may split; then the worst cases of delay and of
    error: tau [I] and sigma [S] of a budget, the radius in tau's place of an ellipsoid. None: not
    in the program. unit: [I] each, what tau and sigma count in: the largest deviation of a type
    when the program was built, ms and fractions, so that they are about 1 whatever the limit.
    """

    replicas: int
    share: int
    unmet: int
    active: int | None
    placed: int | None
    tau: tuple[int | None, int | None]
    sigma: tuple[int | None, int | None]
    unit: tuple[np.ndarray, np.ndarray]
    n: int


def make_layout(
    columns: Columns,
    types: int,
    numbers: Coefficients,
    options: Options,
    uncertainty: Uncertainty,
) -> Layout:
    """Lay out the variables; `numbers` only give the units."""
    C, R, S = (len(part) for part in (columns.degree, columns.route_type, columns.exposure_type))
    at = C + R + types
    active = placed = None
    if options.replicas > 1:
        active, at = at, at + C
    if options.single_placement:
        placed, at = at, at + R
    elif stored_by_route(options):
        placed, at = at, at + S
    tau, sigma = [], []
    for each in uncertainty:
        kind = worst_case_kind(each, options)
        begin_tau = begin_sigma = None
        if kind in ("budget", "ellipsoid"):
            begin_tau, at = at, at + types
        if kind == "budget":
            begin_sigma, at = at, at + S
        tau.append(begin_tau)
        sigma.append(begin_sigma)
    unit = []
    for deviation in (numbers.delay_deviation, numbers.error_deviation):
        largest = np.zeros(types)
        np.maximum.at(largest, columns.route_type, deviation)
        unit.append(np.where(largest > 0.0, largest, 1.0))
    ends = {"tau": (tau[0], tau[1]), "sigma": (sigma[0], sigma[1]), "unit": (unit[0], unit[1])}
    return Layout(0, C, C + R, active, placed, **ends, n=at)


def worst_case_kind(uncertainty: UncertaintySet, options: Options) -> str:
    """How a worst case is written: "none", "linear" (closed form), "budget", "ellipsoid"."""
    if isinstance(uncertainty, Budget) and uncertainty.gamma == 0.0:
        return "none"
    if options.single_placement or isinstance(uncertainty, Box):
        return "linear"
    if isinstance(uncertainty, Ellipsoid):
        return "ellipsoid"
    return "linear" if np.isinf(uncertainty.gamma) else "budget"
