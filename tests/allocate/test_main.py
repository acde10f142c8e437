"""`python -m lpo.allocate`: what it writes, how it ends, what it refuses."""

import json
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from lpo.allocate.allocation import Allocation
from lpo.allocate.command import job as command_job
from lpo.allocate.command import solving, sweeping
from lpo.allocate.command.checks import validate
from lpo.allocate.command.config import AllocateConfig, ScaleConfig
from lpo.allocate.command.job import job
from lpo.allocate.instances.files import read_solution, write_instance, write_solution
from lpo.allocate.instances.generate import generate
from lpo.allocate.instances.scaling import SCALES, scaled
from lpo.allocate.model.exact import AllocationInterrupted, Solved, solve_allocation
from lpo.allocate.model.objectives import solve_weighted
from lpo.allocate.options import Options
from lpo.allocate.uncertainty import budget
from lpo.allocate.validate.audit import audit
from lpo.optim.outcome import MilpStatus
from lpo.runs import RunFolder

SMALL = ["size=[3,3,4]", "seed=1"]


@pytest.fixture
def allocate(command):
    """Run the command in this process; returns exit code, run folder and what it printed."""

    return command("allocate", AllocateConfig, validate, job)


@pytest.fixture(scope="module")
def instance():
    """What `SMALL` asks for."""
    return generate("robust", 1, size=(3, 3, 4))


@pytest.fixture(scope="module")
def solved(instance) -> Solved:
    """Its cheapest plan by the other solver."""
    return solve_allocation(instance, uncertainty=budget(1.0, 1.0), solver="highs")


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def table(folder, name):
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def test_a_plan_of_a_file_is_written_in_numbers_and_in_words(allocate, instance, solved, tmp_path):
    path = write_instance(tmp_path / "mine.json", instance)
    code, folder, out, err = allocate(f"instance={path}", "gamma=1")
    assert code == 0, err
    found, said = read_solution(folder / "solution.json", instance), summary(folder)
    assert audit(instance, found, Options(), budget(1.0, 1.0)).ok
    assert (said["status"], said["result"]) == ("finished", "optimal")
    metrics = said["metrics"]
    assert metrics["objective_usd"] == pytest.approx(solved.objective, rel=2e-4)
    parts = ("rental", "storage_model", "storage_data", "delay_nominal", "delay_robust", "unmet")
    assert sum(metrics[f"{part}_usd"] for part in parts) == pytest.approx(metrics["objective_usd"])
    assert metrics["lower_bound_usd"] <= solved.objective * (1 + 1e-6)
    assert 0 <= metrics["gap"] <= 1e-4
    assert (metrics["gamma_delay"], metrics["gamma_error"]) == (1, 1)
    assert said["data"][0]["path"] == str(path)

    plan, price = table(folder, "plan"), instance.data.price_usd_per_hour
    assert plan["gpus"].sum() == metrics["gpus"]
    rent = [
        row["gpus"] * price[instance.tiers.index(row["tier"])] * 12
        for row in plan.to_dict("records")
    ]
    np.testing.assert_allclose(plan["rental_usd"], rent)
    assert float(plan["rental_usd"].to_numpy().sum()) == pytest.approx(metrics["rental_usd"])
    routes, types = table(folder, "routes"), table(folder, "types").set_index("query_type")
    for name in instance.query_types:
        own = routes.query(f"query_type == '{name}'")["share"].to_numpy()
        dropped = types["dropped_share"].to_dict()[name]
        assert own.sum() + dropped == pytest.approx(1)
        assert f"{name} " in "".join(plan["serves"])
    units = table(folder, "audit").set_index("limit")["unit"].to_dict()
    assert (units["budget"], units[f"delay of {instance.query_types[0]}"]) == ("$", "ms")
    assert "more_usd_per_query_h" in table(folder, "demand_prices")
    assert np.all(types["worst_error"] <= types["error_limit"] * (1 + 1e-6))
    costs = table(folder, "costs")
    assert costs["share"].iloc[:-1].sum() == pytest.approx(1)
    names = {path.stem for path in (folder / "figures").iterdir()}
    assert names == {"costs", "use", "tensor_parallel"}
    assert "Llama" in out and "the plan keeps every limit" in out and "report.html" in out


