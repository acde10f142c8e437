"""Rounded fleets: against simple roundings, and the search against every sequence of changes."""

import itertools

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.provision.fleet import rounding
from lpo.provision.fleet.cost import fleet_cost
from lpo.provision.fleet.parameters import Fleet, make_fleet
from lpo.provision.fleet.rounding import round_fleet


def random_fleet(rng, K: int, **fields) -> Fleet:
    capacity = rng.uniform(2.0, 12.0, K)
    price = capacity * rng.uniform(0.08, 0.12, K)
    given = {"initial": rng.integers(0, 3, K), **fields}
    return make_fleet(
        capacity, price, rng.uniform(0.0, 0.05, K), price * rng.uniform(0, 3, K), 1.5, **given
    )


def test_never_dearer_than_rounding_down_up_or_to_the_nearest():
    rng = np.random.default_rng(0)
    limit = np.array([4.0, np.inf, 2.5])
    fleet = random_fleet(rng, 3, limit=limit, initial=[1, 0, 2])
    demand = rng.uniform(0, 60, (2, 5, 6))
    n = rng.uniform(0, 5, (5, 6, 3))
    initial = rng.integers(0, 3, (5, 3)).astype(float)
    whole = round_fleet(fleet, n, demand, initial=initial)
    assert whole.shape == (2, 5, 6, 3)
    np.testing.assert_array_equal(whole, np.rint(whole))
    assert (whole >= 0).all() and (whole <= limit).all()

    carried = fleet._replace(initial=initial[:, None, :])
    cost = fleet_cost(carried, whole, demand).total
    simple = [
        fleet_cost(carried, np.minimum(f(n), np.floor(limit)), demand).total
        for f in (np.floor, np.rint, np.ceil)
    ]
    assert (cost <= np.min(simple, axis=0) + 1e-12).all()
    assert (cost < np.min(simple, axis=0) - 1e-6).any()
    without = round_fleet(fleet, n, demand, initial=initial, sweeps=0)
    np.testing.assert_allclose(fleet_cost(carried, without, demand).total, np.min(simple, axis=0))
    one = round_fleet(fleet._replace(initial=initial[3]), n[3], demand[1, 3])
    np.testing.assert_array_equal(one, whole[1, 3])  # rows do not depend on one another


def test_a_search_takes_the_best_of_all_sequences_of_changes():
    rng = np.random.default_rng(1)
    changes = rounding._changes(2)
    assert len(changes) == 1 + 2 + 2 + 2
    for _ in range(5):
        fleet = random_fleet(rng, 2, limit=[3, np.inf])
        n, demand = rng.integers(0, 4, (3, 2)).astype(float), rng.uniform(0, 40, 3)

        def cost(fleet_n, fleet=fleet, demand=demand):
            return float(fleet_cost(fleet, fleet_n, demand).total)

        choices = [n + changes[list(path)] for path in itertools.product(range(7), repeat=3)]
        best = min(cost(x) for x in choices if (x >= 0).all() and (x <= fleet.limit).all())
        path, gain = rounding._best_path(fleet, n, demand, changes)
        assert gain == pytest.approx(cost(n) - best, abs=1e-12)
        assert cost(n + changes[path]) == pytest.approx(best, abs=1e-12)


def test_whole_fleets_that_are_optimal_stay():
    fleet = make_fleet([10.0], [1.0], [0.01], [5.0], 2.0)
    # Two replicas serve the peaks; stopping one in between would cost 5 to save 1.
    demand = np.array([20.0, 10.0, 20.0])
    n = np.full((3, 1), 2.0)
    np.testing.assert_array_equal(round_fleet(fleet, n + 1e-9, demand), n)
    np.testing.assert_array_equal(round_fleet(fleet, demand[:, None] / 10.0, demand), n)


@pytest.mark.parametrize(
    ("n", "demand", "initial"),
    [
        (np.ones((4, 3)), np.ones(4), None),
        (np.ones((4, 2)), np.ones(3), None),
        (np.ones((5, 4, 2)), np.ones((3, 4)), None),
        (np.ones((4, 2)), np.ones(4), np.ones(3)),
        (np.full((4, 2), np.nan), np.ones(4), None),
        (np.ones((4, 2)), -np.ones(4), None),
    ],
)
def test_bad_input_is_refused(n, demand, initial):
    fleet = make_fleet([10.0, 5.0], 1.0, 0.01, 5.0, 2.0)
    with pytest.raises(InputError):
        round_fleet(fleet, n, demand, initial=initial)
