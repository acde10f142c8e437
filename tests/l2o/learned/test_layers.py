"""LISTA and ALISTA: ISTA at first, weights of least coherence, that training helps."""

from functools import cache
from typing import Any

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.classical.method import path
from lpo.l2o.classical.proximal import fista, ista
from lpo.l2o.families.landscapes import rastrigin
from lpo.l2o.families.lasso import lasso
from lpo.l2o.family import sample_problems
from lpo.l2o.learned import layers
from lpo.l2o.learned.alista import alista, analytic_weights, coherence
from lpo.l2o.learned.lista import lista
from lpo.l2o.learned.solved import Solved
from lpo.l2o.measures import gaps
from tests.l2o.worlds import program_of
from tests.quick import jit

FAMILY = lasso(12, 20)
COUNT = 8
MAKERS = {"lista": (lista, 5e-3), "alista": (alista, 5e-2)}


@cache
def trained(name: str) -> tuple[layers.Layers, Any]:
    make, rate = MAKERS[name]
    own = make(FAMILY, COUNT)
    problems = sample_problems(FAMILY, jax.random.key(1), 2048)
    data = Solved(problems, FAMILY.solve(problems))
    training = layers.make_training(FAMILY, own, steps=300, batch=32, rate=rate)
    return own, program_of(training)(jax.random.key(0), data, 300).params


def test_the_shared_matrix_is_that_of_the_objective():
    A = layers.shared_matrix(FAMILY)
    problem = FAMILY.sample(jax.random.key(3))
    x = jax.random.normal(jax.random.key(4), (20,))
    residual = A @ x - problem.b
    np.testing.assert_allclose(
        FAMILY.objective(x, problem), 0.5 * residual @ residual + 0.05 * jnp.abs(x).sum(), rtol=1e-5
    )
    np.testing.assert_allclose(jnp.linalg.norm(A, axis=0), 1.0, rtol=1e-5)


def test_lista_begins_as_ista():
    problem = FAMILY.sample(jax.random.key(3))
    own = lista(FAMILY, COUNT)
    method = layers.method_of(FAMILY, own, own.init(jax.random.key(0)))
    found, expected = jit(
        lambda: [
            path(FAMILY, each, problem, jnp.zeros(20), COUNT) for each in (method, ista(FAMILY))
        ]
    )()
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-4)
    np.testing.assert_allclose(found.last, expected.last, atol=1e-5)


@pytest.mark.parametrize(("name", "share"), [("lista", 0.5), ("alista", 0.3)])
def test_trained_layers_come_closer_than_fista(name: str, share: float):
    own, params = trained(name)
    problems = sample_problems(FAMILY, jax.random.key(5), 64)
    least = FAMILY.solve(problems).value

    def gap(method) -> float:
        run = jit(jax.vmap(lambda p: path(FAMILY, method, p, jnp.zeros(20), COUNT).value))
        return float(gaps(run(problems), least, 1e-3)[:, -1].mean())

    before = gap(layers.method_of(FAMILY, own, own.init(jax.random.key(0))))
    after = gap(layers.method_of(FAMILY, own, params))
    assert after < share * gap(fista(FAMILY)) and after < share * before


@pytest.mark.parametrize("name", MAKERS)
def test_layers_are_steps_of_the_method_and_end(name: str):
    own = MAKERS[name][0](FAMILY, 3)
    noise = jax.tree.map(
        lambda leaf: leaf + 0.02 * jax.random.normal(jax.random.key(9), leaf.shape),
        own.init(jax.random.key(0)),
    )
    problem = FAMILY.sample(jax.random.key(3))
    expected = jit(lambda: layers.outputs(own, noise, problem, 20))()
    method = layers.method_of(FAMILY, own, noise)
    state, step = method.init(problem, jnp.ones(20)), jit(method.step)  # the start is ignored
    for k in range(5):
        state = step(problem, state)
        np.testing.assert_allclose(state.x, expected[min(k, 2)], atol=1e-6)
        assert int(state.calls) == min(k + 1, 3)


def test_analytic_weights_are_the_optimum():
    A = np.asarray(layers.shared_matrix(lasso(6, 9)), np.float64)
    found = analytic_weights(A)
    np.testing.assert_allclose((found * A).sum(0), 1.0)
    W = cp.Variable((6, 9))
    given: Any = cp.sum(cp.multiply(W, A), axis=0) == 1.0
    problem = cp.Problem(cp.Minimize(cp.sum_squares(W.T @ A)), [given])
    problem.solve(solver="CLARABEL")
    assert W.value is not None
    np.testing.assert_allclose(found, W.value, atol=1e-4)


def test_analytic_weights_lower_the_coherence():
    A = np.asarray(layers.shared_matrix(lasso(32, 64)))
    assert coherence(analytic_weights(A), A) < coherence(A, A)
    orthonormal = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 5)))[0]
    np.testing.assert_allclose(analytic_weights(orthonormal), orthonormal, atol=1e-10)
    assert coherence(orthonormal, orthonormal) < 1e-10


def test_alista_starts_where_a_gradient_of_the_smooth_part_is():
    # with orthonormal columns W is A: the layer is a proximal gradient step
    family = lasso(24, 1)
    own = alista(family, 1)
    problem = family.sample(jax.random.key(3))
    found = layers.outputs(own, own.init(jax.random.key(0)), problem, 1)[0]
    np.testing.assert_allclose(
        found, family.solve(jax.tree.map(lambda a: a[None], problem)).x[0], atol=1e-6
    )


def test_other_families_are_refused():
    for make in (lista, alista):
        with pytest.raises(InputError, match="no matrix that all problems share"):
            make(lasso(5, 8, fixed=False))
        with pytest.raises(InputError, match="no matrix"):
            make(rastrigin(2))
        with pytest.raises(InputError, match="at least 1"):
            make(FAMILY, 0)
