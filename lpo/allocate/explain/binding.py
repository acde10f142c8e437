"""Which limits hold a plan back, what more of each would save, and what more demand would cost.

docs/allocate_explain.md.
"""

from typing import NamedTuple

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.explain.fixed import Fixed, matrices, slopes, solve_fixed
from lpo.allocate.explain.limits import KINDS, place_of, value_of
from lpo.allocate.instance import Instance
from lpo.allocate.model.program import Program
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.allocate.validate.audit import Row, audit

BINDING = 1e-6  # of the right side


class Binding(NamedTuple):
    """A named limit at a plan: left <= right, in `unit`.

    detail: the deployment, for memory and compute, else "". slack: right - left. slack_share: of
    right, 0 where both are 0. binding: no slack beyond 1e-6 of right.

    looser: $ saved for one more unit of the limit (`price_unit` says of what), tighter: $ that one
    less would cost, both per unit and in the small, with the plan's deployments as they are and all
    shares free to move. Equal at most plans; where several limits hold at once they may differ, and
    `tighter` is infinite where the deployments could not serve any more. 0 for what no share can
    change (storage of deployments, GPUs). NaN where the plan breaks a limit.
    """

    limit: str
    detail: str
    left: float
    right: float
    unit: str
    slack: float
    slack_share: float
    binding: bool
    looser: float
    tighter: float
    price_unit: str


class DemandPrice(NamedTuple):
    """What one more query an hour of a type costs, $, with the plan's deployments as they are.

    more: of one more, infinite where these deployments cannot serve it within the limits. less:
    what one fewer saves. Both in the small, and NaN as in `Binding`.
    """

    query_type: str
    more: float
    less: float


def binding_limits(
    instance: Instance,
    allocation: Allocation,
    options: Options,
    uncertainty: Uncertainty,
    *,
    fixed: Fixed | None = None,
) -> list[Binding]:
    """Return every named limit of the instance at a plan, with its slack and shadow prices.

    **Limits**: delay, error and unmet cap of each query type, budget, storage, memory and compute
    of each deployment in use, GPUs of each tier that has a limit; left and right as in `audit`.

    **Prices** are one-sided derivatives of the cheapest cost with the deployments fixed (`slopes`):
    they say nothing about renting other GPUs, which may be the better answer to a limit. Rows of
    the program are divided by their right sides; here they are converted to the unit of the
    instance's own number: ms of the delay limit (in the published profiles the right side is a
    multiple of it), a percentage point of error or dropped queries, GB and TFLOP/s of every GPU of
    the deployment.

    fixed: the answer of `solve_fixed` for the same plan, if it is at hand.
    Raises InputError on a plan of other shapes than the instance's.
    """
    fixed = solve_fixed(instance, allocation, options, uncertainty) if fixed is None else fixed
    ways = _ways(fixed)
    report = audit(instance, allocation, options, uncertainty)
    rows = [row for row in report.rows if row.limit.partition(" of ")[0] in KINDS]
    prices = _prices(fixed, [ways.get((row.limit, row.detail)) for row in rows])
    return [_binding(instance, row, *sides) for row, sides in zip(rows, prices, strict=True)]


def demand_prices(
    instance: Instance,
    allocation: Allocation,
    options: Options,
    uncertainty: Uncertainty,
    *,
    fixed: Fixed | None = None,
) -> list[DemandPrice]:
    r"""Return the marginal cost of the demand of every query type, with the deployments fixed.

    Cost c and rows A are affine in the arrivals $\lambda_i$, so that at a solution x the derivative
    is $(\partial c/\partial\lambda_i)'x$ and the derivative along right sides that move by
    $-(\partial A/\partial\lambda_i)x$ (envelope theorem). It counts storage of data, delay and
    dropped queries, for the hours that `horizon_consistent` says, and what it takes to make room.
    Arguments and what is raised: as `binding_limits`.
    """
    fixed = solve_fixed(instance, allocation, options, uncertainty) if fixed is None else fixed
    x, program = fixed.solution.x, fixed.program
    if x is None:
        return [DemandPrice(name, np.nan, np.nan) for name in instance.query_types]
    data = instance.data
    more = data._replace(arrivals_per_hour=data.arrivals_per_hour + 1.0)
    raised, _, _ = matrices(program, fixed.point, more, fixed.cuts)
    cost = (raised.cost - fixed.linear.cost) * x
    room = (raised.matrix - fixed.linear.matrix).multiply(x).tocsc()
    owner = _owners(program)[fixed.columns]
    own = [np.flatnonzero(owner == i) for i in range(len(instance.query_types))]
    taken = [np.asarray(room[:, columns].sum(axis=1)).ravel() for columns in own]
    direct = np.array([cost[columns].sum() for columns in own])
    # more demand is less room
    more_usd = direct + slopes(fixed.linear, x, [-each for each in taken])
    less_usd = direct - slopes(fixed.linear, x, taken)
    prices = zip(instance.query_types, more_usd.tolist(), less_usd.tolist(), strict=True)
    return [DemandPrice(*each) for each in prices]


