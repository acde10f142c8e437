"""The relaxation of an instance with other numbers, against the program that states it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.allocate import Ellipsoid, Options, Uncertainty, budget, build, generate
from lpo.errors import InputError
from lpo.l2o.families.allocation import Multipliers, allocation, at, used
from lpo.l2o.family import sample_problems
from lpo.l2o.linear import family_of, labels, matrix_programs, products, solved
from lpo.optim.linear import solve_linear

INSTANCE = generate("robust", 1, size=(4, 3, 4))
OPTIONS, SETS = Options(horizon_consistent=True), budget(np.inf, np.inf)
FAMILY = allocation(INSTANCE, OPTIONS, SETS)
LINEAR = FAMILY.linear
PROBLEMS = sample_problems(family_of(LINEAR), jax.random.PRNGKey(0), 6)


def relaxed(given, columns, sets=SETS):
    program = build(given, OPTIONS, sets, columns=columns).matrix()
    none = np.zeros(len(program.cost), bool)
    return solve_linear(program._replace(integer=none, binary=none)).objective


@pytest.mark.parametrize("sets", [SETS, budget(1.0, 2.0)])
def test_its_optimum_is_that_of_the_program_of_the_scaled_instance(sets):
    family = allocation(INSTANCE, OPTIONS, sets)
    found = solved(family.linear, PROBLEMS)
    for b in range(3):
        given = at(INSTANCE, jax.tree.map(lambda leaf, b=b: leaf[b], PROBLEMS))
        expected = relaxed(given, family.program.columns, sets)
        assert found.value[b] * family.usd == pytest.approx(expected, rel=1e-5)


def test_the_instance_is_scaled_by_type_and_tier():
    one = Multipliers(jnp.array([2.0, 1.0, 1.0, 1.0]), jnp.array([1.0, 1.0, 0.5, 1.0]))
    given = at(INSTANCE, one).data
    np.testing.assert_allclose(
        given.arrivals_per_hour / INSTANCE.data.arrivals_per_hour, one.demand
    )
    np.testing.assert_allclose(
        given.price_usd_per_hour / INSTANCE.data.price_usd_per_hour, one.price
    )
    assert given.arrivals_per_hour.dtype == np.float64


def test_sparse_and_dense_products_agree_with_the_matrix():
    problem = jax.tree.map(lambda leaf: leaf[0], PROBLEMS)
    matrix = matrix_programs(LINEAR, PROBLEMS)[0].matrix
    x = np.random.default_rng(0).uniform(size=LINEAR.variables).astype(np.float32)
    y = np.random.default_rng(1).uniform(size=LINEAR.rows).astype(np.float32)
    repeated = LINEAR._replace(  # the same program, too large for a dense matrix
        equal=np.append(LINEAR.equal, np.zeros(1 << 14, bool))
    )
    for linear in (LINEAR, repeated):
        both = products(linear, problem)
        long = jnp.asarray(np.append(y, np.zeros(linear.rows - len(y), np.float32)))
        np.testing.assert_allclose(
            both.times(jnp.asarray(x))[: len(y)], matrix @ x, rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(both.back(long), matrix.T @ y, rtol=1e-4, atol=1e-4)


def test_labels_are_optimal_and_features_have_unit_variance():
    found = labels(LINEAR, PROBLEMS)
    assert float(jnp.sqrt(found.value).max()) < 1e-4
    many = sample_problems(family_of(LINEAR), jax.random.PRNGKey(7), 2000)
    told = np.asarray(jax.vmap(LINEAR.features)(many))
    assert told.shape[1] == 4 + 4
    np.testing.assert_allclose(told.std(0), 1.0, atol=0.07)


def test_what_past_solutions_used_loses_nothing_on_them():
    x = solved(LINEAR, PROBLEMS)
    columns = used(FAMILY.program, x.x)
    assert len(columns.degree) < len(FAMILY.program.columns.degree)
    small = allocation(INSTANCE, OPTIONS, SETS, columns=columns)
    again = solved(small.linear, PROBLEMS)
    np.testing.assert_allclose(again.value * small.usd, x.value * FAMILY.usd, rtol=1e-5)


def test_bad_arguments():
    with pytest.raises(InputError, match="ellipsoids"):
        allocation(INSTANCE, OPTIONS, Uncertainty(Ellipsoid(1.0), Ellipsoid(1.0)))
    with pytest.raises(InputError, match="Spreads"):
        allocation(INSTANCE, OPTIONS, SETS, price_spread=0.0)
