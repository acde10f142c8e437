"""The rows of the allocation program, block by block, and its objective. docs/allocate.md.

Every limit is divided by its right side, so that rows have entries of about 1.
"""

from typing import Any, NamedTuple

import numpy as np

from lpo.allocate.instance import Instance, InstanceData
from lpo.allocate.model.coefficients import (
    Coefficients,
    alone,
    largest_share,
    nominal_in_objective,
    stored_by_route,
)
from lpo.allocate.model.columns import Columns
from lpo.allocate.model.layout import Layout, worst_case_kind
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Budget, Uncertainty


class Block(NamedTuple):
    """Rows: sum of values x[column] <= right, or == right where they are equations.

    count: rows. values: (value, entries that it is for) in the order of row and column. limits: a
    name for every row, () for rows that no planner can relax.
    """

    count: int
    row: np.ndarray
    column: np.ndarray
    values: list[tuple[Any, int]]
    right: Any
    equation: bool
    limits: tuple[str, ...]


Entry = tuple[Any, Any, Any]


def allocation_rows(
    instance: Instance,
    data: InstanceData,
    columns: Columns,
    layout: Layout,
    numbers: Coefficients,
    options: Options,
    uncertainty: Uncertainty,
    *,
    tight: bool = True,
) -> list[Block]:
    """Return all rows but the cuts of an ellipsoid; `data` are the numbers, NumPy or JAX.

    tight: see `Program.matrix`; the limits come first and are the same rows either way.
    """
    I, types = len(instance.query_types), instance.query_types
    C = len(columns.degree)
    k, i, c = columns.tier, columns.route_type, columns.route_deployment
    w, x = layout.replicas + np.arange(C), layout.share + np.arange(len(i))
    u = layout.unmet + np.arange(I)
    tiers = tuple(instance.tiers[tier] for tier in k)
    by_type = np.arange(I)

    blocks = [
        _block(I, [(i, x, 1.0), (by_type, u, 1.0)], 1.0, equation=True),
        _block(
            len(columns.pair_tier),
            [(columns.deployment_pair, w if layout.active is None else layout.active + w, 1.0)],
            1.0,
        ),
        _block(
            C,
            [
                (np.arange(C), w, -numbers.spare_gb / data.memory_gb[k]),
                (c, x, numbers.cache_gb / data.memory_gb[k][c]),
            ],
            0.0,
            tuple(f"memory of {tier}" for tier in tiers),
        ),
        _block(
            C,
            [(np.arange(C), w, -1.0), (c, x, numbers.load / numbers.tflops[c])],
            0.0,
            tuple(f"compute of {tier}" for tier in tiers),
        ),
    ]
    stored, storage_gb, storage_usd = _stored(columns, layout, numbers, options)
    counted = I if options.published else 1  # the published budget row counts the rent I times
    spending = [
        (0 * w, w, counted * numbers.rent),
        (0 * stored, stored, storage_usd),
        (0 * x, x, numbers.data_usd),
    ]
    blocks += [
        _block(1, [(0 * stored, stored, storage_gb)], data.storage_gb, ("storage",)),
        _block(1, spending, data.budget_usd, ("budget",)),
    ]
    for place, name in enumerate(("delay", "error")):
        blocks += _limit(name, place, types, columns, layout, numbers, data, options, uncertainty)
    blocks.append(
        _block(
            I,
            [(by_type, u, 1.0)],
            data.unmet_cap,
            tuple(f"unmet cap of {name}" for name in types),
        )
    )
    counted_tiers = np.flatnonzero(np.isfinite(instance.data.tier_limit))
    if len(counted_tiers):
        of = np.flatnonzero(np.isin(k, counted_tiers))
        blocks.append(
            _block(
                len(counted_tiers),
                [(np.searchsorted(counted_tiers, k[of]), w[of], columns.degree[of])],
                data.tier_limit[counted_tiers],
                tuple(f"GPUs of {instance.tiers[tier]}" for tier in counted_tiers),
            )
        )
    return blocks + _structure(columns, layout, numbers, options, I, tight)


