"""A lower bound from any prices, and the routes that they miss. docs/allocate_heuristic.md."""

from typing import NamedTuple

import numpy as np

from lpo.allocate.heuristic.routing_table import RoutingTable
from lpo.allocate.heuristic.share_program import Prices
from lpo.allocate.heuristic.worst_cuts import Cut
from lpo.allocate.instance import Instance


class Priced(NamedTuple):
    """bound: no plan costs less, $. reduced [I, C]: what a whole type on a route adds to the bound,
    when the rooms that it takes are paid; negative where the prices miss a route, infinite where
    none is allowed. replica [C]: what a replica and its best use add; negative where the prices
    miss a deployment."""

    bound: float
    reduced: np.ndarray
    replica: np.ndarray


def price_out(
    instance: Instance,
    table: RoutingTable,
    cuts: list[Cut],
    prices: Prices,
    replicas: int,
    *,
    links: bool,
) -> Priced:
    r"""Relax all rows at these prices but those of one deployment, and minimise what is left.

    The sum with the prices times the right sides is at most the cost of any plan, whether or not
    the prices are optimal; at optimal ones it is the value of the linear relaxation (Fisher, "The
    Lagrangian relaxation method", 1981). Each pair is left with a choice of one degree, of replicas
    $r \le R$ and of shares x that fit r times the room. Its minimum is bounded at any prices
    s, t >= 0 of memory m and compute g, with $c'_i = \bar c_i + s m_i + t g_i$:

    - with `links`, the shares also keep $x_i \le \text{most}_i r$, and the minimum is at least
      $R \min(0, F - s - t + \sum_i \text{most}_i \min(0, c'_i))$; the rooms' prices are chosen best
      for it. The table needs all degrees of a pair.
    - without, shares and replicas are told apart, $R \min(0, F - s - t) + \sum_i \min(1, R\,
      \text{most}_i) \min(0, c'_i)$. So the largest degree of a pair stands for all, of which a
      fraction can be rented; rooms are paid such that no route is negative, if the rent is enough.
    """
    data, allowed = instance.data, table.most > 0.0
    reduced = _without_rooms(table, cuts, prices)
    replica = table.replica_usd * (1.0 + prices.spent) + prices.storage * table.weights_gb
    replica = replica + prices.gpu[table.tier] * table.gpus
    gain = np.where(allowed, -reduced, 0.0)
    known = np.any(prices.room > 0.0, axis=0)
    if links:
        rooms = _dearest_rooms(table, gain, replica)
    else:
        rooms = _covering_rooms(table, gain, replica - np.minimum(prices.replica, 0.0), prices.room)
    best = np.full(len(replica), -np.inf)
    for room in (rooms, prices.room):
        missed = np.minimum(room[0] * table.memory + room[1] * table.compute - gain, 0.0)
        rest = replica - room.sum(axis=0)
        if links:
            value = rest + np.sum(table.most * missed, axis=0)
        else:
            most = np.minimum(table.most, 1.0 / replicas)
            value = np.minimum(rest, 0.0) + np.sum(most * missed, axis=0)
        best = np.maximum(best, value)
    if links:
        # Of a deployment in the program, what is missed is what the program's own prices miss.
        rooms = np.where(known, prices.room, rooms)
    paid = rooms[0] * table.memory + rooms[1] * table.compute
    reduced = np.where(allowed, paid - gain, np.inf)
    pairs = np.minimum(best, 0.0)
    if len(pairs):
        pairs = np.minimum.reduceat(pairs, np.flatnonzero(np.diff(table.pair, prepend=-1)))
    limited = np.isfinite(data.tier_limit)
    bound = (
        np.sum(prices.served)
        + np.sum(table.unmet_cap * np.minimum(table.unmet_usd - prices.served, 0.0))
        - np.sum(prices.limit)
        - prices.spent * data.budget_usd
        - prices.storage * data.storage_gb
        - np.sum(prices.gpu[limited] * data.tier_limit[limited])
        + replicas * np.sum(pairs)
    )
    return Priced(float(bound), reduced, best)