def test_a_weighted_cost_has_its_own_bound(allocate, instance):
    code, folder, out, err = allocate(*SMALL, "gamma=1", "weights.rental=3", "weights.delay=0")
    assert code == 0, err
    metrics = summary(folder)["metrics"]
    weighted = 3 * metrics["rental_usd"] + metrics["unmet_usd"]
    weighted += metrics["storage_model_usd"] + metrics["storage_data_usd"]
    assert metrics["weighted_usd"] == pytest.approx(weighted)
    best = solve_weighted(
        instance, {"rental": 3, "delay": 0}, uncertainty=budget(1, 1), solver="highs"
    )
    assert best.objective == pytest.approx(weighted, rel=2e-4)
    assert metrics["weighted_bound_usd"] <= weighted * (1 + 1e-9) and metrics["gap"] <= 1e-4
    assert summary(folder)["result"] == "optimal in weighted cost"
    assert f"weighted cost {weighted:.6g}, no plan's is less than" in out
    assert "not of the weighted one" in (folder / "report.html").read_text()


def test_configuration_reaches_the_model(allocate, instance):
    """Cap, fleet limit, scales, units and switches against the same plan by the library."""
    tier = instance.tiers[-1]
    code, folder, _, err = allocate(
        *SMALL,
        "gamma=inf",
        "gamma_error=0.5",
        "u_cap=published",
        f"fleet_limit={{{tier}:4}}",
        "scale.price=0.5",
        "horizon_consistent=true",
        "legacy_units=false",
        "solver=highs",
    )
    assert code == 0, err
    data = scaled(instance, price=0.5).data
    limit = np.where(np.array(instance.tiers) == tier, 4.0, np.inf)
    cap = np.minimum(1.0, 0.01 * data.arrivals_per_hour)
    changed = instance._replace(data=data._replace(unmet_cap=cap, tier_limit=limit))
    options = Options(horizon_consistent=True, legacy_units=False)
    expected = solve_allocation(changed, options, budget(np.inf, 0.5))
    assert RunFolder(folder).read_config()["gamma"] == np.inf
    metrics = summary(folder)["metrics"]
    assert (metrics["gamma_delay"], metrics["gamma_error"]) == (None, 0.5)
    assert metrics["objective_usd"] == pytest.approx(expected.objective, rel=2e-4)
    np.testing.assert_allclose(table(folder, "types")["dropped_cap"], cap)
    assert f"GPUs of {tier}" in set(table(folder, "audit")["limit"])


def test_infeasible_names_limits_and_a_relaxation_that_repairs_it(allocate, instance):
    code, folder, out, err = allocate(*SMALL, "scale.error_limit=0.3", "gamma=1")
    assert code == 3
    said = summary(folder)
    assert said["status"] == "infeasible" and err.count("\n") == 1
    assert all(name in err for name in said["conflict"])
    limits = scaled(instance, error_limit=0.3).data.error_limit.copy()
    for each in said["relaxations"]:
        kind, _, name = each["limit"].partition(" of ")
        assert kind == "error" and each["from"] == pytest.approx(
            limits[instance.query_types.index(name)]
        )
        assert each["limit"] in err and each["limit"] in out
        limits[instance.query_types.index(name)] = each["to"]
    repaired = instance._replace(data=instance.data._replace(error_limit=limits))
    assert solve_allocation(repaired, uncertainty=budget(1.0, 1.0)).allocation is not None


