"""Cost of a fleet against a slow loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.provision.fleet import dispatch, dispatch_services, fleet_cost, make_fleet

FLEET = make_fleet(
    [10.0, 6.0], [1.0, 0.8], [0.05, 0.02], [0.5, 0.3], 2.0, initial=[1.0, 0.0], gpus=[4.0, 1.0]
)


def slow_cost(fleet, n, demand):
    q, u = dispatch(fleet, n, demand)
    rent = energy = startup = unserved = gpus = 0.0
    for t in range(len(demand)):
        for k in range(2):
            before = fleet.initial[k] if t == 0 else n[t - 1, k]
            rent += fleet.price[k] * n[t, k]
            energy += fleet.energy[k] * q[t, k]
            startup += fleet.startup[k] * max(n[t, k] - before, 0.0)
            gpus += fleet.gpus[k] * n[t, k] / len(demand)
        unserved += fleet.unserved * u[t]
    total = rent + energy + startup + unserved
    return rent, energy, startup, unserved, total, u.sum() / demand.sum(), gpus


def test_cost_is_the_slow_loop():
    rng = np.random.default_rng(0)
    n, demand = rng.integers(0, 5, (3, 4, 2)), rng.uniform(0, 60, (3, 4))
    cost = fleet_cost(FLEET, n, demand)
    for b in range(3):
        np.testing.assert_allclose([x[b] for x in cost], slow_cost(FLEET, n[b], demand[b]))


def test_one_fleet_at_several_demands_and_no_demand():
    demand = np.array([[5.0, 8.0], [0.0, 0.0], [90.0, 1.0]])
    cost = fleet_cost(FLEET, np.array([[1.0, 0.0], [1.0, 1.0]]), demand)
    assert all(field.shape == (3,) for field in cost)
    np.testing.assert_allclose(cost.rent, 2.8)
    np.testing.assert_allclose(cost.startup, 0.3)
    np.testing.assert_allclose(cost.unserved_share, [0.0, 0.0, 80.0 / 91.0])
    np.testing.assert_allclose(cost.gpus, 4.5)


def test_start_ups_count_from_the_initial_fleet_of_each_row():
    n = np.ones((2, 1, 2))
    carried = FLEET._replace(initial=np.array([[[0.0, 1.0]], [[2.0, 2.0]]]))
    np.testing.assert_allclose(fleet_cost(carried, n, np.ones((2, 1))).startup, [0.5, 0.0])


def test_jax_agrees_and_is_differentiable():
    n, demand = jnp.array([[1.0, 0.5], [2.0, 0.0]]), jnp.array([12.0, 30.0])
    expected = fleet_cost(FLEET, np.asarray(n), np.asarray(demand)).total
    np.testing.assert_allclose(fleet_cost(FLEET, n, demand).total, expected, rtol=1e-6)
    slope = jax.grad(lambda d: fleet_cost(FLEET, n, d).total)(demand)
    np.testing.assert_allclose(slope, [0.05, 2.0], rtol=1e-6)  # merit order; all replicas busy


def test_services_add_up():
    fleet = FLEET._replace(
        capacity=np.array([[10.0, 6.0], [5.0, 0.0]]),
        energy=np.array([[0.05, 0.02], [0.1, 0.0]]),
        unserved=np.array([2.0, 4.0]),
    )
    n, demand = np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([[4.0, 10.0], [5.0, 20.0]])
    # Slot 0: service 0 on configuration 1, service 1 on configuration 0. Slot 1: two replicas of
    # configuration 0 earn 40 a slot from service 1 and 20 from service 0.
    second = dispatch_services(fleet, n, demand)
    cost = fleet_cost(fleet, n, demand, dispatched=second)
    np.testing.assert_allclose(cost.energy, 4 * 0.02 + 5 * 0.1 + 10 * 0.1)
    np.testing.assert_allclose(cost.unserved, 10 * 2.0 + 10 * 4.0)
    np.testing.assert_allclose(cost.total, cost.rent + cost.startup + cost.energy + cost.unserved)
    np.testing.assert_allclose(cost.unserved_share, 20.0 / 39.0)
    with pytest.raises(TypeError, match="dispatch_services"):
        fleet_cost(fleet, n, demand)
