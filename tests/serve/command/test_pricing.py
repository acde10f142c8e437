"""Requests paid when complete or in two parts."""

from typing import Any

import numpy as np
import pytest

from lpo.serve import solve_plan
from lpo.serve.command.analyses.pricing import find


def test_each_plan_is_for_its_prices_and_separate_ones_keep_a_backlog(serve_asked):
    cfg, problem = serve_asked(
        "+experiment=serve_pricing",
        "policy=[gate_and_route,prioritize_and_route]",
        "n=50",
        "seeds=8",
        "windows=4",
        "seconds=200.0",
        "warm_up_s=100.0",
    )
    found = find(cfg, problem)
    plans: Any = found.tables["plans"].data.set_index("plan")
    for scheme in ("bundled", "separate"):
        best = solve_plan(problem.instance, pricing=scheme).value
        assert plans.loc[scheme, f"reward_{scheme}"] == pytest.approx(best)
        assert found.metrics[f"lp_reward_per_gpu/{scheme}"] == pytest.approx(best)
    assert plans.loc["bundled", "waiting_decode"] == pytest.approx(0.0, abs=1e-6)
    assert plans.loc["separate", "waiting_decode"] > 1.0
    table: Any = found.tables["schemes"].data
    # the paper's policy for separate prices has no other plan
    assert table["run"].tolist() == [
        "gate_and_route, bundled plan",
        "gate_and_route, separate plan",
        "prioritize_and_route, separate plan",
    ]
    assert (
        table["reward_separate"] >= table["reward_bundled"] - 4 * table["reward_bundled_se"]
    ).all()
    for scheme in ("bundled", "separate"):
        assert (table[f"share_{scheme}"] < 1.01).all()
    paid_apart = table.set_index("run")["share_separate"]
    assert paid_apart["prioritize_and_route, separate plan"] == paid_apart.max()
    wait = table.set_index("run")["waiting_decode"]
    assert wait["prioritize_and_route, separate plan"] > wait["gate_and_route, bundled plan"] + 1.0


def test_series_start_from_an_empty_fleet_and_the_warm_up_does_not_count(serve_asked):
    cfg, problem = serve_asked(
        "+experiment=serve_pricing",
        "policy=gate_and_route",
        "n=50",
        "seeds=8",
        "windows=20",
        "seconds=200.0",
        "warm_up_s=90.0",
    )
    found = find(cfg, problem)
    series: Any = found.tables["series"].data
    rows = series[series["run"] == "gate_and_route, bundled plan"]
    np.testing.assert_allclose(rows["end_s"], 10.0 * np.arange(1, 30), rtol=1e-5)
    assert rows["reward_bundled"].iloc[0] < 0.7 * rows["reward_bundled"].iloc[9:].mean()
    table: Any = found.tables["schemes"].data
    counted = rows["reward_bundled"].iloc[9:].mean()
    assert table["reward_bundled"].iloc[0] == pytest.approx(counted, rel=1e-5)
