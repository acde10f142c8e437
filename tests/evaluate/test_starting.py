"""What learned starts of an evaluation are told."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from lpo import provision, workload
from lpo.evaluate import starting
from lpo.evaluate.config import EvaluateConfig, StartKind


def test_starts_learn_from_the_training_part_alone(monkeypatch):
    layout = workload.Layout(window=6, context=3, lead=1, horizon=2)
    series = np.arange(100, dtype=float)  # a slot is its own number
    fleet = provision.make_fleet([10.0, 7.0], [1.0, 0.8], [0.0, 0.0], 0.5, 2.0)
    problem = SimpleNamespace(
        train=workload.cut(series[:60], layout, 1),
        validation=workload.cut(series[60:80], layout, 1),
        test=workload.cut(series[80:], layout, 1),
        layout=layout,
    )
    run: Any = SimpleNamespace(task=provision.fleet_task(fleet, 2), problem=problem, name="made up")
    told = []
    monkeypatch.setattr(starting, "fleet_start", lambda task, demand, **rest: told.append(demand))
    starting.other_start(run, EvaluateConfig(start=StartKind.nearest, demand_scale=2.0))
    # every pair of slots that a window of the training part forecasts first, and no other
    first = np.arange(3.0, 58.0)
    np.testing.assert_allclose(told[0], 2.0 * np.stack([first, first + 1.0], 1))