def test_a_refused_licence_is_said_and_highs_solves(allocate):
    larger = ["scale.memory=2", "mip_gap=0.3"]
    code, folder, out, err = allocate(*larger, "solver=gurobi", folder="refused")
    if code == 0:
        pytest.skip("skipped: this Gurobi licence takes any size")
    assert code == 2 and err.count("\n") == 1
    assert "solver: gurobi given, but Gurobi refused" in err and "allowed: auto, highs" in err
    code, folder, out, err = allocate(*larger)
    assert code == 0, err
    assert "HiGHS" in out and "note: Gurobi refused" in out
    assert summary(folder)["result"].startswith("within mip_gap (gap ")


def test_what_is_known_is_written_on_an_interrupt_and_resumed(
    allocate, instance, solved, monkeypatch
):
    found = solved._replace(status=MilpStatus.FEASIBLE, bound=solved.bound * 0.9)

    def stopped(*_, **__):
        raise AllocationInterrupted(found)

    with monkeypatch.context() as patch:
        patch.setattr(solving, "solve_allocation", stopped)
        code, folder, out, _ = allocate(*SMALL, "gamma=1")
    assert code == 130
    said = summary(folder)
    assert said["status"] == "interrupted"
    assert said["metrics"]["gap"] == pytest.approx(0.1, abs=1e-3)
    assert "feasible (gap 10 %)" in out and len(table(folder, "plan"))
    left = read_solution(folder / "solution.json", instance)
    np.testing.assert_array_equal(left.replicas, found.allocation.replicas)

    begun: list[Allocation | None] = []
    solve = command_job.solve
    monkeypatch.setattr(
        command_job, "solve", lambda cfg, problem, start: begun.append(start) or solve(cfg, problem)
    )
    code, folder, _, err = allocate(*SMALL, "gamma=1", "resume=true")
    assert code == 0, err
    assert summary(folder)["result"] == "optimal"
    assert begun[0] is not None
    np.testing.assert_array_equal(begun[0].replicas, left.replicas)


def test_a_time_limit_without_a_plan_takes_that_of_the_heuristic(allocate, solved, monkeypatch):
    nothing = solved._replace(allocation=None, status=MilpStatus.TIME_LIMIT, objective=None)
    monkeypatch.setattr(solving, "solve_allocation", lambda *_, **__: nothing)
    code, folder, out, err = allocate(*SMALL, "gamma=1", "time_limit=7")
    assert code == 0, err
    assert summary(folder)["result"].startswith("feasible (gap ")
    assert summary(folder)["metrics"]["objective_usd"] <= 1.02 * solved.objective
    assert "note: the solver found no plan in time" in out
    # which does not know ellipsoids
    ball = ["uncertainty=ellipsoid", "radius=1"]
    code, _, _, err = allocate(*SMALL, *ball, "time_limit=7", folder="none")
    assert code == 2 and "time_limit: 7 given, and no plan was found in it" in err


def test_the_heuristic_has_a_bound(allocate, solved):
    code, folder, out, err = allocate(*SMALL, "gamma=1", "method=heuristic")
    assert code == 0, err
    metrics = summary(folder)["metrics"]
    assert metrics["lower_bound_usd"] <= solved.objective * (1 + 1e-6)
    assert solved.objective <= metrics["objective_usd"] * (1 + 1e-6) <= 1.02 * solved.objective
    assert "heuristic, " in out and "note: the lower bound" in out


def test_stress_and_changes(allocate, instance, solved, tmp_path):
    dropped = solved.allocation._replace(
        share=0 * solved.allocation.share, unmet=np.ones(len(instance.query_types))
    )
    before = write_solution(tmp_path / "before.json", instance, dropped)
    code, folder, out, err = allocate(
        *SMALL,
        "gamma=1",
        f"against={before}",
        "stress.enabled=true",
        "stress.samples=100",
        "stress.gammas=[0,inf]",
        "stress.inflation=[1]",
        "stress.distributions=[worst]",
    )
    assert code == 0, err
    rows = table(folder, "stress").set_index(["policy", "distribution"])
    # every deviation at its worst: the box holds, and what does not expect it does not
    assert rows.loc[("gamma inf", "worst"), "violated"] == 0
    assert rows.loc[("gamma 0", "worst"), "violated"] == 1
    costs = rows["in_sample_usd"].unstack().loc[["gamma 0", "this plan", "gamma inf"], "worst"]
    assert np.all(np.diff(costs.to_numpy()) >= 0)
    assert (folder / "figures" / "front.png").is_file()
    moved = table(folder, "changes").query("kind == 'moved'")["change"]
    assert len(moved) and np.all(moved.str.contains("from dropped to"))
    assert "changed against" in out


