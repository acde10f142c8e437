import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.families.open_rastrigin import open_rastrigin
from lpo.l2o.family import gradient, sample_problems
from tests.quick import jit

FAMILY = open_rastrigin(2)


def test_objective_and_gradient_by_hand():
    problem = FAMILY.sample(jax.random.key(0))
    A, b, c = (np.asarray(leaf, float) for leaf in problem)
    x = np.array([0.3, -1.2])
    expected = 0.5 * np.sum((A @ x - b) ** 2) - 10.0 * c @ np.cos(2 * np.pi * x) + 20.0
    slope = A.T @ (A @ x - b) + 20.0 * np.pi * c * np.sin(2 * np.pi * x)
    np.testing.assert_allclose(FAMILY.objective(jnp.asarray(x), problem), expected, rtol=1e-5)
    np.testing.assert_allclose(gradient(FAMILY, jnp.asarray(x), problem), slope, rtol=1e-4)


def test_parameters_are_standard_normal():
    problems = jit(lambda: sample_problems(FAMILY, jax.random.key(1), 3000))()
    for leaf in problems:
        assert abs(float(leaf.mean())) < 0.06 and abs(float(leaf.std()) - 1.0) < 0.04
    assert problems.A.shape == (3000, 2, 2) and problems.b.shape == (3000, 2)
    told = jax.vmap(FAMILY.features)(problems)
    assert told.shape == (3000, 8)
    np.testing.assert_array_equal(told[:, 4:6], problems.b)


def test_labels_against_a_grid():
    problems = sample_problems(FAMILY, jax.random.key(2), 24)
    labels = FAMILY.solve(problems)
    axis = jnp.linspace(-4.0, 4.0, 321)
    grid = jnp.stack(jnp.meshgrid(axis, axis), -1).reshape(-1, 2)
    lowest = jit(jax.vmap(lambda p: jax.vmap(FAMILY.objective, (0, None))(grid, p).min()))(problems)
    above = np.asarray(labels.value - lowest)
    # a grid of 0.025 misses minima by up to 40 pi^2 |c| (0.0125)^2 / 2 a coordinate
    assert (above < 0.3).mean() >= 0.85
    value = jit(jax.vmap(FAMILY.objective))(labels.x, problems)
    np.testing.assert_allclose(labels.value, value, rtol=1e-4, atol=1e-3)
    slopes = jit(jax.vmap(lambda x, p: gradient(FAMILY, x, p)))(labels.x, problems)
    assert np.median(np.abs(slopes)) < 0.05  # local minima


def test_bad_sizes_are_refused():
    with pytest.raises(InputError, match="`dimension`"):
        open_rastrigin(0)
    with pytest.raises(InputError, match="`starts`"):
        open_rastrigin(2, starts=1)
