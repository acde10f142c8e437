"""The lower bound and costs by plan, against whole problems."""

import jax.numpy as jnp
import numpy as np
import pytest

from lpo import provision
from lpo.evaluate import fleet as module
from lpo.l2o.warm import fleet_start
from lpo.optim import solve_milp


@pytest.fixture
def small():
    rng = np.random.default_rng(0)
    numbers = provision.make_fleet(
        rng.uniform(5, 15, 3), rng.uniform(0.5, 2, 3), rng.uniform(0.01, 0.1, 3), 0.7, 2.0,
        initial=[1.0, 0.0, 2.0],
    )  # fmt: skip
    return numbers, rng.uniform(0, 60, 10)


@pytest.mark.parametrize("stretch", [3, 10, 100])
def test_the_bound_is_below_the_whole_problem_and_meets_it_in_one_stretch(
    small, stretch, monkeypatch
):
    fleet, demand = small
    program = provision.fleet_program(fleet, len(demand))
    provision.set_values(program, fleet, demand)
    whole = solve_milp(program.problem, solver="highs").objective
    assert whole is not None
    monkeypatch.setattr(module, "BOUND_SLOTS", stretch)
    bound = module.lower_bound(fleet, demand)
    assert bound <= whole * (1 + 1e-9)
    if stretch >= len(demand):
        assert bound == pytest.approx(whole, rel=1e-8)


def test_costs_by_plan_add_up_to_the_cost_of_the_whole_run(small):
    fleet, demand = small
    n, oracle = np.random.default_rng(1).integers(0, 5, (2, 10, 3)).astype(float)
    result = module.outcome(fleet, n, oracle, demand, 5)
    whole = provision.fleet_cost(fleet, n, demand)
    assert result.cost.shape == (2,)
    assert result.cost.sum() == pytest.approx(float(whole.total))
    assert result.unserved.sum() / demand.sum() == pytest.approx(float(whole.unserved_share))
    assert result.gpus.mean() == pytest.approx(float(whole.gpus))
    assert result.oracle.sum() == pytest.approx(
        float(provision.fleet_cost(fleet, oracle, demand).total)
    )


def test_exact_plans_start_from_the_fleet_that_runs():
    """Constant demand and dear start-ups: started once, whatever the plans are cut into."""
    numbers = provision.make_fleet(np.array([10.0, 7.0]), [1.0, 0.8], [0.0, 0.0], 30.0, 100.0)
    halves = provision.fleet_task(
        numbers, 2, backend=lambda demand, *rest: (jnp.ones((2, 2)) * demand[0] / 20.0,)
    )
    forecasts = np.full((1, 4, 2), 20.0)
    settings = {"solver": "highs", "gap": 0.0, "time_limit_s": 60.0, "advance": lambda count: None}
    for commit in (1, 2):
        run = module.roll_fleets(halves, "exact", forecasts, commit, **settings)
        np.testing.assert_array_equal(run.n[0], np.tile([2.0, 0.0], (4 * commit, 1)))
        result = module.outcome(numbers, run.n[0], run.n[0], np.full(4 * commit, 20.0), commit)
        np.testing.assert_allclose(result.cost, [2 * commit + 60.0] + [2 * commit] * 3)


def test_learned_starts_cost_what_the_rounded_one_does_and_say_how_often_they_were_refused():
    """The relaxation in closed form; demand in training is about 20, and 500 was never seen."""
    numbers = provision.make_fleet(np.array([10.0, 7.0]), [1.0, 0.8], [0.0, 0.0], 3.0, 100.0)
    tenths = provision.fleet_task(
        numbers, 2, backend=lambda demand, *rest: (jnp.ones((2, 2)) * demand[:, None] / 17.0,)
    )
    rng = np.random.default_rng(0)
    start = fleet_start(tenths, 20.0 + rng.normal(0, 2, (60, 2)), predictor="nearest", commit=1)
    usual = 20.0 + rng.normal(0, 1, (2, 4, 2))
    settings = {"solver": "highs", "gap": 1e-3, "time_limit_s": 60.0, "advance": lambda count: None}
    demand = usual[:, :, 0].ravel()
    cost = []
    for each in (None, fleet_start(tenths, usual[0]), start):
        run = module.roll_fleets(tenths, "exact", usual, 1, start=each, **settings)
        cost.append([provision.fleet_cost(numbers, n, demand[:4]).total for n in run.n])
        assert run.fallback <= 0.25 if each is start else np.isnan(run.fallback)
    np.testing.assert_allclose(cost[1], cost[0], rtol=2e-3)
    np.testing.assert_allclose(cost[2], cost[0], rtol=2e-3)
    strange = module.roll_fleets(tenths, "exact", 25.0 * usual, 1, start=start, **settings)
    assert strange.fallback == 1.0 and strange.gap <= 1e-3
    assert np.isnan(module.roll_fleets(tenths, "rounded", usual, 1, **settings).fallback)