def test_demand_of_a_trace(allocate, tmp_path):
    seconds = pd.to_datetime("2025-01-01") + pd.to_timedelta(np.arange(0, 7201, 36), unit="s")
    trace = tmp_path / "trace.csv"
    pd.DataFrame({"TIMESTAMP": seconds, "ContextTokens": 300, "GeneratedTokens": 100}).to_csv(
        trace, index=False
    )
    code, folder, _, err = allocate(
        *SMALL, f"demand.trace={trace}", "demand.query_types=[Code_Gen]", "scale.demand=0.5"
    )
    assert code == 0, err
    types = table(folder, "types").set_index("query_type")
    assert types.loc["Code_Gen", "queries_per_hour"] == pytest.approx(0.5 * 201 / 2)


def test_a_sweep_of_scales_and_a_multirun_agree(allocate, tmp_path):
    small = [*SMALL, "gamma=1"]
    grid = [
        "sweep.name=gpu_cost_error",
        "sweep.a=price",
        "sweep.b=error_limit",
        "sweep.grid_a=[0.5,1]",
        "sweep.grid_b=[0.3,1]",
    ]
    code, folder, out, err = allocate(*small, *grid, "sweep.workers=1")
    assert code == 0, err
    rows = table(folder, "gpu_cost_error").set_index(["gpu_cost_scale", "psi_error"])
    assert set(rows.xs(0.3, level=1)["status"]) == {"infeasible"}
    assert "2 of 4 points have a plan" in out and "cannot hold together" in out
    assert "solved to mip_gap=0.0001; the largest gap is " in out
    assert summary(folder)["metrics"]["infeasible"] == 2
    code, _, _, err = allocate(
        "-m", *small, "scale.price=0.5,1", f"hydra.sweep.dir={tmp_path / 'many'}"
    )
    assert code == 0, err
    for job_number, price in enumerate((0.5, 1.0)):
        metrics = summary(tmp_path / "many" / f"{job_number}-default-seed1")["metrics"]
        assert metrics["objective_usd"] == pytest.approx(
            rows.loc[(price, 1.0), "total_cost"], rel=2e-4
        )


