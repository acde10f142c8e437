"""Runs together are the runs alone, in the order that was asked for."""

import numpy as np

from lpo.serve.command.fleets import Run, Size, simulate_runs, sizes_of
from lpo.serve.command.simulating import mean_decode_s
from lpo.serve.plans.plan import solve_plan


def busier(problem, times):
    instance = problem.instance._replace(arrival=times * problem.instance.arrival)
    return problem._replace(instance=instance, optimum=solve_plan(instance))


def test_runs_of_one_size_are_those_alone(serve_asked):
    cfg, problem = serve_asked("policy=gate_and_route", "windows=2")
    small, large = Size(10, 4, 20.0, 40.0), Size(20, 4, 20.0, 40.0)
    runs = [
        Run(one, problem.policies[0], size)
        for one in (problem, busier(problem, 2.0))
        for size in (small, large)
    ]
    together = simulate_runs(cfg, runs)
    for run, found in zip(runs, together, strict=True):
        assert found.planned.policy == run.policy
        assert float(found.planned.targets.gpus) == run.size.gpus
    for i in (1, 2):
        alone = simulate_runs(cfg, [runs[i]])[0]
        np.testing.assert_allclose(together[i].totals.arrivals, alone.totals.arrivals)
        np.testing.assert_allclose(
            together[i].measures.reward.mean, alone.measures.reward.mean, rtol=1e-6
        )


def test_sizes_are_sorted_and_keep_their_seeds(serve_asked):
    cfg, problem = serve_asked("analysis.fleets=[50,10]", "warm_up_s=7.0")
    unit = mean_decode_s(problem.instance)
    sizes = sizes_of(cfg, problem.instance, [4.0, 8.0], [5.0])
    assert sizes == [Size(10, 8, 7.0, 5.0 * unit), Size(50, 4, 7.0, 5.0 * unit)]
    cfg.seconds = 3.0
    assert [size.seconds for size in sizes_of(cfg, problem.instance, [1.0], [5.0])] == [3.0, 3.0]