def _without_rooms(table: RoutingTable, cuts: list[Cut], prices: Prices) -> np.ndarray:
    """Reduced cost [I, C] of whole types, rooms not paid yet."""
    reduced = (
        table.usd
        + np.einsum("pi,pic->ic", prices.limit, table.level)
        + prices.spent * table.data_usd
        + prices.storage * table.route_gb
        - prices.served[:, None]
    )
    place = np.array([cut.place for cut in cuts], np.int64)
    types = np.array([cut.type for cut in cuts], np.int64)
    # The xi of a worst case must be a mean of those of its cuts: no more than it costs in all.
    total, most = np.zeros((2, len(prices.served))), prices.limit.copy()
    np.add.at(total, (place, types), prices.cuts)
    most[0] += table.limit_usd
    scale = np.minimum(1.0, np.divide(most, total, out=np.ones_like(most), where=total > most))
    for cut, usd in zip(cuts, prices.cuts, strict=True):
        if usd > 0.0:
            usd = usd * scale[cut.place, cut.type]
            reduced[cut.type] += usd * cut.xi * table.risk[cut.place, cut.type]
    return reduced


def _covering_rooms(
    table: RoutingTable, gain: np.ndarray, paid: np.ndarray, room: np.ndarray
) -> np.ndarray:
    """Split paid [C] into prices of memory and compute that cover every gain, if any split does.

    With the part theta for memory a route asks for theta paid (m - g) >= gain - paid g: an interval
    of theta for each deployment. Taken is the part in room [2, C] when there is one, moved into the
    interval; the middle otherwise.
    """
    slope = paid * (table.memory - table.compute)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = (gain - paid * table.compute) / slope
        given = room[0] / room.sum(axis=0)
    wanted = gain > 0.0
    low = np.max(np.where(wanted & (slope > 0.0), at, 0.0), axis=0, initial=0.0)
    high = np.min(np.where(wanted & (slope < 0.0), at, 1.0), axis=0, initial=1.0)
    theta = np.where(np.isnan(given), (low + high) / 2.0, given)
    theta = np.clip(np.where(low <= high, np.clip(theta, low, high), theta), 0.0, 1.0)
    return np.stack([theta * paid, (1.0 - theta) * paid])


_SPLITS = (0.0, 0.25, 0.5, 0.75, 1.0)


def _dearest_rooms(table: RoutingTable, gain: np.ndarray, replica: np.ndarray) -> np.ndarray:
    r"""Prices s, t [2, C] of rooms that make s + t + sum most (gain - s m - t g)_+ small.

    For s : t as theta : 1 - theta that is the dual of a continuous knapsack with the weights
    theta m + (1 - theta) g: the price is the gain a weight of the item that does not fit. Exact for
    the best theta of a few.
    """
    prices = np.zeros((2, len(replica)))
    whole = np.sum(table.most * np.maximum(gain, 0.0), axis=0)
    c = np.flatnonzero(whole > replica)  # elsewhere prices of 0 show that no replica pays
    if not len(c):
        return prices
    most, memory, compute = table.most[:, c], table.memory[:, c], table.compute[:, c]
    wanted, least = np.maximum(gain[:, c], 0.0), whole[c]
    for theta in _SPLITS:
        weight = theta * memory + (1.0 - theta) * compute
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(wanted > 0.0, wanted / weight, 0.0)
        order = np.argsort(-ratio, axis=0)
        filled = np.cumsum(np.take_along_axis(most * weight, order, axis=0), axis=0)
        full = filled[-1] > 1.0
        critical = np.argmax(filled > 1.0, axis=0)
        item = np.take_along_axis(order, critical[None], axis=0)
        price = np.where(full, np.take_along_axis(ratio, item, axis=0)[0], 0.0)
        value = price + np.sum(most * np.maximum(wanted - price * weight, 0.0), axis=0)
        better = value < least
        least = np.where(better, value, least)
        prices[0, c] = np.where(better, theta * price, prices[0, c])
        prices[1, c] = np.where(better, (1.0 - theta) * price, prices[1, c])
    return prices
