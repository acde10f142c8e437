"""`python -m lpo.evaluate` on small trained runs of both tasks."""

import json
import shutil
from functools import partial

import numpy as np
import pandas as pd
import pytest

from lpo import provision
from lpo.evaluate.__main__ import job
from lpo.evaluate.config import EvaluateConfig, validate


@pytest.fixture
def evaluate(command):
    """Run the command in this process; returns exit code, run folder and what it printed."""

    return partial(command("evaluate", EvaluateConfig, validate, job), folder="evaluated")


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """Overrides for a trace of 100 minutes, and its demand."""
    path = tmp_path_factory.mktemp("trace") / "mine.csv"
    minutes = pd.date_range("2025-01-01", periods=100, freq="1min")
    tokens = np.rint(3e6 + 1e6 * np.sin(np.arange(100) / 9))
    pd.DataFrame({"TIMESTAMP": minutes, "ContextTokens": tokens}).to_csv(path, index=False)
    return ["workload=trace", f"workload.path={path}", "workload.kind=series"], tokens


def table(folder, name="evaluation"):
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def test_a_fleet_run_is_judged_in_dollars_and_whole_replicas(evaluate, fleet_run, trace):
    code, folder, out, err = evaluate(f"run={fleet_run.folder}", *trace[0])
    assert code == 0, err
    rows = table(folder)
    decisions = {"relaxed", "rounded", "exact"}
    assert set(rows["decision"]) == decisions
    trained = {"dfl": 2, "mse": 2, "oracle": 1, "last": 1, "mean7_tuned": 1, "max7_tuned": 1}
    for decision in decisions:
        counts = rows.query(f"decision == '{decision}'")["method"].value_counts().to_dict()
        assert counts == trained  # one row a seed; rules are the same for every seed
    np.testing.assert_allclose(rows["cost_usd"] - rows["oracle_usd"], rows["regret_usd"], rtol=1e-6)
    # no fleet beats the linear program that knows the demand; exact plans keep their gap
    assert np.all(rows["cost_usd"] >= rows["bound_usd"] * (1 - 1e-9))
    assert np.all(rows.query("decision == 'exact'")["gap_max"] <= 1e-3)
    oracle = rows.query("method == 'oracle' and decision != 'rounded'")
    assert np.all(oracle["regret_usd"] == 0) and np.all(oracle["unserved_share"] < 0.05)
    assert {"regret_by_method.png", "schedule.png"} == {
        p.name for p in (folder / "figures").iterdir()
    }
    assert "report.html" in out and (folder / "report.html").is_file()
    metrics = json.loads((folder / "summary.json").read_text())["metrics"]
    mine = rows.query("method == 'dfl' and decision == 'exact'")["cost_usd"]
    assert metrics["cost_usd/dfl/exact"] == pytest.approx(mine.mean())


def test_the_schedule_adds_up_to_the_row(evaluate, fleet_run, trace):
    """Cost, GPUs and unserved share of the own method, recomputed slot by slot from the table."""
    code, folder, _, err = evaluate(
        f"run={fleet_run.folder}", "methods=dfl", "replan=2", "seeds=1", *trace[0]
    )
    assert code == 0, err
    schedule = table(folder, "schedule")
    row = table(folder).query("method == 'dfl' and decision == 'exact' and seed == 0").iloc[0]
    assert len(schedule) == 2 * row["plans"]
    catalogue = provision.default_catalogue()
    fleet = provision.to_fleet(catalogue, 60.0)
    n = schedule[[f"replicas {name}" for name in catalogue.names]].to_numpy()
    assert np.array_equal(n, np.rint(n))
    cost, before = 0.0, np.zeros(len(fleet.price))
    for replicas, demand in zip(n, schedule["demand_tokens"], strict=True):
        cost += replicas @ fleet.price + np.maximum(replicas - before, 0) @ fleet.startup
        left = demand
        for k in np.argsort(fleet.energy, kind="stable"):
            served = min(left, replicas[k] * fleet.capacity[k])
            cost, left = cost + served * fleet.energy[k], left - served
        cost, before = cost + left * fleet.unserved, replicas
    assert row["cost_usd"] == pytest.approx(cost, rel=1e-8)
    assert row["gpus"] == pytest.approx((n @ fleet.gpus).mean())
    assert row["unserved_share"] == pytest.approx(
        schedule["unserved_tokens"].sum() / schedule["demand_tokens"].sum()
    )


def test_a_capacity_run_is_judged_in_replicas_of_the_cheapest_configuration(evaluate, finished):
    code, folder, _, err = evaluate(f"run={finished.folder}", "test_sets=all", "methods=all")
    assert code == 0, err
    rows = table(folder)
    trained = pd.read_csv(finished.folder / "tables" / "regret.csv")
    assert set(rows["test_set"]) == set(trained["test_set"])
    assert set(rows["method"]) == set(trained["method"])
    # relaxed replicas are the capacity itself: dollars are idle tokens times the rent of one
    fleet = provision.to_fleet(provision.default_catalogue(), 60.0)
    usd = (fleet.price / fleet.capacity).min()
    relaxed = rows.query("decision == 'relaxed' and method == 'dfl'").set_index(
        ["test_set", "seed"]
    )
    known = trained.query("method == 'dfl'").set_index(["test_set", "seed"]).loc[relaxed.index]
    np.testing.assert_allclose(
        relaxed["cost_usd"], usd * known["cost"] * known["n_windows"], rtol=1e-5
    )
    # one of two neighbours: exact is never dearer than rounded for the oracle, who knows demand
    oracle = rows.query("method == 'oracle'").pivot(
        index="test_set", columns="decision", values="cost_usd"
    )
    assert np.all(oracle["exact"] <= oracle["rounded"] + 1e-12)