def objective(
    data: InstanceData,
    columns: Columns,
    layout: Layout,
    numbers: Coefficients,
    options: Options,
    uncertainty: Uncertainty,
) -> dict[str, list[Entry]]:
    """Return the parts of the cost in dollars, by name, as entries (0, column, value)."""
    i, C = columns.route_type, len(columns.degree)
    w, x = layout.replicas + np.arange(C), layout.share + np.arange(len(i))
    u = layout.unmet + np.arange(len(data.unmet_cap))
    stored, _, storage_usd = _stored(columns, layout, numbers, options)
    waiting = 0.0 * numbers.delay
    if nominal_in_objective(options):
        waiting = waiting + numbers.delay_usd[i] * numbers.delay
    kind = worst_case_kind(uncertainty.delay, options)
    if kind == "linear":
        factor = alone(uncertainty.delay, numbers.kept_delay)[columns.route_exposure]
        waiting = waiting + numbers.delay_usd[i] * factor * numbers.delay_deviation
    delay: list[Entry] = [(0, x, waiting)]
    per_unit = numbers.delay_usd * layout.unit[0]
    tau, sigma = layout.tau[0], layout.sigma[0]
    if tau is not None:
        gamma = uncertainty.delay.gamma if isinstance(uncertainty.delay, Budget) else 1.0
        delay.append((0, tau + np.arange(len(per_unit)), gamma * per_unit))
    if sigma is not None:
        s = columns.exposure_type
        delay.append((0, sigma + np.arange(len(s)), per_unit[s] * numbers.kept_delay))
    return {
        "rental": [(0, w, numbers.rent)],
        "storage": [(0, stored, storage_usd), (0, x, numbers.data_usd)],
        "delay": delay,
        "unmet": [(0, u, numbers.unmet_usd)],
    }


def ellipsoid_cuts(
    place: int,
    radius: float,
    direction: np.ndarray,
    data: InstanceData,
    columns: Columns,
    layout: Layout,
    numbers: Coefficients,
) -> Block:
    """Return rows r_i >= radius g'a, which hold for |g|_2 <= 1; direction g [cuts, S].

    a: what each exposure puts at risk, in the layout's unit. A cut reads the exposures of one
    type, that of its largest entry.
    """
    owner = columns.exposure_type[np.argmax(np.abs(direction), axis=1)]
    tau = layout.tau[place]
    assert tau is not None
    kept, deviation, _ = _of_kind(place, numbers, data)
    at, i = columns.route_exposure, columns.route_type
    rows, routes = np.nonzero((direction[:, at] != 0) & (i == owner[:, None]))
    s = at[routes]
    values = radius * direction[rows, s] * kept[s] * (deviation / layout.unit[place][i])[routes]
    cuts = np.arange(len(direction))
    entries = [(rows, layout.share + routes, values), (cuts, tau + owner, -1.0)]
    return _block(len(direction), entries, 0.0)


def barred(layout: Layout, routes: np.ndarray) -> Block:
    """Return rows that keep these routes empty."""
    at = np.arange(len(routes))
    return _block(len(routes), [(at, layout.share + routes, 1.0)], 0.0)


def first_cuts(
    place: int, radius: float, data: InstanceData, columns: Columns, layout: Layout, numbers: Any
) -> Block:
    """Return rows r_i >= radius a_s, one an exposure of type i: what each risks alone."""
    tau = layout.tau[place]
    assert tau is not None
    kept, deviation, _ = _of_kind(place, numbers, data)
    s, i = columns.route_exposure, columns.route_type
    values = radius * kept[s] * deviation / layout.unit[place][i]
    cuts = np.arange(len(columns.exposure_type))
    entries = [
        (s, layout.share + np.arange(len(s)), values),
        (cuts, tau + columns.exposure_type, -1.0),
    ]
    return _block(len(cuts), entries, 0.0)


def at_risk(
    place: int, share: np.ndarray, columns: Columns, layout: Layout, numbers: Coefficients
) -> np.ndarray:
    """[S] what shares [R] put at risk on each exposure, in the layout's unit."""
    deviation = numbers.delay_deviation if place == 0 else numbers.error_deviation
    values = deviation / layout.unit[place][columns.route_type] * share
    return np.bincount(columns.route_exposure, values, len(columns.exposure_type))


