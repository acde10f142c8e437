"""Repaired plans are feasible whatever comes in, and no dearer than they need be."""

import jax
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.families.provisioning import provisioning
from lpo.l2o.family import sample_problems
from lpo.l2o.linear import family_of, matrix_programs, solved
from lpo.l2o.warm.repair import Covering, covering, primal, repair, repaired, repaired_gap

LINEAR = provisioning()
FAMILY = family_of(LINEAR)


def test_ten_thousand_random_inputs_become_feasible():
    B = 10_000
    shifted = family_of(provisioning(demand_factor=1.5))
    problems = sample_problems(shifted, jax.random.PRNGKey(0), B)
    rng = np.random.default_rng(0)
    size = 10.0 ** rng.uniform(-3, 3, size=(B, 1))
    z = rng.normal(size=(B, 33)) * size + rng.normal(size=(B, 1))
    z[:50] = np.nan
    z[50:100] = np.inf
    z[100:150] = 0.0
    found = repaired(problems, z)
    x = primal(found)
    program = matrix_programs(LINEAR, jax.tree.map(lambda leaf: leaf[:1], problems))[0]
    right = np.asarray(jax.vmap(LINEAR.right)(problems), np.float64)
    left = (program.matrix @ x.T).T
    assert (right - left).max() <= 1e-8
    assert (program.lower - x).max() <= 1e-8 and (x - program.upper).max() <= 1e-8
    np.testing.assert_allclose(found.usd, (np.asarray(jax.vmap(LINEAR.cost)(problems)) * x).sum(1))


def test_an_optimum_stays_one_and_nothing_is_cheaper():
    problems = sample_problems(FAMILY, jax.random.PRNGKey(1), 60)
    exact = solved(LINEAR, problems)
    assert repaired_gap(repaired(problems, exact.x), exact.value) == pytest.approx(0.0, abs=1e-6)
    rng = np.random.default_rng(2)
    random = repaired(problems, rng.uniform(0.0, 1.0, size=(60, 24)))
    assert (repaired_gap(random, exact.value) > -1e-6).all()


def test_a_case_by_hand():
    """Two models, two types; model 0 is served by type 0 at 1 $ a unit of demand or type 1 at 2."""
    problem = Covering(
        rate=np.array([[1.0, 1.0], [0.0, 2.0]]),
        stock=np.array([1.0, 2.0]),
        unmet_usd=5.0,
        demand=np.array([[1.5, 4.0]]),
        price=np.array([[1.0, 2.0]]),
    )
    found = repair(problem, np.zeros((1, 2, 2)))
    # the cheapest units first: both at 1 $ (1 from type 0, 4 from type 1), then nothing is left
    np.testing.assert_allclose(found.gpus[0], [[1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(found.unmet[0], [0.5, 0.0])
    assert found.usd[0] == pytest.approx(1.0 + 4.0 + 2.5)
    too_many = repair(problem, np.full((1, 2, 2), 9.0))
    # 1 + 1 of a stock of 2 of type 1: half an order too many for model 0, of the dearer type
    np.testing.assert_allclose(too_many.gpus[0, 0], [1.0, 0.5])
    np.testing.assert_allclose(too_many.gpus[0, 1], [0.0, 1.5])


def test_gpus_dearer_than_unmet_demand_are_not_added():
    problem = Covering(np.ones((1, 1)), np.ones(1), 1.0, np.ones((1, 1)), np.full((1, 1), 3.0))
    found = repair(problem, np.zeros((1, 1, 1)))
    assert found.gpus.sum() == 0.0 and found.unmet.sum() == 1.0


def test_another_shape_is_refused():
    problem = covering(sample_problems(FAMILY, jax.random.PRNGKey(1), 3))
    with pytest.raises(InputError, match="gpus"):
        repair(problem, np.zeros((3, 5, 4)))
