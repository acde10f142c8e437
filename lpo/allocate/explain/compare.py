"""What changed between two plans of one instance, in words. docs/allocate_explain.md."""

from typing import NamedTuple

import numpy as np

from lpo.allocate.allocation import Allocation, gpus
from lpo.allocate.instance import Instance
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.allocate.validate.cost import Cost, cost, objective
from lpo.allocate.validate.performance import USED, check_shapes

DROPPED = "dropped"
"""Where a share of a query type is that no model serves."""


class Deployed(NamedTuple):
    """A model on a tier that was added, removed or resized (another degree or more replicas).

    before, after: such as "TP 4", "2 x TP 4" for two replicas, "none". gpus: more of them, or
    fewer. rental_usd: more rent over the rental period. words: all of it.
    """

    change: str
    model: str
    tier: str
    before: str
    after: str
    gpus: int
    rental_usd: float
    words: str


class Moved(NamedTuple):
    """A share of a query type, and queries an hour, that left one model and tier for another.

    One of the two may be "dropped". A change of degree moves nothing.
    """

    query_type: str
    share: float
    queries_per_hour: float
    from_: str
    to: str
    words: str


class CostChange(NamedTuple):
    """A part of the cost in both plans, $; "objective" is what the profile minimises."""

    part: str
    before: float
    after: float
    change: float


class Changes(NamedTuple):
    """All of it: () where nothing changed, but costs are all there."""

    deployments: tuple[Deployed, ...]
    routes: tuple[Moved, ...]
    costs: tuple[CostChange, ...]


def changes(
    instance: Instance,
    before: Allocation,
    after: Allocation,
    options: Options,
    uncertainty: Uncertainty,
) -> Changes:
    """Return what `after` does otherwise than `before`, both under the numbers of `instance`.

    before: also a plan that was made for other prices, demand or limits, as long as query types,
    models, tiers and degrees are the same (`read_solution`); what it costs is what it would cost
    now. Shares are matched from the largest loss to the largest gain of a query
    type, which needs the fewest words; who went where cannot be known.
    Raises InputError on plans of other shapes than the instance's.
    """
    for plan in (before, after):
        check_shapes(instance, plan)
    return Changes(
        _deployments(instance, before, after),
        _routes(instance, before, after),
        _costs(
            cost(instance, before, options, uncertainty),
            cost(instance, after, options, uncertainty),
            options,
        ),
    )


def _deployments(instance: Instance, before: Allocation, after: Allocation) -> tuple[Deployed, ...]:
    taken = [gpus(plan, instance.tensor_parallel).sum(axis=-1) for plan in (before, after)]
    hours = float(instance.data.rental_hours)
    found = []
    differs = np.any(before.replicas != after.replicas, axis=-1)
    for j, k in np.argwhere(differs):
        old, new = (_size(plan.replicas[j, k], instance) for plan in (before, after))
        change = "added" if old == _NONE else "removed" if new == _NONE else "resized"
        more = int(taken[1][j, k] - taken[0][j, k])
        rent = hours * more * float(instance.data.price_usd_per_hour[k])
        what = {"added": new, "removed": f"was {old}", "resized": f"{old} -> {new}"}[change]
        model, tier = instance.models[j], instance.tiers[k]
        sign = "-" if rent < 0 else "+"
        words = f"{change} {model} on {tier}: {what} ({more:+d} GPUs, {sign}${abs(rent):.2f})"
        found.append(Deployed(change, model, tier, old, new, more, rent, words))
    order = {"added": 0, "resized": 1, "removed": 2}
    return tuple(sorted(found, key=lambda each: (order[each.change], -abs(each.rental_usd))))


_NONE = "none"


def _size(replicas: np.ndarray, instance: Instance) -> str:
    parts = [
        f"TP {degree}" if count == 1 else f"{int(count)} x TP {degree}"
        for count, degree in zip(replicas, instance.tensor_parallel, strict=True)
        if count
    ]
    return " and ".join(parts) or _NONE


def _routes(instance: Instance, before: Allocation, after: Allocation) -> tuple[Moved, ...]:
    found = []
    for i, name in enumerate(instance.query_types):
        served = [np.append(p.share[i].sum(axis=-1).ravel(), p.unmet[i]) for p in (before, after)]
        gain = served[1] - served[0]
        losers = [int(at) for at in np.argsort(gain, kind="stable") if gain[at] < -USED]
        winners = [int(at) for at in np.argsort(-gain, kind="stable") if gain[at] > USED]
        left = gain.copy()
        while losers and winners:
            a, b = losers[0], winners[0]
            share = float(min(-left[a], left[b]))
            left[a] += share
            left[b] -= share
            if left[a] >= -USED:
                losers.pop(0)
            if left[b] <= USED:
                winners.pop(0)
            queries = share * float(instance.data.arrivals_per_hour[i])
            places = _place(instance, a), _place(instance, b)
            words = f"{name}: {100 * share:.3g} % from {places[0]} to {places[1]}"
            found.append(Moved(name, share, queries, *places, words))
    return tuple(found)


def _place(instance: Instance, at: int) -> str:
    _, J, K, _ = instance.shape
    if at == J * K:
        return DROPPED
    return f"{instance.models[at // K]} on {instance.tiers[at % K]}"


def _costs(before: Cost, after: Cost, options: Options) -> tuple[CostChange, ...]:
    totals = objective(before, options), objective(after, options)
    parts = [*zip(Cost._fields, before, after, strict=True), ("objective", *totals)]
    return tuple(CostChange(part, old, new, new - old) for part, old, new in parts)