def _limit(
    name: str,
    place: int,
    types: tuple[str, ...],
    columns: Columns,
    layout: Layout,
    numbers: Coefficients,
    data: InstanceData,
    options: Options,
    uncertainty: Uncertainty,
) -> list[Block]:
    """The limit of delay or error, with the dual of its worst case."""
    i, s = columns.route_type, columns.exposure_type
    I, x = len(types), layout.share + np.arange(len(columns.route_type))
    kept, deviation, limit = _of_kind(place, numbers, data)
    unit = layout.unit[place]
    nominal = numbers.delay if place == 0 else numbers.error
    kind = worst_case_kind(uncertainty[place], options)
    if kind == "linear":
        nominal = nominal + alone(uncertainty[place], kept)[columns.route_exposure] * deviation
    entries: list[Entry] = [(i, x, nominal / limit[i])]
    tau, sigma, duals = layout.tau[place], layout.sigma[place], []
    if tau is not None:
        each = uncertainty[place]
        gamma = each.gamma if isinstance(each, Budget) else 1.0
        entries.append((np.arange(I), tau + np.arange(I), gamma * unit / limit))
    if tau is not None and sigma is not None:
        at = np.arange(len(s))
        entries.append((s, sigma + at, kept * unit[s] / limit[s]))
        risk = (columns.route_exposure, x, deviation / unit[i])
        duals.append(_block(len(s), [risk, (at, tau + s, -1.0), (at, sigma + at, -1.0)], 0.0))
    right: Any = 1.0
    if options.published and place == 0:
        # the published right side has the degree of one pair, the last, for every type
        last = np.flatnonzero(
            (columns.model == len(data.weights_gb) - 1) & (columns.tier == len(data.memory_gb) - 1)
        )
        entries += [
            (np.full(len(last), type_), layout.replicas + last, -1.0 * columns.degree[last])
            for type_ in range(I)
        ]
        right = 0.0
    limits = tuple(f"{name} of {type_}" for type_ in types)
    return [_block(I, entries, right, limits), *duals]


def _structure(
    columns: Columns,
    layout: Layout,
    numbers: Coefficients,
    options: Options,
    types: int,
    tight: bool,
) -> list[Block]:
    """Links between shares, placements, replicas and what is active."""
    i, c = columns.route_type, columns.route_deployment
    C, R = len(columns.degree), len(columns.route_type)
    w, x, r = layout.replicas + np.arange(C), layout.share + np.arange(R), np.arange(R)
    blocks = []
    if layout.active is not None:
        entries = [(np.arange(C), w, 1.0), (np.arange(C), layout.active + w, -options.replicas)]
        blocks.append(_block(C, entries, 0.0))
    if layout.placed is not None and options.single_placement:
        z = layout.placed + r
        cap = largest_share(columns, numbers, options.replicas) if tight else np.ones(R)
        blocks += [
            _block(types, [(i, z, 1.0)], 1.0, equation=True),
            _block(R, [(r, x, 1.0), (r, z, -cap)], 0.0),
            _block(R, [(r, z, 1.0), (r, layout.replicas + c, -1.0)], 0.0),
        ]
    elif layout.placed is not None:
        S = len(columns.exposure_type)
        entries = [
            (columns.route_exposure, x, 1.0),
            (np.arange(S), layout.placed + np.arange(S), -1.0),
        ]
        blocks.append(_block(S, entries, 0.0))
    if options.link_cuts and tight:
        cap = largest_share(columns, numbers, 1)
        blocks.append(_block(R, [(r, x, 1.0), (r, layout.replicas + c, -cap)], 0.0))
    return blocks


def _stored(
    columns: Columns, layout: Layout, numbers: Coefficients, options: Options
) -> tuple[np.ndarray, Any, Any]:
    """Columns that take storage, what they take and what it costs."""
    if not stored_by_route(options):
        w = layout.replicas + np.arange(len(columns.degree))
        return w, numbers.storage_gb, numbers.storage_usd
    assert layout.placed is not None
    if options.single_placement:
        c = columns.route_deployment
    else:  # any deployment of the pair has its model
        c = np.unique(columns.deployment_pair, return_index=True)[1][columns.exposure_pair]
    return layout.placed + np.arange(len(c)), numbers.storage_gb[c], numbers.storage_usd[c]


def _of_kind(place: int, numbers: Coefficients, data: InstanceData) -> tuple[Any, Any, Any]:
    """Kept share of the uncertainty, deviation and limit of delay (0) or error (1)."""
    if place == 0:
        return numbers.kept_delay, numbers.delay_deviation, data.delay_limit_ms
    return numbers.kept_error, numbers.error_deviation, data.error_limit


def _block(
    count: int,
    entries: list[Entry],
    right: Any,
    limits: tuple[str, ...] = (),
    *,
    equation: bool = False,
) -> Block:
    row = np.concatenate([np.broadcast_to(r, np.shape(c)) for r, c, _ in entries])
    column = np.concatenate([c for _, c, _ in entries])
    values = [(value, len(c)) for _, c, value in entries]
    return Block(count, row, column, values, right, equation, limits)
