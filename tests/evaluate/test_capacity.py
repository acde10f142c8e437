"""Whole replicas of one configuration, against a search over all of them."""

import numpy as np
import pytest

from lpo.evaluate.capacity import Unit, cheapest_unit, replicas
from lpo.provision import CODE, make_fleet, newsvendor, utility

UNIT = Unit("x", tokens=70_000.0, usd=0.1, gpus=2.0)
TASKS = [newsvendor(), newsvendor(3.0, 1.0), utility(CODE, 60.0)]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_exact_replicas_are_the_best_of_all(task):
    forecast = np.random.default_rng(0).uniform(0, 2e6, 200)
    n = replicas(task, UNIT, forecast, "exact")
    every = np.arange(100.0)
    costs = np.asarray(task.cost(every[:, None] * UNIT.tokens, forecast))
    np.testing.assert_allclose(task.cost(n * UNIT.tokens, forecast), costs.min(axis=0), rtol=1e-12)


def test_rounded_is_the_nearest_and_relaxed_the_capacity_itself():
    forecast = np.array([0.0, 69_000.0, 104_000.0, 106_000.0])
    np.testing.assert_allclose(replicas(newsvendor(), UNIT, forecast, "rounded"), [0, 1, 1, 2])
    np.testing.assert_allclose(
        replicas(newsvendor(), UNIT, forecast, "relaxed"), forecast / UNIT.tokens
    )


def test_the_cheapest_unit_has_the_least_rent_for_a_token():
    fleet = make_fleet(
        np.array([10.0, 30.0, 20.0]), np.array([1.0, 2.0, 1.9]), 0.0, 0.0, 5.0, gpus=[1, 2, 4]
    )
    assert cheapest_unit(fleet, ["a", "b", "c"]) == Unit("b", 30.0, 2.0, 2.0)
