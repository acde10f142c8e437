"""Replaced configurations: what replaces them costs no more, whatever the fleet."""

import numpy as np

from lpo.provision.fleet.cost import fleet_cost
from lpo.provision.fleet.dominance import replace, replacements
from lpo.provision.fleet.parameters import Fleet, make_fleet


def random_fleet(rng, K: int, **fields) -> Fleet:
    """Comparable prices of a token, so that several configurations are of use."""
    capacity = rng.uniform(2.0, 12.0, K)
    price = capacity * rng.uniform(0.08, 0.13, K)
    given = {"initial": rng.integers(0, 3, K), **fields}
    return make_fleet(
        capacity, price, rng.uniform(0.0, 0.02, K), price * rng.uniform(0, 3, K), 1.5, **given
    )


def dominated_fleet(rng, limit=np.inf) -> Fleet:
    """Two configurations of use, one worse than one of them, one worse than a mixture."""
    fleet = random_fleet(rng, 2)
    capacity, price, energy, startup = fleet[:4]
    sums = [float(x.sum()) for x in (capacity, price, startup)]
    return make_fleet(
        [*capacity, 0.9 * capacity[0], 0.95 * sums[0]],
        [*price, 1.1 * price[0], 1.2 * sums[1]],
        [*energy, energy[0], energy.max()],
        # The last starts for less than the mixture, and loses that in its first slot.
        [*startup, startup[0], max(sums[2] - 0.1 * sums[1], 0.0)],
        1.5,
        initial=rng.integers(0, 3, 4),
        limit=limit,
    )


def test_replaced_fleets_cost_no_more_and_start_nothing_dominated():
    rng = np.random.default_rng(4)
    for _ in range(200):
        fleet, demand = dominated_fleet(rng), rng.uniform(0, 30, 5)
        instead = replacements(fleet)
        n = rng.integers(0, 4, (5, 4)).astype(float)
        changed = replace(fleet, n)
        cost, before = (fleet_cost(fleet, x, demand).total for x in (changed, n))
        assert cost <= before + 1e-9
        path = np.vstack([fleet.initial, changed])[:, list(instead)]
        assert (np.diff(path, axis=0) <= 0).all()
        assert all(m[list(instead)].sum() == 0 for m in instead.values())


def test_what_cannot_be_replaced_is_not():
    pair = make_fleet([10.0, 10.0], [1.0, 1.0], 0.01, 0.5, 2.0)
    assert len(replacements(pair)) == 1  # equal: one of them, not both
    assert replacements(pair._replace(limit=np.array([3.0, 3.0]))) == {}
    energy = pair._replace(energy=np.array([0.01, 0.02]), price=np.array([1.05, 1.0]))
    assert replacements(energy) == {}  # 10 x .01 of energy outweighs .05 of rent
    started = pair._replace(startup=np.array([0.5, 0.1]), price=np.array([1.0, 1.05]))
    assert replacements(started) == {}  # dearer to run, cheaper to start for one slot
    part = pair._replace(initial=np.array([0.5, 0.5]))
    assert replacements(part) == {}
