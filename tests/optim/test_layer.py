"""ConvexLayer: what it refuses, what it says, and how it behaves under JAX's transformations."""

from typing import Any

import cvxpy as cp
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.optim import generic
from lpo.optim.backend import Backend, LayerSolution, Status
from lpo.optim.layer import ConvexLayer

Problem: Any = cp.Problem  # its type knows nothing of comparisons of expressions


def simplex():
    """Projection of `point` onto the simplex of a given total; infeasible if that is negative."""
    x, point, total = (
        cp.Variable(3, name="x"),
        cp.Parameter(3, name="point"),
        cp.Parameter(name="total"),
    )
    problem = Problem(cp.Minimize(cp.sum_squares(x - point)), [x >= 0, cp.sum(x) == total])
    return problem, [point, total], [x]


POINT = jnp.array([0.5, 0.2, 0.0])


@pytest.fixture(scope="module")
def layer():
    return ConvexLayer(*simplex())


@pytest.fixture(scope="module")
def silent():
    return ConvexLayer(*simplex(), throw=False)


def test_values_and_dtypes_at_the_float32_border(layer):
    solution = layer.solve(POINT, 1.0)
    np.testing.assert_allclose(solution.values[0], POINT + 0.1, atol=1e-6)
    assert solution.values[0].dtype == jnp.float32
    assert solution.status.dtype == jnp.int32
    assert solution.status == Status.SOLVED
    assert solution.residual < 1e-9


def test_values_are_float64_with_x64_on(layer):
    with jax.enable_x64(True):
        (x,) = layer(jnp.asarray(POINT, jnp.float64), 1.0)
        assert x.dtype == jnp.float64
        np.testing.assert_allclose(x, np.array([0.5, 0.2, 0.0]) + 0.1, atol=1e-8)


def test_jit_vmap_and_grad_agree_with_single_calls(layer):
    points = POINT + 0.1 * jax.random.normal(jax.random.PRNGKey(0), (2, 3, 3))
    totals = jnp.array([0.8, 1.2])

    def loss(point, total):
        return (layer(point, total)[0] ** 2).sum()

    gradient = jax.grad(loss, argnums=(0, 1))
    nested = jax.jit(jax.vmap(jax.vmap(gradient, in_axes=(0, None))))(points, totals)
    for i in range(2):
        for j in range(3):
            for mine, single in zip(nested, gradient(points[i, j], totals[i]), strict=True):
                np.testing.assert_allclose(mine[i, j], single, atol=1e-6)


def test_one_callback_serves_a_nested_batch(monkeypatch):
    sizes = []
    original = generic.solve_batch

    def counted(program, theta, *rest):
        sizes.append(len(theta))
        return original(program, theta, *rest)

    monkeypatch.setattr(generic, "solve_batch", counted)
    layer = ConvexLayer(*simplex())
    solved = jax.jit(jax.vmap(jax.vmap(layer, in_axes=(0, None)), in_axes=(0, None)))
    jax.block_until_ready(solved(jnp.zeros((4, 5, 3)), 1.0))
    assert sizes == [20]


def test_training_steps_of_nested_batches_in_one_scanned_program(layer):
    # 16 x 16 problems a step inside a compiled scan, net before and loss behind: must not hang
    target = jnp.array([0.6, 0.3, 0.1])
    features = jax.random.normal(jax.random.PRNGKey(1), (16, 16, 4))

    def loss(weights):
        solve = jax.vmap(jax.vmap(lambda f: layer(f @ weights, 1.0)[0]))
        return ((solve(features) - target) ** 2).mean()

    @jax.jit
    def train(weights):
        def step(weights, _):
            value, gradient = jax.value_and_grad(loss)(weights)
            return weights - 0.5 * gradient, value

        return jax.lax.scan(step, weights, None, length=5)

    _, losses = train(jax.random.normal(jax.random.PRNGKey(2), (4, 3)))
    assert losses[-1] < losses[0]


def test_statuses_of_a_mixed_batch(silent):
    totals = jnp.array([1.0, -1.0, jnp.nan])
    solution = jax.vmap(silent.solve, in_axes=(None, 0))(POINT, totals)
    assert solution.status.tolist() == [Status.SOLVED, Status.INFEASIBLE, Status.FAILED]
    assert np.isnan(solution.values[0]).all(axis=1).tolist() == [False, True, True]
    assert np.isinf(solution.residual[1:]).all()


def test_unbounded_problems_are_said_to_be():
    x, c = cp.Variable(2), cp.Parameter(2)
    layer = ConvexLayer(Problem(cp.Minimize(c @ x), [x >= 0]), [c], [x], throw=False)
    solution = jax.vmap(layer.solve)(jnp.array([[-1.0, 1.0], [1.0, 1.0]]))
    assert solution.status.tolist() == [Status.UNBOUNDED, Status.SOLVED]


def test_inaccurate_solutions_are_not_passed_off_as_solved():
    layer = ConvexLayer(*simplex(), tolerance=1e-30, throw=False)
    solution = layer.solve(POINT, 1.0)
    assert solution.status == Status.INACCURATE
    assert 0 < solution.residual < 1e-9
    assert np.isnan(solution.values[0]).all()


