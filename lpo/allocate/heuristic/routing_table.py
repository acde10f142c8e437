"""What every query type needs, costs and risks on every deployment, as matrices.

The heuristic and the bound look at whole rows and columns of them at once.
docs/allocate_heuristic.md.
"""

from typing import NamedTuple

import numpy as np

from lpo.allocate.instance import Instance
from lpo.allocate.model.coefficients import alone, coefficients, largest_share, stored_by_route
from lpo.allocate.model.columns import Columns
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Budget, Ellipsoid, Uncertainty
from lpo.errors import InputError


class RoutingTable(NamedTuple):
    """I query types on C deployments. Delay and error are fractions of the type's limit.

    **Deployments** [C], one replica: pair, model and tier, index; gpus; replica_usd, rent and
    storage over the rental period; weights_gb that it stores (0 where routes store, see route_gb).
    **Routes** [I, C], a whole type: memory and compute, share of one replica's; most, largest share
    of the type that one replica can serve in any plan, 0 where the route is not allowed; usd,
    everything but what `risk` adds; data_usd, the part of it that counts against the budget;
    route_gb, weights that the route stores.
    **Limits**: level [2, I, C], delay and error without the uncertainty that `risk` [2, I, C]
    states as largest deviations; kept [2, C], the largest xi; gamma [2], the budget of their sum;
    infinite where the worst case is linear and part of `level`, and `risk` is 0.
    **Types** [I]: limit_usd, cost of a mean delay as long as the limit; unmet_usd of dropping all;
    unmet_cap.
    """

    pair: np.ndarray
    model: np.ndarray
    tier: np.ndarray
    degree_index: np.ndarray
    gpus: np.ndarray
    replica_usd: np.ndarray
    weights_gb: np.ndarray
    memory: np.ndarray
    compute: np.ndarray
    most: np.ndarray
    usd: np.ndarray
    data_usd: np.ndarray
    route_gb: np.ndarray
    level: np.ndarray
    risk: np.ndarray
    kept: np.ndarray
    gamma: np.ndarray
    limit_usd: np.ndarray
    unmet_usd: np.ndarray
    unmet_cap: np.ndarray


def routing_table(
    instance: Instance,
    options: Options,
    uncertainty: Uncertainty,
    columns: Columns,
    *,
    as_box: float = np.inf,
) -> RoutingTable:
    """Return the matrices of an instance.

    columns: with every route of its deployments. as_box: a budget of at least this many deviations
    is taken for the box, which is exact for a plan with no more routes a type, and else more
    careful than it need be. A budget that covers all pairs is the box anyway, and one of 0 is
    nothing.

    Raises InputError for the published profiles and for ellipsoids, which are not linear.
    """
    check_heuristic(options, uncertainty)
    data, numbers = instance.data, coefficients(columns, instance.data, options)
    shape = len(instance.query_types), len(columns.degree)
    C, pair = shape[1], columns.deployment_pair

    on = 1.0 if options.decision_dependent else 0.0
    impact = np.stack([data.impact_delay, data.impact_error])
    kept = 1.0 - on * impact[:, columns.pair_model, columns.pair_tier]  # [2, pairs]
    limit = np.stack([data.delay_limit_ms, data.error_limit])[:, :, None]
    level = np.stack([numbers.delay, numbers.error]).reshape(2, *shape) / limit
    risk = np.stack([numbers.delay_deviation, numbers.error_deviation]).reshape(2, *shape) / limit
    xi = np.stack([alone(each, kept[place]) for place, each in enumerate(uncertainty)])
    worst = level + xi[:, None, pair] * risk
    gamma = np.full(2, np.inf)
    for place, each in enumerate(uncertainty):
        if isinstance(each, Budget) and 0.0 < each.gamma < min(as_box, kept[place].sum()):
            gamma[place] = each.gamma
    folded = options.single_placement | np.isinf(gamma)
    gamma[folded] = np.inf
    level = np.where(folded[:, None, None], worst, level)
    risk = np.where(folded[:, None, None], 0.0, risk)

    with np.errstate(divide="ignore", invalid="ignore"):
        memory = np.nan_to_num(numbers.cache_gb.reshape(shape) / numbers.spare_gb, posinf=np.inf)
        compute = numbers.load.reshape(shape) / numbers.tflops
    most = largest_share(columns, numbers, 1).reshape(shape)
    if options.route_limit:
        most = np.where(worst[0] <= 1.0, most, 0.0)
    if options.single_placement:
        served = 1.0 - data.unmet_cap[:, None]
        enough = largest_share(columns, numbers, options.replicas).reshape(shape) >= served
        fits = enough & np.all(served * worst <= 1.0, axis=0)
        most = np.where(fits, most, 0.0)

    most = np.minimum(most, _tolerable(np.where(most > 0.0, level, np.inf), data.unmet_cap))
    stored = numbers.storage_gb * np.ones(C)
    by_route = stored_by_route(options)
    route_gb = np.broadcast_to(stored * by_route, shape)
    data_usd = np.broadcast_to(numbers.data_usd.reshape(shape)[:, :1], shape)
    storage_rate = data.rental_hours * data.storage_usd_per_gb_hour
    data_usd = data_usd + storage_rate * route_gb
    limit_usd = numbers.delay_usd * data.delay_limit_ms
    return RoutingTable(
        pair=pair,
        model=columns.model,
        tier=columns.tier,
        degree_index=columns.degree_index,
        gpus=columns.degree,
        replica_usd=numbers.rent + storage_rate * stored * (not by_route),
        weights_gb=stored * (not by_route),
        memory=np.where(most > 0.0, memory, 0.0),
        compute=np.where(most > 0.0, compute, 0.0),
        most=most,
        usd=data_usd + limit_usd[:, None] * level[0],
        data_usd=data_usd,
        route_gb=route_gb,
        level=level,
        risk=risk,
        kept=kept[:, pair],
        gamma=gamma,
        limit_usd=limit_usd,
        unmet_usd=numbers.unmet_usd,
        unmet_cap=np.asarray(data.unmet_cap, np.float64),
    )


def _tolerable(level: np.ndarray, unmet_cap: np.ndarray) -> np.ndarray:
    r"""[I, C]: share x of a route above which its level breaks a limit, whatever the others are.

    At least 1 - ubar is served, and what is not on the route has at least the lowest level:
    $x\,l + (1 - \bar u - x)\,l_{min} \le 1$ for delay and error, levels as fractions of the limit.
    """
    lowest = level.min(axis=2, keepdims=True, initial=np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        slack = 1.0 + 1e-9 - (1.0 - unmet_cap[:, None]) * lowest
        share = np.where(level > lowest, slack / (level - lowest), np.inf)
    return np.maximum(share, 0.0).min(axis=0)


def same_pair(table: RoutingTable, other: RoutingTable) -> np.ndarray:
    """[C]: a deployment in `other` of the pair of each deployment of `table`."""
    place = np.full((other.model.max() + 1, other.tier.max() + 1), -1)
    place[other.model, other.tier] = np.arange(len(other.model))
    return place[table.model, table.tier]


def check_heuristic(options: Options, uncertainty: Uncertainty) -> None:
    """Raise InputError for what the heuristic and the bound do not know."""
    if options.published:
        raise InputError(
            f"The heuristic and its bound know the corrected profile, not {options.profile}."
        )
    if any(isinstance(each, Ellipsoid) for each in uncertainty):
        raise InputError("The heuristic and its bound know budget and box sets, no ellipsoids.")
