"""The generic back end against closed forms, Clarabel through cvxpy, and central differences."""

from typing import Any

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.optim import active_set
from lpo.optim.backend import Status
from lpo.optim.canonical import canonicalise, evaluate
from lpo.optim.generic import generic_backend

Problem: Any = cp.Problem  # its type knows nothing of comparisons of expressions

TIGHT = {"solver": cp.CLARABEL, "tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def clarabel(problem, parameters, variables, values):
    """Independent solution: cvxpy and Clarabel at tight tolerances."""
    for parameter, value in zip(parameters, values, strict=True):
        parameter.value = np.asarray(value)
    problem.solve(**TIGHT)
    return [variable.value for variable in variables]


def loss_and_gradients(backend, values, weights):
    """sum(weights * values) and its gradient with respect to every parameter."""

    def loss(*params):
        solution = backend.solve(*params)
        return sum((w * v).sum() for w, v in zip(weights, solution.values, strict=True))

    arrays = [jnp.asarray(value) for value in values]
    return jax.value_and_grad(loss, argnums=tuple(range(len(arrays))))(*arrays)


def assert_gradients(problem, parameters, variables, values, *, step=1e-4, tolerance=2e-5):
    """Solution against Clarabel; a random directional derivative against central differences."""
    rng = np.random.default_rng(5)
    values = [np.asarray(value, np.float64) for value in values]
    backend = generic_backend(problem, parameters, variables)
    weights = [rng.normal(size=variable.shape) for variable in variables]
    loss, gradients = loss_and_gradients(backend, values, weights)

    def reference(shift, directions):
        moved = [v + shift * d for v, d in zip(values, directions, strict=True)]
        found = clarabel(problem, parameters, variables, moved)
        return sum((w * v).sum() for w, v in zip(weights, found, strict=True))

    zero = [np.zeros_like(value) for value in values]
    assert loss == pytest.approx(reference(0.0, zero), rel=1e-7, abs=1e-7)
    for i, gradient in enumerate(gradients):
        direction = [d if j != i else rng.normal(size=d.shape) for j, d in enumerate(zero)]
        expected = (reference(step, direction) - reference(-step, direction)) / (2 * step)
        size = max(1.0, np.abs(gradient).max())
        assert (np.asarray(gradient) * direction[i]).sum() == pytest.approx(
            expected, abs=tolerance * size
        ), parameters[i].name()


def test_projection_onto_a_box_has_a_diagonal_jacobian():
    x, point = cp.Variable(4), cp.Parameter(4)
    problem = Problem(cp.Minimize(cp.sum_squares(x - point)), [x >= 0, x <= 1])
    backend = generic_backend(problem, [point], [x])
    values = jnp.array([-0.5, 0.3, 0.8, 1.7])
    solution = backend.solve(values)
    np.testing.assert_allclose(solution.values[0], [0.0, 0.3, 0.8, 1.0], atol=1e-10)
    assert solution.status == Status.SOLVED
    assert solution.residual < 1e-9
    jacobian = jax.jacrev(lambda p: backend.solve(p).values[0])(values)
    np.testing.assert_allclose(jacobian, np.diag([0.0, 1.0, 1.0, 0.0]), atol=1e-9)


def test_projection_onto_the_simplex():
    # x = max(p - tau, 0); the derivative is I - 11'/k on the support of size k, 0 elsewhere
    x, point = cp.Variable(4), cp.Parameter(4)
    problem = Problem(cp.Minimize(cp.sum_squares(x - point)), [x >= 0, cp.sum(x) == 1])
    backend = generic_backend(problem, [point], [x])
    values = jnp.array([0.9, 0.6, 0.4, -0.5])
    np.testing.assert_allclose(
        backend.solve(values).values[0], np.maximum(values - 0.3, 0.0), atol=1e-10
    )
    support = np.array([1.0, 1.0, 1.0, 0.0])
    expected = np.diag(support) - np.outer(support, support) / 3
    np.testing.assert_allclose(
        jax.jacrev(lambda p: backend.solve(p).values[0])(values), expected, atol=1e-9
    )


def test_equality_constrained_program_by_its_linear_system():
    rng = np.random.default_rng(0)
    Q, C = rng.normal(size=(5, 5)), rng.normal(size=(2, 5))
    P = Q @ Q.T + np.eye(5)
    x, q, d = cp.Variable(5), cp.Parameter(5), cp.Parameter(2)
    problem = Problem(cp.Minimize(0.5 * cp.quad_form(x, P) + q @ x), [C @ x == d])
    backend = generic_backend(problem, [q, d], [x])
    q_value, d_value = rng.normal(size=5), rng.normal(size=2)
    K = np.linalg.inv(np.block([[P, C.T], [C, np.zeros((2, 2))]]))
    expected = K @ np.concatenate([-q_value, d_value])
    arrays = jnp.asarray(q_value), jnp.asarray(d_value)
    np.testing.assert_allclose(backend.solve(*arrays).values[0], expected[:5], atol=1e-9)
    by_q, by_d = jax.jacrev(lambda *p: backend.solve(*p).values[0], argnums=(0, 1))(*arrays)
    np.testing.assert_allclose(by_q, -K[:5, :5], atol=1e-8)
    np.testing.assert_allclose(by_d, K[:5, 5:], atol=1e-8)


def test_ridge_regression_through_data_and_penalty():
    # no constraint, the data matrix a parameter: cvxpy brings in variables without curvature
    rng = np.random.default_rng(1)
    x, F, y = cp.Variable(3), cp.Parameter((5, 3), name="F"), cp.Parameter(5, name="y")
    penalty = cp.Parameter(nonneg=True, name="penalty")
    problem = Problem(cp.Minimize(cp.sum_squares(F @ x - y) + penalty * cp.sum_squares(x)))
    values = [jnp.asarray(v) for v in (rng.normal(size=(5, 3)), rng.normal(size=5), 0.7)]

    def closed_form(F, y, penalty):
        return jnp.linalg.solve(F.T @ F + penalty * jnp.eye(3), F.T @ y)

    backend = generic_backend(problem, [F, y, penalty], [x])
    np.testing.assert_allclose(backend.solve(*values).values[0], closed_form(*values), atol=1e-9)
    weights = rng.normal(size=3)
    _, ours = loss_and_gradients(backend, values, [weights])
    exact = jax.grad(lambda *p: weights @ closed_form(*p), argnums=(0, 1, 2))(*values)
    for mine, theirs in zip(ours, exact, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_random_programs_with_parameters_everywhere(seed):
    rng = np.random.default_rng(seed)
    n, m = 6, 8
    x = cp.Variable(n, name="x")
    G, h = cp.Parameter((m, n), name="G"), cp.Parameter(m, name="h")
    q, upper = cp.Parameter(n, name="q"), cp.Parameter(n, name="upper")
    root = rng.normal(size=(n, n))
    curvature = root @ root.T / n + 0.1 * np.eye(n) if seed else np.diag(rng.uniform(0.1, 1, n))
    problem = Problem(
        cp.Minimize(0.5 * cp.quad_form(x, curvature) + q @ x),
        [G @ x <= h, x <= upper, x >= -1, cp.sum(x) == 0.1],
    )
    values = [
        rng.normal(size=(m, n)),
        rng.uniform(0.3, 1, m),
        2 * rng.normal(size=n),
        rng.uniform(0.5, 1, n),
    ]
    assert_gradients(problem, [G, h, q, upper], [x], values)


def test_objective_without_curvature_on_some_variables():
    # a linear piece: t has no curvature and sits on the larger of two lines
    x, t = cp.Variable(2, name="x"), cp.Variable(name="t")
    a, b = cp.Parameter(2, name="a"), cp.Parameter(name="b")
    problem = Problem(
        cp.Minimize(t + cp.sum_squares(x - a)), [t >= b * x[0], t >= x[1] - 1, x >= 0]
    )
    assert_gradients(problem, [a, b], [x, t], [[1.0, 0.7], 1.3])


def test_linear_program_at_a_vertex():
    x, cost, h = cp.Variable(2, name="x"), cp.Parameter(2, name="cost"), cp.Parameter(2, name="h")
    G = np.array([[2.0, 1.0], [1.0, 3.0]])
    problem = Problem(cp.Minimize(cost @ x), [G @ x >= h, x >= 0])
    backend = generic_backend(problem, [cost, h], [x])
    values = jnp.array([1.0, 1.0]), jnp.array([4.0, 6.0])
    np.testing.assert_allclose(
        backend.solve(*values).values[0], np.linalg.solve(G, [4, 6]), atol=1e-8
    )
    by_cost, by_h = jax.jacrev(lambda *p: backend.solve(*p).values[0], argnums=(0, 1))(*values)
    np.testing.assert_allclose(by_cost, 0.0, atol=1e-8)
    np.testing.assert_allclose(by_h, np.linalg.inv(G), atol=1e-8)


def test_dependent_active_rows_do_not_disturb_the_gradient():
    # the same constraint three times, once scaled: rank one
    x, p, d = cp.Variable(3, name="x"), cp.Parameter(3, name="p"), cp.Parameter(name="d")
    rows = [cp.sum(x) <= d, 2 * cp.sum(x) <= 2 * d, cp.sum(x) <= d]
    problem = Problem(cp.Minimize(cp.sum_squares(x - p)), rows)
    backend = generic_backend(problem, [p, d], [x])
    values = jnp.array([1.0, 2.0, 3.0]), jnp.asarray(1.5)
    np.testing.assert_allclose(
        backend.solve(*values).values[0], np.array([1.0, 2.0, 3.0]) - 1.5, atol=1e-8
    )
    by_p, by_d = jax.jacrev(lambda *p: backend.solve(*p).values[0], argnums=(0, 1))(*values)
    np.testing.assert_allclose(by_p, np.eye(3) - 1 / 3, atol=1e-8)
    np.testing.assert_allclose(by_d, 1 / 3, atol=1e-8)


def test_solutions_that_are_not_unique_give_the_minimum_norm_element():
    # min (x1 + x2 - p)^2: the solutions are a line; the pseudo-inverse moves x across it
    x, p = cp.Variable(2), cp.Parameter()
    problem = Problem(cp.Minimize(cp.square(cp.sum(x) - p)), [x >= -10, x <= 10])
    backend = generic_backend(problem, [p], [x])
    jacobian = jax.jacrev(lambda p: backend.solve(p).values[0])(jnp.asarray(1.0))
    np.testing.assert_allclose(jacobian, [0.5, 0.5], atol=1e-7)


def test_at_a_kink_the_derivative_is_one_sided_and_the_gap_small():
    # x = max(p, 0) at p = 0
    x, p = cp.Variable(), cp.Parameter()
    problem = Problem(cp.Minimize(cp.square(x - p) + x), [x >= 0])
    backend = generic_backend(problem, [p], [x])
    kink = jnp.asarray(0.5)
    derivative = jax.grad(lambda p: backend.solve(p).values[0])(kink)
    assert min(abs(derivative), abs(derivative - 1)) < 1e-6
    assert backend.solve(kink).gap < 1e-4 < backend.solve(jnp.asarray(0.8)).gap


def test_small_curvature_is_differentiated_exactly():
    # x_i = (1 - p_i) / (2 c) for the two priced entries, the third takes the rest: the derivative
    # is 1 / (2 c). Moreau's own adjoint returns about 960 for the 5000 of c = 1e-4.
    c, x, p = 1e-4, cp.Variable(3), cp.Parameter(2)
    objective = c * cp.sum_squares(x[:2]) + p @ x[:2] + x[2]
    problem = Problem(cp.Minimize(objective), [x >= 0, cp.sum(x) == 1])
    backend = generic_backend(problem, [p], [x])
    value = jnp.array([1 - 0.6 * c, 1 - 0.4 * c])
    np.testing.assert_allclose(backend.solve(value).values[0], [0.3, 0.2, 0.5], atol=1e-7)
    jacobian = jax.jacrev(lambda p: backend.solve(p).values[0])(value)
    exact = np.array([[-5e3, 0.0], [0.0, -5e3], [5e3, 5e3]])
    np.testing.assert_allclose(jacobian, exact, atol=1e-3)


def test_units_of_the_data_do_not_matter():
    x, a, d = cp.Variable(2), cp.Parameter(nonneg=True), cp.Parameter()
    problem = Problem(
        cp.Minimize(x[0] + 1e-3 * cp.square(x[0])), [x >= 0, x[1] <= a * x[0], x[1] == d]
    )
    backend = generic_backend(problem, [a, d], [x])
    for tokens in (1.0, 1e6):
        values = jnp.asarray(2 * tokens), jnp.asarray(3 * tokens)
        solution = backend.solve(*values)
        assert solution.status == Status.SOLVED
        np.testing.assert_allclose(solution.values[0], [1.5, 3 * tokens], rtol=1e-9)
        by_a, by_d = jax.grad(lambda *p: backend.solve(*p).values[0][0], argnums=(0, 1))(*values)
        np.testing.assert_allclose([by_a * tokens, by_d * tokens], [-0.75, 0.5], rtol=1e-6)


def test_clarabel_and_moreau_agree():
    rng = np.random.default_rng(3)
    x, p = cp.Variable(5), cp.Parameter(5)
    problem = Problem(cp.Minimize(cp.sum_squares(x - p)), [x >= 0, cp.sum(x) <= 1])
    value = jnp.asarray(rng.normal(size=5))
    first, second = (
        generic_backend(problem, [p], [x], solver=name).solve(value)
        for name in ("clarabel", "auto")
    )
    np.testing.assert_allclose(first.values[0], second.values[0], atol=1e-9)


def test_symmetric_parameter_and_matrix_variable():
    X, S = cp.Variable((2, 2), symmetric=True), cp.Parameter((2, 2), symmetric=True)
    problem = Problem(cp.Minimize(cp.sum_squares(X - S)), [X >= 0])
    value = jnp.array([[1.0, -2.0], [-2.0, 3.0]])
    backend = generic_backend(problem, [S], [X])
    np.testing.assert_allclose(backend.solve(value).values[0], [[1.0, 0.0], [0.0, 3.0]], atol=1e-9)
    gradient = jax.grad(lambda S: backend.solve(S).values[0].sum())(value)
    np.testing.assert_allclose(gradient, np.eye(2), atol=1e-8)


def test_other_cones_are_refused_by_name():
    x, p = cp.Variable(3), cp.Parameter(3)
    problem = Problem(cp.Minimize(p @ x + cp.norm(x)), [x >= 0])
    with pytest.raises(InputError, match="second-order cones"):
        generic_backend(problem, [p], [x])


def test_unknown_solver():
    x, p = cp.Variable(), cp.Parameter()
    with pytest.raises(InputError, match="solver"):
        generic_backend(Problem(cp.Minimize(cp.square(x - p))), [p], [x], solver="scs")


def test_both_ways_to_solve_the_adjoint_system_agree():
    # the same strictly convex program through the Schur complement and through the KKT matrix
    rng = np.random.default_rng(7)
    H, M, g = np.diag(rng.uniform(0.1, 2, 6)), rng.normal(size=(3, 6)), rng.normal(size=6)
    M[2] = M[0] + M[1]
    first = active_set._by_schur_complement(H.diagonal(), M, g)
    second = active_set._by_kkt_matrix(H, M, g)
    assert first is not None
    np.testing.assert_allclose(first[0], second[0], atol=1e-7)
    # multipliers of dependent rows are not unique; what they amount to is
    np.testing.assert_allclose(M.T @ first[1], M.T @ second[1], atol=1e-7)


def test_canonical_data_are_affine_in_the_parameters():
    x, a, b = cp.Variable(3), cp.Parameter((2, 3)), cp.Parameter(2)
    problem = Problem(cp.Minimize(cp.sum_squares(x)), [a @ x <= b, x >= 0])
    program = canonicalise(problem, [a, b], [x])
    rng = np.random.default_rng(2)
    theta = rng.normal(size=(2, 8))
    mean = evaluate(program, theta.mean(axis=0, keepdims=True))
    for part, of_mean in zip(evaluate(program, theta), mean, strict=True):
        np.testing.assert_allclose(part.mean(axis=0), of_mean[0], atol=1e-12)