def test_gradients_of_masked_failures_are_finite(silent):
    def loss(point, totals):
        solution = jax.vmap(silent.solve, in_axes=(None, 0))(point, totals)
        solved = solution.status == Status.SOLVED
        rows = jnp.where(solved[:, None], solution.values[0], 0.0)
        return (rows**2).sum()

    mixed = jax.grad(loss)(POINT, jnp.array([1.0, -1.0]))
    alone = jax.grad(loss)(POINT, jnp.array([1.0]))
    np.testing.assert_allclose(mixed, alone, atol=1e-6)


def test_a_failure_is_loud_under_jit_and_names_itself(layer):
    solve = eqx.filter_jit(jax.vmap(layer, in_axes=(None, 0)))
    with pytest.raises(RuntimeError, match="back end generic: a problem is INFEASIBLE"):
        jax.block_until_ready(solve(POINT, jnp.array([1.0, -1.0])))


def test_the_hessian_of_the_layer_is_refused_not_wrong(layer):
    with pytest.raises(ValueError, match="JVP"):
        jax.hessian(lambda p: layer(p, 1.0)[0].sum())(POINT)


def test_a_backend_can_be_handed_over():
    backend = Backend(
        "constant",
        lambda point, total: LayerSolution(
            (point * 0 + total,), jnp.int32(0), jnp.float32(0), jnp.float32(1)
        ),
    )
    layer = ConvexLayer(*simplex(), backend=backend)
    np.testing.assert_allclose(layer(POINT, 2.0)[0], 2.0)
    assert layer.backend.name == "constant"


def test_wrong_arguments_are_named(layer):
    with pytest.raises(InputError, match=r"takes 2 arrays \(point, total\), got 1"):
        layer(POINT)
    with pytest.raises(InputError, match=r"point has the shape \(3,\), got \(2, 3\).*vmap"):
        layer(jnp.zeros((2, 3)), 1.0)


def test_what_the_layer_refuses():
    problem, parameters, variables = simplex()
    x, (point, total) = variables[0], parameters
    stranger = cp.Parameter(name="stranger")
    cases = [
        ("missing: total", problem, [point], [x], {}),
        ("not in the problem: stranger", problem, [*parameters, stranger], [x], {}),
        ("names a parameter twice", problem, [point, point, total], [x], {}),
        ("not in the problem: y", problem, parameters, [cp.Variable(name="y")], {}),
        ("at least one variable", problem, parameters, [], {}),
        ("one of generic, diffcp, moreau", problem, parameters, [x], {"backend": "scs"}),
        ("`tolerance` must be positive", problem, parameters, [x], {"tolerance": 0.0}),
    ]
    whole = cp.Variable(3, name="whole", integer=True)
    integer = Problem(cp.Minimize(cp.sum_squares(whole - point)))
    cases.append(("integer: whole", integer, [point], [whole], {}))
    product = Problem(cp.Minimize(cp.sum_squares(x) + (total * stranger) * x[0]))
    cases.append(("not DPP", product, [total, stranger], [x], {}))
    concave = Problem(cp.Maximize(cp.sum_squares(x - point)))
    cases.append(("not convex", concave, [point], [x], {}))
    diagonal = cp.Parameter((2, 2), diag=True, name="diagonal")
    y = cp.Variable(2)
    odd = Problem(cp.Minimize(cp.sum_squares(y) + cp.sum(diagonal @ y)))
    cases.append(("diagonal has the attribute diag", odd, [diagonal], [y], {}))
    for message, *arguments, options in cases:
        with pytest.raises(InputError, match=message):
            ConvexLayer(*arguments, **options)


def test_small_fleet_against_clarabel_and_central_differences(fleet_model, random_fleet):
    rng = np.random.default_rng(11)
    problem, parameters, variables = fleet_model(4, 3)
    values = random_fleet(rng, 4, 3)
    layer = ConvexLayer(problem, parameters, variables)

    def reference(values):
        for parameter, value in zip(parameters, values, strict=True):
            parameter.value = value
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
        return variables[0].value

    with jax.enable_x64(True):

        @jax.jit
        def gradients(*params):
            def loss(*params):
                n, *_ = layer(*params)
                return (n**2).sum(), n

            return jax.value_and_grad(loss, argnums=tuple(range(7)), has_aux=True)(*params)

        (_, n), gradient = jax.device_get(gradients(*map(jnp.asarray, values)))
    np.testing.assert_allclose(n, reference(values), atol=1e-6)
    for i, value in enumerate(values):
        direction = rng.normal(size=value.shape)
        ends = []
        for sign in (1, -1):
            moved = list(values)
            moved[i] = value + sign * 1e-5 * direction
            ends.append((reference(moved) ** 2).sum())
        expected = (ends[0] - ends[1]) / 2e-5
        size = max(1.0, np.abs(gradient[i]).max())
        assert (gradient[i] * direction).sum() == pytest.approx(expected, abs=1e-4 * size), i


def test_the_shipped_instance(fleet_model, fleet_instance):
    instance, fixed = fleet_instance
    layer = ConvexLayer(*fleet_model(instance["H"], instance["K"]))

    @jax.jit
    @jax.vmap
    def solve(demand):
        def loss(demand):
            n, *_ = layer(demand, *fixed)
            return (n**2).sum(), n

        return jax.grad(loss, has_aux=True)(demand)

    gradient, n = solve(jnp.asarray(instance["demand"])[:8])
    np.testing.assert_allclose(n, instance["relaxed_n"], atol=1e-5)
    expected = np.array(instance["grad_sum_n_squared"])
    np.testing.assert_allclose(gradient, expected, atol=1e-4 * np.abs(expected).max())
