"""The lower bound and costs by plan, against whole problems."""

import numpy as np
import pytest

from lpo import provision
from lpo.evaluate import fleet as module
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
