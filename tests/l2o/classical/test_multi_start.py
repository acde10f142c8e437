import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.classical.gradient import adam, gradient_descent
from lpo.l2o.classical.method import path
from lpo.l2o.classical.multi_start import multi_start, prior_starts
from lpo.l2o.families.landscapes import rastrigin
from lpo.l2o.family import sample_problems
from tests.l2o.worlds import counted, gradients_taken, quadratic
from tests.quick import jit


def test_one_start_is_the_method_itself():
    family = rastrigin(2)
    problem = family.sample(jax.random.key(0))
    starts = prior_starts(family, jax.random.key(1), 1)
    alone = path(family, adam(family, 0.1), problem, starts[0], 20)
    found = multi_start(family, adam(family, 0.1), problem, starts, 20)
    for own, expected in zip(found, alone, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-6)


def test_best_of_starts_one_by_one():
    family, K = rastrigin(2), 6
    problem = family.sample(jax.random.key(0))
    starts = prior_starts(family, jax.random.key(1), K)
    method = adam(family, 0.1)
    found = multi_start(family, method, problem, starts, 30)
    alone = jit(lambda x: path(family, method, problem, x, 30))
    each = [alone(x) for x in starts]
    value = np.stack([run.value for run in each])
    np.testing.assert_allclose(found.value, value.min(0), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found.calls, K * each[0].calls)
    np.testing.assert_allclose(family.objective(found.x, problem), value.min(), atol=1e-4)
    np.testing.assert_allclose(found.last, each[value[:, -1].argmin()].last, atol=1e-4)


def test_work_is_what_all_starts_take():
    world = counted(quadratic())
    starts, method = jnp.ones((3, 2)), gradient_descent(world.family, 0.1)
    problem = jnp.zeros(2)
    calls = []

    def run():
        found = multi_start(world.family, method, problem, starts, 4)
        calls.append(int(found.calls[-1]))
        return found

    assert gradients_taken(world, run) == calls[0] == 12


def test_a_start_that_diverges_is_no_winner():
    family, problem = quadratic(), jnp.zeros(2)
    starts = jnp.asarray([[jnp.nan, 0.0], [1.0, 1.0]])
    found = multi_start(family, gradient_descent(family, 0.1), problem, starts, 5)
    assert np.isfinite(found.value).all() and np.isfinite(found.x).all()
    assert np.isfinite(found.last).all()


def test_more_starts_extend_fewer_and_are_vmapped():
    family = rastrigin(3)
    few, many = (prior_starts(family, jax.random.key(3), K) for K in (2, 5))
    np.testing.assert_array_equal(few, many[:2])
    problems = sample_problems(family, jax.random.key(0), 4)

    def run(problem, starts):
        return multi_start(family, adam(family, 0.1), problem, starts, 10)

    found = jit(jax.vmap(run, (0, None)))(problems, many)
    assert found.value.shape == (4, 11) and found.x.shape == (4, 3)
    assert (found.value <= jax.vmap(run, (0, None))(problems, few).value + 1e-5).all()


def test_starts_of_another_size_are_refused():
    family = quadratic()
    method, problem = gradient_descent(family, 0.1), jnp.zeros(2)
    for starts in (jnp.zeros(2), jnp.zeros((0, 2)), jnp.zeros((3, 5))):
        with pytest.raises(InputError, match=r"`starts` must be \[K, 2\]"):
            multi_start(family, method, problem, starts, 5)
