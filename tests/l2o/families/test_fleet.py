"""Fleet plans as a family: costs and labels are the task's, fleets are those that plans leave."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo import provision
from lpo.errors import InputError
from lpo.l2o.families.fleet import FleetProblem, fleet, fleet_problems
from lpo.l2o.family import sample_problems
from tests.quick import jit

H, K = 3, 2
FLEET = provision.make_fleet([10.0, 7.0], [1.0, 0.8], [0.01, 0.0], 0.5, 2.0, initial=[1.0, 0.0])


def carried(demand, capacity, price, energy, startup, initial, *rest):
    """In closed form, and what runs matters: half of it, and the first serves all demand."""
    return (0.5 * initial + jnp.stack([demand / capacity[0], jnp.zeros(H)], axis=1),)


TASK = provision.fleet_task(FLEET, H, backend=carried)
RNG = np.random.default_rng(0)
DEMAND = RNG.uniform(20, 60, (30, H))
PROBLEMS = FleetProblem(DEMAND, RNG.integers(0, 5, (30, K)).astype(float))
FAMILY = fleet(TASK, PROBLEMS)
OBJECTIVES: Any = jit(jax.vmap(FAMILY.objective))


def test_the_objective_is_the_cost_in_units_of_serving_the_mean_demand():
    usd = H * DEMAND.mean() * min(1.0 / 10.0 + 0.01, 0.8 / 7.0)
    n = RNG.uniform(0, 6, (30, H, K))
    expected = [
        provision.fleet_cost(FLEET._replace(initial=initial), each, demand).total / usd
        for demand, initial, each in zip(*PROBLEMS, n, strict=True)
    ]
    found = OBJECTIVES(n.reshape(30, -1), PROBLEMS)
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-5)
    fewer, none = (np.where(n < 2, instead, n).reshape(30, -1) for instead in (-n, 0.0 * n))
    np.testing.assert_array_equal(OBJECTIVES(fewer, PROBLEMS), OBJECTIVES(none, PROBLEMS))


def test_labels_are_the_plans_of_the_task():
    found = FAMILY.solve(PROBLEMS)
    plans = TASK.plan(*PROBLEMS)
    np.testing.assert_allclose(found.x, np.asarray(plans).reshape(30, H * K), rtol=1e-5)
    np.testing.assert_allclose(found.value, OBJECTIVES(found.x, PROBLEMS), rtol=1e-5)


def test_samples_are_rows_of_the_problems_and_features_tell_them_apart():
    drawn: Any = jit(lambda key: sample_problems(FAMILY, key, 40))(jax.random.PRNGKey(0))
    rows = [np.flatnonzero((np.float32(DEMAND) == d).all(1))[0] for d in np.asarray(drawn.demand)]
    np.testing.assert_array_equal(drawn.initial, PROBLEMS.initial[rows])
    assert len(set(rows)) > 10
    told = np.asarray(jit(jax.vmap(FAMILY.features))(drawn))
    assert told.shape == (40, H + K)
    usual = DEMAND.mean()
    np.testing.assert_allclose(told[:, :H], np.log(DEMAND[rows] / usual), atol=1e-2)
    np.testing.assert_allclose(
        told[:, H:], PROBLEMS.initial[rows] * FLEET.capacity / usual, rtol=1e-5
    )


@pytest.mark.parametrize("commit", [1, 2, 3])
def test_fleets_before_a_plan_are_those_of_a_rolling_horizon(commit):
    def whole(forecast, initial):
        return np.rint(TASK.plan(forecast, initial))

    rows = np.array([0, 2 * commit, 1 + 3 * commit])
    found = fleet_problems(TASK, DEMAND, rows, commit)
    np.testing.assert_array_equal(found.demand, DEMAND[rows])
    np.testing.assert_array_equal(found.initial[0], FLEET.initial)  # nothing came before
    for at, first in ((1, 0), (2, 1)):  # two plans, then three
        rolled = provision.roll(whole, DEMAND[first : rows[at] : commit], FLEET.initial, commit)
        np.testing.assert_array_equal(found.initial[at], rolled[-1])


def test_another_horizon_is_refused():
    with pytest.raises(InputError, match="demand"):
        fleet_problems(TASK, DEMAND[:, :2], np.array([0]), 1)
