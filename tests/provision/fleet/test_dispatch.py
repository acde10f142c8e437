"""The second stage against the linear program that defines it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from lpo.provision.fleet import dispatch, make_fleet


def random_fleet(rng, K):
    # Energy prices above the price of an unserved token are among them.
    return make_fleet(
        rng.uniform(5, 20, K), rng.uniform(0.5, 2.5, K), rng.uniform(0, 3, K), 0.5, 2.0
    )


def least_cost(fleet, n, demand):
    """One slot by HiGHS: min energy q + unserved u."""
    K = len(n)
    solved = linprog(
        [*fleet.energy, float(fleet.unserved)],
        A_eq=np.ones((1, K + 1)),
        b_eq=[demand],
        bounds=[*((0, most) for most in fleet.capacity * n), (0, None)],
    )
    return solved.fun


def test_merit_order_costs_what_the_linear_program_does_and_is_feasible():
    rng = np.random.default_rng(0)
    for _ in range(25):
        fleet, n = random_fleet(rng, 4), rng.integers(0, 4, (3, 4)).astype(float)
        demand = rng.uniform(0, 150, 3) * (rng.random(3) > 0.2)
        q, u = dispatch(fleet, n, demand)
        assert (q >= 0).all() and (q <= fleet.capacity * n + 1e-12).all() and (u >= 0).all()
        np.testing.assert_allclose(q.sum(axis=-1) + u, demand, atol=1e-10)
        cost = (q * fleet.energy).sum(axis=-1) + fleet.unserved * u
        expected = [least_cost(fleet, *slot) for slot in zip(n, demand, strict=True)]
        np.testing.assert_allclose(cost, expected, atol=1e-8)


def test_cheap_configurations_fill_first_and_dear_ones_stay_idle():
    fleet = make_fleet([10.0, 10.0, 10.0], 1.0, [0.3, 0.1, 5.0], 0.0, 2.0)
    q, u = dispatch(fleet, np.ones((1, 3)), np.array([25.0]))
    np.testing.assert_allclose(q, [[10.0, 10.0, 0.0]])
    np.testing.assert_allclose(u, [5.0])
    q, u = dispatch(fleet, np.ones((1, 3)), np.array([13.0]))
    np.testing.assert_allclose(q, [[3.0, 10.0, 0.0]])
    np.testing.assert_allclose(u, [0.0])


def test_leading_axes_broadcast():
    rng = np.random.default_rng(1)
    fleet = random_fleet(rng, 3)
    n, demand = rng.uniform(0, 3, (2, 1, 4, 3)), rng.uniform(0, 60, (5, 4))
    served, unserved = dispatch(fleet, n, demand)
    assert served.shape == (2, 5, 4, 3) and unserved.shape == (2, 5, 4)
    one = dispatch(fleet, n[1, 0], demand[3])
    np.testing.assert_array_equal(served[1, 3], one.served)
    np.testing.assert_array_equal(unserved[1, 3], one.unserved)


@pytest.mark.parametrize("demand", [7.0, 31.0, 90.0])
def test_gradient_is_the_marginal_price(demand):
    # d cost / d demand: the energy price of the configuration that serves the last token.
    fleet = make_fleet([10.0, 10.0, 20.0], 1.0, [0.3, 0.1, 0.7], 0.0, 2.0)

    def cost(n, d):
        q, u = dispatch(fleet, n, d)
        return jnp.sum(q * fleet.energy) + fleet.unserved * jnp.sum(u)

    by_n, by_demand = jax.grad(cost, (0, 1))(jnp.ones((1, 3)), jnp.array([demand]))
    price = {7.0: 0.1, 31.0: 0.7, 90.0: 2.0}[demand]
    np.testing.assert_allclose(by_demand, [price], rtol=1e-6)
    # One more replica replaces the tokens at the margin, where it is cheaper.
    saved = np.minimum(fleet.energy - price, 0.0) * fleet.capacity
    np.testing.assert_allclose(by_n[0], saved, atol=1e-5)
