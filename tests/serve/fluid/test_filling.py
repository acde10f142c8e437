"""Divisions of a flow against root finding and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from lpo.serve.fluid.filling import in_order, in_proportion, water_fill


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def test_the_level_is_that_of_a_root_finder():
    rng, I = np.random.default_rng(0), 5
    for _ in range(30):
        start, most = rng.normal(0.0, 10.0, I), rng.exponential(2.0, I)
        slope = rng.exponential(1.0, I) * (rng.random(I) < 0.8)
        most[rng.random(I) < 0.2] = 0.0
        can = np.where(slope > 0.0, most, 0.0)

        def at(level, start=start, slope=slope, can=can):
            return np.clip(start + slope * level, 0.0, can)

        total = rng.uniform(0.0, 1.0) * can.sum()
        level = brentq(lambda l, at=at, total=total: at(l).sum() - total, -1e6, 1e6, xtol=1e-10)
        three = [jnp.asarray(each) for each in (start, slope, most)]
        np.testing.assert_allclose(
            water_fill(*three, total=jnp.asarray(total)), at(level), atol=1e-6
        )
        np.testing.assert_allclose(
            water_fill(*three, total=jnp.asarray(2.0 * can.sum() + 1.0)), can
        )
        np.testing.assert_allclose(water_fill(*three, total=jnp.asarray(0.0)), 0.0, atol=1e-12)


def test_in_proportion():
    asks = jnp.array([1.0, 3.0])
    np.testing.assert_allclose(in_proportion(asks, jnp.asarray(2.0)), [0.5, 1.5])
    np.testing.assert_allclose(in_proportion(asks, jnp.asarray(9.0)), asks)
    np.testing.assert_allclose(in_proportion(asks, jnp.asarray(-1e-9)), 0.0)
    np.testing.assert_allclose(in_proportion(0.0 * asks, jnp.asarray(2.0)), 0.0)


def test_in_order():
    asks, order = jnp.array([1.0, 3.0, 2.0, 1.0]), jnp.array([0.5, 2.0, 0.5, 1.0])
    np.testing.assert_allclose(in_order(asks, jnp.asarray(4.5), order), [0.5, 3.0, 0.0, 1.0])
    np.testing.assert_allclose(in_order(asks, jnp.asarray(99.0), order), asks)
