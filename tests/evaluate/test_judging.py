"""Which rules there are to judge: by the task, and by whether the demand has the run's clocks."""

import numpy as np
import pytest

from lpo import forecast, provision, workload
from lpo.errors import InputError
from lpo.evaluate.config import EvaluateConfig
from lpo.evaluate.judging import forecasts
from lpo.evaluate.trained import TrainedRun
from lpo.train.config import TrainConfig, WorkloadConfig
from lpo.train.scoring import predict_rules


@pytest.fixture(scope="module")
def made():
    return workload.synthetic(days=1, bin_s=60.0, seed=3)


def trained(made, task=None, horizon=None) -> TrainedRun:
    """A run without methods; a task of several slots decides each of them by itself."""
    task = provision.newsvendor() if task is None else task
    problem = workload.build(made, workload.lead_time(300.0, 7, 6, horizon), seed=0)
    return TrainedRun("run", TrainConfig(), problem, task._replace(horizon=horizon), {})


CASES = {
    "newsvendor": {},
    "utility": {"task": provision.utility(provision.CODE, 300.0)},
    "slots": {"horizon": 2},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("clocked", [True, False])
def test_names_of_the_rules_are_those_that_are_fitted(made, case, clocked):
    run = trained(made, **CASES[case])
    problem = run.problem if clocked else run.problem._replace(clocks=None)
    fitted = predict_rules(problem._replace(tests={}), run.task, 1)
    task = run.task
    names = forecast.applicable_rules(
        slots=task.horizon is not None, fractile=task.fractile, clock=clocked
    )
    assert names == [rule.method for rule in fitted]


@pytest.mark.parametrize("case", ["utility", "slots"])
def test_rule_that_does_not_apply_is_refused_with_those_that_do(made, case):
    run = trained(made, **CASES[case])
    tests = {run.problem.own: run.problem.tests[run.problem.own]}
    with pytest.raises(InputError) as refused:
        forecasts(run, EvaluateConfig(methods=["time_of_day"]), tests)
    line, _, allowed = str(refused.value).partition("allowed: ")
    assert line == "methods: time_of_day given; "
    assert {"all", "oracle", "mean7_tuned", "exp_smoothing"} <= set(allowed.split(", "))
    assert not {"time_of_day", "linear_quantile"} & set(allowed.split(", "))


def test_another_workload_does_not_get_the_clocks_of_a_series_of_its_name(made):
    """Its `code` has other bins, as many or not; by time of day it cannot be forecast."""
    run = trained(made)
    shorter = {"code": run.problem.tests["code"][:50]}
    elsewhere = EvaluateConfig(workload=WorkloadConfig(), methods="all")
    found = {each.method: each.by_set["code"] for each in forecasts(run, elsewhere, shorter)}
    assert "time_of_day" not in found and {"oracle", "linear_quantile"} <= set(found)
    assert all(len(values[0]) == 50 for values in found.values())
    with pytest.raises(InputError, match="methods: time_of_day given; allowed: all, oracle"):
        forecasts(run, EvaluateConfig(workload=WorkloadConfig(), methods="time_of_day"), shorter)


def test_own_sets_keep_their_clocks(made):
    """Alone on its set, the rule is the same as among all sets."""
    run = trained(made)
    one = {"code": run.problem.tests["code"]}
    _, alone = forecasts(run, EvaluateConfig(methods="time_of_day"), one)
    (every,) = predict_rules(run.problem, run.task, 1, ["time_of_day"])
    assert np.array_equal(alone.by_set["code"], every.by_set["code"])
    assert len(np.unique(alone.by_set["code"])) > 1
