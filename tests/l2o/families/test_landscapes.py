"""Rastrigin and Ackley against NumPy; where their minima are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.families.landscapes import Shifted, ackley, rastrigin
from lpo.l2o.family import gradient, sample_problems


@pytest.mark.parametrize("d", [1, 2, 5])
def test_values_are_those_of_the_formulas(d):
    rng = np.random.default_rng(d)
    x, shift = rng.uniform(-3, 3, (2, d))
    u = x - shift
    first = (u**2 - 10 * np.cos(2 * np.pi * u) + 10).sum()
    second = (
        -20 * np.exp(-0.2 * np.sqrt((u**2).mean()))
        - np.exp(np.cos(2 * np.pi * u).mean())
        + 20
        + np.e
    )
    for family, expected in ((rastrigin(d), first), (ackley(d), second)):
        found = family.objective(jnp.asarray(x), Shifted(jnp.asarray(shift)))
        assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("make", [rastrigin, ackley])
def test_labels_are_minima(make):
    family = make(3)
    problems = sample_problems(family, jax.random.key(0), 50)
    labels = family.solve(problems)
    values = jax.vmap(family.objective)(labels.x, problems)
    np.testing.assert_allclose(values, labels.value, atol=1e-5)
    slope = jax.vmap(lambda x, problem: gradient(family, x, problem))(labels.x, problems)
    np.testing.assert_allclose(slope, 0.0, atol=1e-3)
    assert (np.abs(labels.x) <= 2.0).all() and np.ptp(labels.x) > 3.0
    far = labels.x + 0.3 * jax.random.normal(jax.random.key(1), labels.x.shape)
    assert (jax.vmap(family.objective)(far, problems) > values).all()


def test_gradients_are_differences():
    with jax.enable_x64(True):
        for family in (rastrigin(3), ackley(3)):
            problem = family.sample(jax.random.key(1))
            x = jnp.asarray([0.3, -1.0, 0.7])
            step = 1e-6 * np.eye(3)
            found = [
                (family.objective(x + e, problem) - family.objective(x - e, problem)) / 2e-6
                for e in step
            ]
            np.testing.assert_allclose(gradient(family, x, problem), found, rtol=1e-5, atol=1e-6)


def test_sizes_without_meaning_are_refused():
    with pytest.raises(InputError, match="`dimension` must be at least 1, got 0"):
        rastrigin(0)
    with pytest.raises(InputError, match="`reach` must be positive and finite, got -1"):
        ackley(2, -1.0)
