"""Primal-dual hybrid gradient against HiGHS, and its count of products."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.classical.method import path
from lpo.l2o.classical.pdhg import pdhg, solve
from lpo.l2o.families.provisioning import provisioning
from lpo.l2o.family import sample_problems
from lpo.l2o.linear import LinearFamily, family_of, kkt_error, labels, solved, split

LINEAR = provisioning()
FAMILY = family_of(LINEAR)
PROBLEMS = sample_problems(FAMILY, jax.random.PRNGKey(5), 16)
ZERO = jnp.zeros((16, FAMILY.dimension))


@pytest.mark.parametrize("restarts", [True, False])
def test_the_optimum_of_highs(restarts):
    with jax.enable_x64(True):
        problems = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), jnp.float64), PROBLEMS)
        method = pdhg(LINEAR, restarts=restarts)
        run = jax.jit(jax.vmap(partial(solve, LINEAR, target=1e-7, limit=60_000, method=method)))
        found = run(problems, jnp.zeros((16, FAMILY.dimension)))
        assert bool(found.reached.all())
        x, y = (np.asarray(part) for part in split(LINEAR, found.z))
        exact = solved(LINEAR, problems)
        values = np.asarray(jax.vmap(LINEAR.cost)(problems) * x).sum(1)
        np.testing.assert_allclose(values, exact.value, rtol=1e-5)
        assert (x >= 0).all() and (y >= 0).all()


def test_an_equation_and_a_bound_that_is_infinite():
    """min x0 + 2 x1 over x0 + x1 = 1, x0 - x1 >= p: x0 = (1 + p) / 2 where p > 1, else (1, 0)."""
    linear = LinearFamily(
        "two",
        lambda key: jax.random.uniform(key, (), minval=-1.0, maxval=0.9),
        lambda p: jnp.array([2.0, 1.0]),
        np.array([0, 0, 1, 1]),
        np.array([0, 1, 0, 1]),
        lambda p: jnp.array([1.0, 1.0, 1.0, -1.0]),
        lambda p: jnp.stack([jnp.ones(()), p]),
        np.array([True, False]),
        np.zeros(2),
        np.full(2, np.inf),
        lambda p: p[None],
    )
    found = solve(linear, jnp.float32(0.5), jnp.zeros(4), target=1e-5)
    np.testing.assert_allclose(found.z[:2], [0.75, 0.25], atol=1e-4)
    np.testing.assert_allclose(found.z[2:], [1.5, 0.5], atol=1e-3)  # 2 = y0 + y1, 1 = y0 - y1
    free = labels(linear, jnp.array([0.5]))
    np.testing.assert_allclose(free.x[0], [0.75, 0.25, 1.5, 0.5], atol=1e-5)


def test_an_optimal_start_takes_no_steps_and_a_near_one_fewer():
    z = labels(LINEAR, PROBLEMS).x
    run = jax.jit(jax.vmap(partial(solve, LINEAR)))
    cold, near = run(PROBLEMS, ZERO), run(PROBLEMS, z * 1.01)
    assert int(run(PROBLEMS, z).iterations.max()) == 0
    assert float(jnp.median(near.iterations)) < 0.8 * float(jnp.median(cold.iterations))


def test_iterations_are_the_products_taken():
    problem = jax.tree.map(lambda leaf: leaf[0], PROBLEMS)
    backs = []
    counting = LINEAR._replace(cost=lambda p: (backs.append(1), LINEAR.cost(p))[1])
    method = pdhg(counting, restarts=False)
    state = method.init(problem, ZERO[0])
    backs.clear()
    for _ in range(3):
        state = method.step(problem, state)
    assert int(state.calls) == len(backs) == 3
    walked = path(FAMILY, pdhg(LINEAR), problem, ZERO[0], 50)
    np.testing.assert_array_equal(walked.calls, np.arange(51))
    assert float(walked.value[-1]) < 0.05 * float(walked.value[0])


def test_the_limit_is_told_apart_from_the_end():
    problem = jax.tree.map(lambda leaf: leaf[0], PROBLEMS)
    found = solve(LINEAR, problem, ZERO[0], target=1e-6, limit=5)
    assert int(found.iterations) == 5 and not bool(found.reached)
    assert float(found.error) == pytest.approx(float(kkt_error(LINEAR, found.z, problem)), rel=1e-3)


def test_bad_arguments():
    with pytest.raises(InputError, match="weight"):
        pdhg(LINEAR, weight=0.0)
    with pytest.raises(InputError, match="limit"):
        solve(LINEAR, None, ZERO[0], limit=0)