def test_a_stopped_sweep_writes_the_points_so_far(allocate, monkeypatch):
    def stopped(*arguments, **options):
        yield next(iter(sweeping_sweep(*arguments, **options)))
        raise KeyboardInterrupt

    sweeping_sweep = sweeping.sweep
    monkeypatch.setattr(sweeping, "sweep", stopped)
    grid = ["sweep.a=price", "sweep.b=demand", "sweep.grid_a=[0.5,1]", "sweep.grid_b=[1]"]
    code, folder, _, _ = allocate(*SMALL, *grid, "sweep.workers=1")
    assert code == 130
    assert len(table(folder, "price_demand")) == 1
    assert summary(folder)["metrics"]["points"] == 1


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["gamma=2"], 201.48937),
        (["gamma=0"], 195.36224),
        (["profile=reference"], 311.79605),
    ],
)
def test_published_answers(allocate, rodiu_root, overrides, expected):
    code, folder, _, err = allocate(f"instance={rodiu_root / 'instance_small.json'}", *overrides)
    assert code == 0, err
    metrics = summary(folder)["metrics"]
    assert metrics["objective_usd"] == pytest.approx(expected, rel=1e-4)
    assert metrics["audit_violation"] < 1e-5


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["instance=nowhere.json"],
            "instance: nowhere.json given, and there is no such file; allowed: ",
        ),
        (["instance=."], "instance: . given, which is a directory; allowed: generated, or the"),
        (["instance={broken}"], "broken.json: line 2 is no JSON"),
        (
            ["against=nowhere.json"],
            "against: nowhere.json given, and there is no such file; allowed: null or",
        ),
        (
            ["weights={{rental:0,storage:0,delay:0,unmet:0}}"],
            "weights: all are 0; allowed: at least one > 0",
        ),
        (
            ["demand.trace={trace}"],
            "demand: the instance has 6 query types and demand.prompt_edges",
        ),
        (["gamma=-1"], "gamma: -1.0 given; allowed: >= 0"),
        (["gamma_error=nan"], "gamma_error: nan given; allowed: >= 0"),
        (["mip_gap=1"], "mip_gap: 1.0 given; allowed: in [0, 1)"),
        (["u_cap=2"], "u_cap: 2 given; allowed: null, a number in [0, 1], published"),
        (["scale.price=0"], "scale.price: 0.0 given; allowed: > 0"),
        (["scale.prize=2"], "scale.prize: unknown key; did you mean scale.price?"),
        (["size=[1,2]"], "size: [1, 2] given; allowed: null or [query types, models, tiers]"),
        (["fleet_limit={{X:1}}"], "fleet_limit: X given; allowed: A6000_FP16"),
        (["fleet_limit=[1,2]"], "fleet_limit: [1, 2] given; allowed: null, {tier: GPUs}"),
        (["fleet_limit={{A6000_FP16:-1}}"], "fleet_limit.A6000_FP16: -1 given"),
        (["uncertainty=ellipsoid"], "radius: None given; allowed: >= 0 (uncertainty=ellipsoid)"),
        (["uncertainty=box", "gamma=1"], "gamma: 1.0 given; allowed: null (with uncertainty=box)"),
        (["profile=reference", "method=heuristic"], "know the corrected profile, not reference"),
        (["profile=reference", "replicas=2"], "`replicas` belongs to the corrected profile"),
        (["violation_probability=.1", "gamma=1"], "gamma: 1.0 given; allowed: null"),
        (["sweep.a=prize", "sweep.b=budget"], "sweep.a: 'prize' given; allowed: price"),
        (
            ["demand.trace=nowhere.csv"],
            "demand.trace: nowhere.csv given, and there is no such file; allowed: null",
        ),
    ],
)
def test_bad_input_is_one_line(allocate, tmp_path, overrides, line):
    broken = tmp_path / "broken.json"
    broken.write_text('{"a": 1,\n')
    trace = tmp_path / "trace.csv"
    seconds = pd.to_datetime("2025-01-01") + pd.to_timedelta([0, 60], unit="s")
    pd.DataFrame({"TIMESTAMP": seconds, "ContextTokens": 300, "GeneratedTokens": 100}).to_csv(
        trace, index=False
    )
    code, _, _, err = allocate(*(each.format(broken=broken, trace=trace) for each in overrides))
    assert code == 2
    assert line in err and err.count("\n") == 1


def test_every_key_has_words_in_the_help(allocate):
    code, _, out, _ = allocate("--help")
    assert code == 0
    keys = out.partition("Keys and their defaults")[2].partition("\nRuns")[0].splitlines()[1:]
    plain = {"scale", "weights", "demand", "stress", "sweep", "tracking"}
    plain |= {f"{each}_column" for each in ("time", "context", "generated")}
    plain |= {"delay_limit", "error_limit", "delay_price", "storage_price"}
    silent = [line.split(":")[0].strip() for line in keys if "#" not in line]
    assert set(silent) <= plain


def test_scales_of_the_command_are_those_of_the_library():
    assert [each.name for each in fields(ScaleConfig)] == list(SCALES)
