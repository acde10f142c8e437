"""The provisioning program against its formula, the KKT error against what optimality says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.families.provisioning import GPUS, MODELS, arms, provisioning
from lpo.l2o.family import sample_problems
from lpo.l2o.linear import (
    family_of,
    kkt_error,
    labels,
    matrix_programs,
    products,
    solved,
    squared_residuals,
)

LINEAR = provisioning()
FAMILY = family_of(LINEAR)
PROBLEMS = sample_problems(FAMILY, jax.random.PRNGKey(3), 40)


def one(at: int):
    return jax.tree.map(lambda leaf: leaf[at], PROBLEMS)


def test_sizes_are_those_of_the_specification():
    assert (LINEAR.variables, LINEAR.rows) == (24, 9)
    assert FAMILY.dimension == 33
    assert FAMILY.features(one(0)).shape == (9,)
    assert len(MODELS) == 4 and len(GPUS) == 5


def test_rows_and_cost_are_those_of_the_formula():
    own, rng = arms(), np.random.default_rng(0)
    x, s = rng.uniform(size=(4, 5)), rng.uniform(size=4)
    problem = one(1)
    served = (own.rate * x).sum(1) + s
    flat = jnp.asarray(np.append(x.ravel(), s), jnp.float32)
    left = products(LINEAR, problem).times(flat)
    np.testing.assert_allclose(left, np.append(served, -x.sum(0)), rtol=1e-5)
    usd = (np.asarray(problem.price) * x).sum() + own.unmet_usd * s.sum()
    assert float(LINEAR.cost(problem) @ flat) == pytest.approx(usd, rel=1e-5)
    np.testing.assert_allclose(
        LINEAR.right(problem), np.append(problem.demand, -own.stock), rtol=1e-6
    )


def test_back_is_the_transpose_of_times_dense_and_sparse():
    x, y = jax.random.normal(jax.random.PRNGKey(0), (24,)), jnp.arange(9.0)
    both = products(LINEAR, one(0))
    assert float(both.times(x) @ y) == pytest.approx(float(both.back(y) @ x), rel=1e-5)
    matrix = matrix_programs(LINEAR, PROBLEMS)[0].matrix
    np.testing.assert_allclose(both.times(x), matrix @ np.asarray(x), rtol=1e-5)


def test_labels_have_no_kkt_error_and_other_points_do():
    found = labels(LINEAR, PROBLEMS)
    assert float(jnp.sqrt(found.value).max()) < 1e-5
    moved = found.x + 0.05 * jax.random.normal(jax.random.PRNGKey(1), found.x.shape)
    errors = jax.vmap(lambda z, problem: kkt_error(LINEAR, z, problem))(moved, PROBLEMS)
    assert float(errors.min()) > 1e-2


def test_each_residual_sees_its_own_violation():
    z = labels(LINEAR, PROBLEMS).x[0]
    problem = one(0)

    def seen(z: jax.Array) -> list[bool]:
        return [float(part) > 1e-8 for part in squared_residuals(LINEAR, z, problem)]

    assert seen(z) == [False, False, False]
    assert seen(z.at[:20].multiply(0.5))[0]  # demand is not served
    assert seen(z.at[24].set(-1.0))[1]  # a multiplier of the wrong sign
    dearer = z.at[20].add(0.1)  # still feasible, not the cheapest
    assert not seen(dearer)[0] and seen(dearer)[2]


def test_weak_duality_of_labels():
    found = solved(LINEAR, PROBLEMS)
    for at in range(5):
        program = matrix_programs(LINEAR, PROBLEMS)[at]
        y = found.y[at]
        reduced = program.cost - program.matrix.T @ y
        bound = program.row_lower @ y + np.minimum(reduced, 0.0) @ program.upper
        assert bound == pytest.approx(found.value[at], rel=1e-6)
        assert (y >= -1e-9).all()


def test_gradient_of_the_objective_is_that_of_differences():
    with jax.enable_x64(True):
        problem = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), one(2))
        z = jnp.asarray(np.random.default_rng(1).normal(size=33))
        slope = jax.grad(FAMILY.objective)(z, problem)
        step = 1e-6
        for at in (0, 7, 22, 25, 32):
            ends = [FAMILY.objective(z.at[at].add(sign * step), problem) for sign in (1, -1)]
            assert float(slope[at]) == pytest.approx(
                float(ends[0] - ends[1]) / (2 * step), abs=1e-5
            )


def test_features_of_a_shift_are_told_in_the_units_of_what_was_trained():
    shifted = provisioning(demand_factor=1.5)
    problem = one(0)._replace(demand=1.5 * one(0).demand)
    np.testing.assert_allclose(shifted.features(problem), LINEAR.features(problem))
    many = sample_problems(family_of(shifted), jax.random.PRNGKey(0), 400)
    told = np.asarray(jax.vmap(shifted.features)(many))
    assert told[:, :4].mean() == pytest.approx(np.log(1.5) / 0.4, abs=0.1)
    assert told[:, 4:].mean() == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(
    "given", [{"demand_spread": 0.0}, {"demand_factor": -1.0}, {"price_factor": (1.0, 2.0)}]
)
def test_bad_arguments(given):
    with pytest.raises(InputError):
        provisioning(**given)
