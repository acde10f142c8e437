"""The back ends of cvxpylayers behind our border: bounds kept, statuses said, compiled."""

from typing import Any

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.optim.backend import Status
from lpo.optim.cvxpylayers_backends import diffcp_backend
from lpo.optim.interior_point import moreau_installed
from lpo.optim.layer import ConvexLayer

Problem: Any = cp.Problem  # its type knows nothing of comparisons of expressions

needs_moreau = pytest.mark.skipif(not moreau_installed(), reason="moreau is not installed")
backends = pytest.mark.parametrize(
    "backend", ["generic", "diffcp", pytest.param("moreau", marks=needs_moreau)]
)
VALUES = jnp.array([-1.0, 0.3, 2.0])


@pytest.mark.parametrize("how", ["constraint", "nonneg", "bounds"])
@backends
def test_constant_bounds_are_kept(backend, how):
    # cvxpylayers with MOREAU returns -1 for the first entry, without a warning
    options = {"constraint": {}, "nonneg": {"nonneg": True}, "bounds": {"bounds": [0, None]}}
    x, p = cp.Variable(3, **options[how]), cp.Parameter(3)
    constraints = [x >= 0] if how == "constraint" else []
    problem = Problem(cp.Minimize(cp.sum_squares(x - p)), constraints)
    (x_value,) = ConvexLayer(problem, [p], [x], backend=backend)(VALUES)
    np.testing.assert_allclose(x_value, [0.0, 0.3, 2.0], atol=1e-4)


@backends
def test_compiled_batches_and_gradients(backend):
    x, p, total = cp.Variable(3), cp.Parameter(3), cp.Parameter()
    problem = Problem(cp.Minimize(cp.sum_squares(x - p)), [x >= 0, cp.sum(x) == total])
    layer = ConvexLayer(problem, [p, total], [x], backend=backend, throw=False)

    def loss(p, total):
        solution = layer.solve(p, total)
        return (jnp.arange(3.0) * solution.values[0]).sum(), solution.status

    points, totals = jnp.array([[0.5, 0.2, 0.1]] * 2), jnp.array([1.0, -1.0])
    gradient, status = jax.jit(jax.vmap(jax.grad(loss, has_aux=True)))(points, totals)
    assert status.tolist() == [Status.SOLVED, Status.INFEASIBLE]
    np.testing.assert_allclose(gradient[0], [-1.0, 0.0, 1.0], atol=1e-3)
    assert not jax.config.read("jax_enable_x64")


def test_diffcp_takes_second_order_cones_and_differentiates_them():
    # min p'x with |x| <= r is x = -r p / |p|
    x, p, r = cp.Variable(2), cp.Parameter(2), cp.Parameter(nonneg=True)
    problem = Problem(cp.Minimize(p @ x), [cp.norm(x) <= r])
    backend = diffcp_backend(problem, [p, r], [x])

    def closed_form(p, r):
        return -r * p / jnp.linalg.norm(p)

    values = jnp.array([3.0, 4.0]), jnp.asarray(2.0)
    solution = backend.solve(*values)
    assert solution.status == Status.SOLVED
    np.testing.assert_allclose(solution.values[0], closed_form(*values), atol=1e-5)
    weights = jnp.array([1.0, 2.0])
    ours = jax.grad(lambda *v: weights @ backend.solve(*v).values[0], argnums=(0, 1))(*values)
    exact = jax.grad(lambda *v: weights @ closed_form(*v), argnums=(0, 1))(*values)
    for mine, theirs in zip(ours, exact, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_unknown_mode():
    x, p = cp.Variable(), cp.Parameter()
    with pytest.raises(InputError, match="mode"):
        diffcp_backend(Problem(cp.Minimize(cp.square(x - p))), [p], [x], mode="qr")
