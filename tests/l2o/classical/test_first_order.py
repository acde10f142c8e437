"""Gradient and proximal methods against closed forms, cvxpy and counts."""

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.classical.gradient import adam, gradient_descent, momentum
from lpo.l2o.classical.method import path
from lpo.l2o.classical.proximal import fista, ista
from lpo.l2o.families.landscapes import rastrigin
from lpo.l2o.families.lasso import lasso
from lpo.l2o.family import sample_problems
from tests.l2o.worlds import counted, gradients_taken, quadratic

D = np.arange(1.0, 4.0)
B, X = np.array([1.0, -2.0, 0.5]), np.array([3.0, 1.0, -2.0])


def test_descent_on_a_quadratic_is_a_geometric_series():
    family = quadratic(tuple(D))
    found = path(family, gradient_descent(family, 0.2), jnp.asarray(B), jnp.asarray(X), 9)
    expected = B / D + (1.0 - 0.2 * D) ** 9 * (X - B / D)
    np.testing.assert_allclose(found.last, expected, rtol=1e-5)


def test_momentum_on_a_quadratic_is_a_power_of_a_matrix():
    family = quadratic(tuple(D))
    found = path(family, momentum(family, 0.1, 0.8), jnp.asarray(B), jnp.asarray(X), 12)
    for j in range(3):  # (v, x - x*) of a coordinate
        once = np.array([[0.8, D[j]], [-0.1 * 0.8, 1.0 - 0.1 * D[j]]])
        state = np.linalg.matrix_power(once, 12) @ np.array([0.0, X[j] - B[j] / D[j]])
        assert float(found.last[j]) == pytest.approx(state[1] + B[j] / D[j], rel=1e-4)


def test_adam_is_its_paper():
    family = quadratic(tuple(D))
    found = path(family, adam(family, 0.1), jnp.asarray(B), jnp.asarray(X), 25)
    x, m, v = X.copy(), np.zeros(3), np.zeros(3)
    for t in range(1, 26):
        g = D * x - B
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        x -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(found.last, x, rtol=1e-3)


@pytest.mark.parametrize("fixed", [True, False])
def test_proximal_methods_and_labels_solve_lasso(fixed):
    """Against cvxpy; and the bounds L |x0 - x*|^2 / (2 k), 2 L |x0 - x*|^2 / (k + 1)^2."""
    with jax.enable_x64(True):
        family = lasso(8, 12, fixed=fixed, seed=1)
        problems = sample_problems(family, jax.random.key(0), 2)
        labels = family.solve(problems)
        for i in range(2):
            problem = jax.tree.map(lambda leaf, i=i: leaf[i], problems)
            if fixed:
                rng = np.random.default_rng(1).normal(size=(8, 12))
                A = (rng / np.linalg.norm(rng, axis=0)).astype(np.float32).astype(float)
            else:
                A = np.asarray(problem.A, float)
                np.testing.assert_allclose(np.linalg.norm(A, axis=0), 1.0, rtol=1e-5)
            L = np.linalg.norm(A, 2) ** 2
            assert float(problem.lipschitz) == pytest.approx(L, rel=1e-4)
            x, b = cp.Variable(12), np.asarray(problem.b, float)
            exact = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(A @ x - b) + 0.05 * cp.norm1(x)))
            least = exact.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12)
            assert float(labels.value[i]) == pytest.approx(least, abs=1e-6)
            start = family.prior(jax.random.key(5))
            away = L * float(((np.asarray(start) - x.value) ** 2).sum())
            k = np.arange(1, 201)
            for method, bound in ((ista, away / (2 * k)), (fista, 2 * away / (k + 1) ** 2)):
                found = path(family, method(family), problem, start, 200)
                assert (np.asarray(found.value[1:]) - least <= bound + 1e-6).all()
            found = path(family, fista(family), problem, jnp.zeros(12), 3000)
            np.testing.assert_allclose(found.last, np.asarray(x.value), atol=1e-4)
            assert float(found.value[-1]) == pytest.approx(least, abs=1e-6)


@pytest.mark.parametrize(
    "make", [lambda f: gradient_descent(f, 0.1), lambda f: adam(f, 0.1), fista]
)
def test_gradients_are_counted_as_they_are_taken(make):
    world = counted(quadratic(tuple(D)))
    found = []

    def run():
        found.append(path(world.family, make(world.family), jnp.asarray(B), jnp.asarray(X), 7))
        return found[0].x

    assert gradients_taken(world, run) == 7
    np.testing.assert_array_equal(found[0].calls, np.arange(8))


def test_the_best_iterate_is_kept():
    family = quadratic(tuple(D))
    found = path(family, gradient_descent(family, 0.7), jnp.asarray(B), jnp.asarray(X), 5)
    value = np.asarray(found.value)
    assert value[-1] > value.min()  # too long a step diverges
    assert float(family.objective(found.x, jnp.asarray(B))) == pytest.approx(value.min(), rel=1e-5)


def test_what_has_no_proximal_step_is_refused():
    for method in (ista, fista):
        with pytest.raises(InputError, match="ISTA and FISTA do not apply"):
            method(rastrigin(2))
