"""Which rules a problem and a task have, and that they see the clock of each test set."""

import numpy as np
import pytest

from lpo import forecast, provision, workload
from lpo.train import scoring

COARSE = workload.lead_time(300.0, context=7, lead=6)


@pytest.fixture(scope="module")
def made():
    return workload.synthetic(days=1, bin_s=60.0, seed=3)


def test_every_rule_applies_to_a_newsvendor_and_the_rest_to_a_utility(made):
    problem = workload.build(made, COARSE, seed=0)
    for task, extra in (
        (provision.newsvendor(), {"linear_quantile", "time_of_day"}),
        (provision.utility(provision.CODE, 300.0), set()),
    ):
        found = {rule.method for rule in scoring.predict_rules(problem, task, seeds=1)}
        without = set(forecast.RULES) - {"linear_quantile", "time_of_day"}
        assert found == without | extra


def test_the_rule_by_time_of_day_uses_the_hours_of_each_set(made):
    """Demand that is its own hour: by time of day it is known, but for a set without a clock."""
    hours = 1.0 + np.arange(864) * 300.0 // 3600 % 24
    series = {
        name: workload.Series(name, hours, 300.0, start, None)
        for name, start in (("x", "2024-06-01"), ("y", "2024-06-02"), ("z", None))
    }
    problem = workload.build(workload.Workload("w", "x", series), COARSE, seed=0)
    (rule,) = scoring.predict_rules(problem, provision.newsvendor(), 2, ["time_of_day"])
    for name in ("x_test", "y", "z"):
        _, target = workload.pairs(problem.tests[name], problem.layout)
        assert rule.by_set[name].shape == (2, *target.shape)
        assert np.array_equal(rule.by_set[name][0], target) == (name != "z")
    assert len(np.unique(rule.by_set["z"])) == 1
    assert "time_of_day" not in {
        each.method
        for each in scoring.predict_rules(problem._replace(clocks=None), provision.newsvendor(), 1)
    }