def test_another_demand_is_judged_whole_and_scaled(evaluate, fleet_run, trace):
    overrides, tokens = trace
    options = ["decisions=[relaxed]", "seeds=1", "methods=[dfl]"]
    found = []
    for scale in (1, 50):
        code, folder, _, err = evaluate(
            f"run={fleet_run.folder}", *overrides, *options, f"demand_scale={scale}"
        )
        assert code == 0, err
        found.append((table(folder), table(folder, "schedule")))
        shutil.rmtree(folder)
    (rows, schedule), (scaled, of_scaled) = found
    # fractional fleets, whose ridges go with the size of the demand, cost in proportion
    for column in ("cost_usd", "oracle_usd", "bound_usd"):
        np.testing.assert_allclose(scaled[column], 50 * rows[column], rtol=1e-5)
    for column in ("demand_tokens", "forecast_tokens"):
        np.testing.assert_allclose(of_scaled[column], 50 * schedule[column])
    window = 30 + 10 + 3 - 1
    assert len(schedule) == 3 * ((100 - window) // 3 + 1) == 3 * rows["plans"].iloc[0]
    expected = tokens[39 : 39 + len(schedule)]
    np.testing.assert_allclose(schedule["demand_tokens"], expected, rtol=1e-6)


def test_learned_starts_leave_costs_within_the_gap_and_are_reported(evaluate, fleet_run, trace):
    options = ["decisions=[exact]", "methods=[last]", "seeds=1", "solver=highs", *trace[0]]
    found = []
    for start in ("rounded", "linear", "nearest"):
        code, folder, out, err = evaluate(f"run={fleet_run.folder}", f"start={start}", *options)
        assert code == 0, err
        rows = table(folder)
        assert set(rows["start"]) == {start}
        found.append(rows)
        shutil.rmtree(folder)
    plain, linear, learned = found
    for other in (linear, learned):
        np.testing.assert_allclose(other["cost_usd"], plain["cost_usd"], rtol=1e-2)
    assert np.all(learned["gap_max"] <= 1e-3) and np.all(learned["seconds"] > 0)
    assert plain["fallback"].isna().all() and linear["fallback"].isna().all()
    assert learned["fallback"].between(0, 1).all()
    share = learned["fallback"].mean()
    assert f"begin at what nearest predicts, or, where the guard refuses ({share:.0%})" in out


def test_a_learned_start_of_a_task_without_fleets_is_refused(evaluate, finished):
    code, _, _, err = evaluate(f"run={finished.folder}", "start=nearest")
    assert code == 2 and err.count("\n") == 1
    assert "start: nearest given, and" in err and "decides no fleet; allowed: rounded" in err


def test_the_own_test_part_is_the_default(evaluate, fleet_run):
    code, folder, _, err = evaluate(
        f"run={fleet_run.folder}", "decisions=[relaxed]", "methods=[last]"
    )
    assert code == 0, err
    assert set(table(folder)["test_set"]) == {"chat_test"}


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ([], "run: None given; allowed: the folder of a run"),
        (["run=nowhere"], "run: nowhere holds no run"),
        (
            ["run={run}", "start=nearest", "decisions=[rounded]"],
            "start: nearest given without exact in decisions; allowed: rounded",
        ),
        (["run={run}", "gap=2"], "gap: 2.0 given; allowed: in [0, 1)"),
        (["run={run}", "decisions=[]"], "decisions: [] given; allowed: some of relaxed"),
        (["run={run}", "replan=4"], "replan: 4 given; allowed: at most 3"),
        (["run={run}", "seeds=3"], "seeds: 3 given; allowed: at most 2"),
        (["run={run}", "methods=[kl]"], "methods: kl given; allowed: all, oracle"),
        (["run={run}", "test_sets=[x]"], "test_sets: x given; allowed: all, chat_test"),
        (["run={run}", "workload=trace"], "workload.path: None given"),
    ],
)
def test_bad_input_is_one_line(evaluate, fleet_run, overrides, line):
    code, _, _, err = evaluate(*(each.format(run=fleet_run.folder) for each in overrides))
    assert code == 2
    assert line in err and err.count("\n") == 1


@pytest.mark.parametrize("what", ["unfinished", "no predictors", "other command"])
def test_runs_that_cannot_be_judged_are_refused(evaluate, fleet_run, tmp_path, what):
    run = tmp_path / "run"
    shutil.copytree(fleet_run.folder, run)
    if what == "unfinished":
        summary = json.loads((run / "summary.json").read_text()) | {"status": "interrupted"}
        (run / "summary.json").write_text(json.dumps(summary))
    elif what == "no predictors":
        shutil.rmtree(run / "checkpoints" / "predictors")
    else:
        config = (run / "config.yaml").read_text()
        (run / "config.yaml").write_text(config.replace("command: train", "command: evaluate"))
    code, _, _, err = evaluate(f"run={run}")
    lines = {
        "unfinished": "has status interrupted; allowed: a finished run",
        "no predictors": "kept no predictors; train it again",
        "other command": "is a run of lpo.evaluate; allowed: of lpo.train",
    }
    assert code == 2 and lines[what] in err and err.count("\n") == 1
