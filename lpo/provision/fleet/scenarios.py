"""Cost of a fleet when one of several demands comes true: expectation and conditional tail."""

import numpy as np

from lpo.provision.arrays import Array, namespace
from lpo.provision.fleet.cost import fleet_cost
from lpo.provision.fleet.parameters import Fleet


def conditional_value_at_risk(costs: Array, probabilities: Array, level: float) -> Array:
    """Return the mean of the worst 1 - `level` of the outcomes, [...].

    costs: [..., S], probabilities: [S] with sum 1, level in [0, 1). Outcomes are sorted from the
    worst on and count until their probability is used up; the last one counts in part. This is the
    minimum over a of a + E[(cost - a)_+] / (1 - level) of Rockafellar and Uryasev (2000), which
    `fleet_program` minimises together with the fleet. NumPy, or JAX and then differentiable.
    """
    xp = namespace(costs)
    order = xp.argsort(-costs, axis=-1)
    mass = xp.broadcast_to(xp.asarray(probabilities), costs.shape)
    mass = xp.take_along_axis(mass, order, axis=-1)
    before = xp.cumsum(mass, axis=-1) - mass
    counted = xp.minimum(xp.maximum(1.0 - level - before, 0.0), mass)
    worst = xp.take_along_axis(costs, order, axis=-1)
    return xp.sum(worst * counted, axis=-1) / xp.sum(counted, axis=-1)


def scenario_cost(
    fleet: Fleet,
    n: Array,
    scenarios: Array,
    *,
    probabilities: Array | None = None,
    cvar_weight: float = 0.0,
    cvar_level: float = 0.9,
) -> Array:
    """Return what `fleet_program` minimises, without ridges, for the fleet `n` of one service.

    n: [..., H, K] replicas, scenarios: [..., S, H] tokens, of equal probability unless
    `probabilities` [S] says otherwise. Returns [...] dollars: rent and start-ups, plus
    (1 - w) E[second stage] + w CVaR of the second stage at `cvar_level`, w = `cvar_weight`.
    """
    count = scenarios.shape[-2]
    chance = np.full(count, 1.0 / count) if probabilities is None else probabilities
    cost = fleet_cost(fleet, n[..., None, :, :], scenarios)
    second = cost.energy + cost.unserved
    first = cost.rent[..., 0] + cost.startup[..., 0]
    mean = (second * chance).sum(axis=-1)
    tail = conditional_value_at_risk(second, chance, cvar_level)
    return first + (1.0 - cvar_weight) * mean + cvar_weight * tail
