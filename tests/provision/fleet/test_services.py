"""The shared second stage against a grid of splits and the merit order."""

import itertools

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.provision.fleet import dispatch, dispatch_services, make_fleet


def feasible(fleet, n, demand, q, u):
    np.testing.assert_allclose(q.sum(axis=-1) + u, demand, atol=1e-7)
    busy = np.divide(q, fleet.capacity[:, None], out=np.zeros_like(q), where=q > 0)
    assert (q >= -1e-9).all() and (u >= -1e-9).all()
    assert (busy.sum(axis=0) <= n + 1e-7).all()


def test_two_services_cost_no_more_than_any_split_of_the_time():
    rng = np.random.default_rng(0)
    fleet = make_fleet(
        [[10.0, 6.0], [4.0, 9.0]], 1.0, [[0.3, 0.1], [0.2, 0.6]], 0.0, unserved=[2.0, 1.5]
    )
    split = np.linspace(0, 1, 41)
    for _ in range(5):
        n, demand = rng.uniform(0.5, 2.5, (1, 2)), rng.uniform(2, 20, (2, 1))
        q, u = dispatch_services(fleet, n, demand)
        feasible(fleet, n, demand, q, u)
        cost = (q * fleet.energy[:, None]).sum() + (u[:, 0] * fleet.unserved).sum()
        best = np.inf
        # Given each configuration's split, the services are separate merit orders.
        for a, b in itertools.product(split, split):
            total = 0.0
            for i, share in enumerate((np.array([a, b]), np.array([1 - a, 1 - b]))):
                one = fleet._replace(
                    capacity=fleet.capacity[i], energy=fleet.energy[i], unserved=fleet.unserved[i]
                )
                served, lost = dispatch(one, n * share, demand[i])
                total += (served * one.energy).sum() + one.unserved * lost.sum()
            best = min(best, total)
        assert cost <= best + 1e-9
        assert best - cost <= 2.0 * 10 * 2.5 / 40  # a grid step of both splits


def test_one_service_is_the_merit_order_over_leading_axes_and_large_units():
    rng = np.random.default_rng(1)
    fleet = make_fleet(rng.uniform(1e8, 4e8, 3), 1.0, rng.uniform(1e-9, 9e-9, 3), 0.0, 5e-9)
    with_axis = fleet._replace(
        capacity=fleet.capacity[None], energy=fleet.energy[None], unserved=fleet.unserved[None]
    )
    n, demand = rng.uniform(0, 3, (2, 1, 4, 3)), rng.uniform(0, 2e9, (5, 4))
    expected = dispatch(fleet, n, demand)
    q, u = dispatch_services(with_axis, n, demand[:, None, :])
    assert q.shape == (2, 5, 1, 4, 3) and u.shape == (2, 5, 1, 4)
    np.testing.assert_allclose(q[:, :, 0], expected.served, atol=10.0)
    np.testing.assert_allclose(u[:, :, 0], expected.unserved, atol=10.0)


def test_no_demand_and_no_replicas():
    fleet = make_fleet([[1.0, 0.0], [2.0, 3.0]], 1.0, 0.1, 0.0, 1.0)
    q, u = dispatch_services(fleet, np.zeros((2, 2)), np.array([[0.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(q, 0.0)
    np.testing.assert_allclose(u, [[0.0, 4.0], [0.0, 0.0]])


def test_shapes_and_signs_are_checked():
    fleet = make_fleet([[1.0, 0.0], [2.0, 3.0]], 1.0, 0.1, 0.0, 1.0)
    with pytest.raises(InputError, match="slots"):
        dispatch_services(fleet, np.ones((2, 2)), np.ones((3, 2)))
    with pytest.raises(InputError, match="`demand` must be finite"):
        dispatch_services(fleet, np.ones((2, 2)), -np.ones((2, 2)))
    with pytest.raises(InputError, match="axis of services"):
        dispatch_services(make_fleet([1.0], 1.0, 0.1, 0.0, 1.0), np.ones((2, 1)), np.ones((1, 2)))
