"""Gaps at equal work, by hand."""

import jax.numpy as jnp
import numpy as np

from lpo.l2o.measures import evaluations_to, gap_at, gaps


def test_gaps_are_relative_to_the_least_or_to_the_scale():
    found = gaps(jnp.asarray([[3.0, 2.0], [0.5, 0.0]]), jnp.asarray([2.0, 0.0]), 0.25)
    np.testing.assert_allclose(found, [[0.5, 0.0], [2.0, 0.0]])


def test_work_to_a_gap_and_gap_at_a_work():
    gap = jnp.asarray([[1.0, 0.1, 1e-4], [1.0, 0.5, 0.2], [1e-3, 1.0, 1.0]])
    calls = jnp.asarray([[0, 4, 8], [0, 4, 8], [16, 20, 24]])
    np.testing.assert_array_equal(evaluations_to(gap, calls, 1e-3), [8, np.inf, 16])
    np.testing.assert_allclose(gap_at(gap, calls, 5), [0.1, 0.5, np.nan], rtol=1e-6)
    np.testing.assert_allclose(gap_at(gap, calls, 16), [1e-4, 0.2, 1e-3], rtol=1e-6)