def _owners(program: Program) -> np.ndarray:
    """[n] the query type whose demand a column's coefficients depend on, -1 for none."""
    layout, columns, I = program.layout, program.columns, len(program.instance.query_types)
    owner = np.full(layout.n, -1)
    owner[layout.share : layout.share + len(columns.route_type)] = columns.route_type
    for begin in (layout.unmet, *layout.tau):
        if begin is not None:
            owner[begin : begin + I] = np.arange(I)
    for begin in layout.sigma:
        if begin is not None:
            owner[begin : begin + len(columns.exposure_type)] = columns.exposure_type
    return owner


class _Way(NamedTuple):
    """How a limit enters the program: its row, and how fast the right side rises with it."""

    row: int
    rate: float


def _ways(fixed: Fixed) -> dict[tuple[str, str], _Way]:
    """By the limit's name and the deployment."""
    program, columns = fixed.program, fixed.program.columns
    instance, begin = program.instance, program.layout.replicas
    running = fixed.point[begin : begin + len(columns.degree)]
    at = {int(row): place for place, row in enumerate(fixed.rows)}
    found = {}
    for limit, rows in program.limits().items():
        place, own = place_of(instance, limit), value_of(instance, limit)
        if place.name in ("memory", "compute"):
            deployments = np.flatnonzero(columns.tier == place.index[0])
            for row, c in zip(rows, deployments, strict=True):
                detail = f"{instance.models[columns.model[c]]}, TP {columns.degree[c]}"
                found[limit, detail] = _Way(at[int(row)], running[c] / own)
            continue
        rate = 1.0 / own if place.name in ("delay", "error") else 1.0
        if place.name == "delay" and program.options.published:
            last = columns.model == len(instance.models) - 1
            last &= columns.tier == len(instance.tiers) - 1
            rate *= float((columns.degree * running)[last].sum())  # of the published right side
        found[limit, ""] = _Way(at[int(rows[0])], rate)
    return found


def _binding(instance: Instance, row: Row, looser: float, tighter: float) -> Binding:
    kind = place_of(instance, row.limit).kind
    slack = row.right - row.left
    return Binding(
        limit=row.limit,
        detail=row.detail,
        left=row.left,
        right=row.right,
        unit=kind.unit,
        slack=slack,
        slack_share=slack / row.right if row.right else 0.0,
        binding=slack <= BINDING * abs(row.right),
        looser=looser * kind.price_per,
        tighter=tighter * kind.price_per,
        price_unit=kind.price_unit,
    )


def _prices(fixed: Fixed, ways: list[_Way | None]) -> list[tuple[float, float]]:
    """What a unit more of each limit saves, and what a unit less costs, $."""
    x, places = fixed.solution.x, np.arange(len(fixed.rows))
    if x is None:
        return [(np.nan, np.nan)] * len(ways)
    upward = [np.zeros(len(places)) if w is None else w.rate * (places == w.row) for w in ways]
    looser = -np.array(slopes(fixed.linear, x, upward))
    tighter = np.array(slopes(fixed.linear, x, [-v for v in upward]))
    # rounding has either sign
    sides = np.maximum(looser, 0.0).tolist(), np.maximum(tighter, 0.0).tolist()
    return [
        (np.nan, np.nan) if way is None else (more, less)
        for way, more, less in zip(ways, *sides, strict=True)
    ]
