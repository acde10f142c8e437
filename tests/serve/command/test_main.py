"""`python -m lpo.serve`: what it writes, how it ends, what it refuses."""

import json
import signal
import subprocess
import sys
from dataclasses import fields
from time import sleep

import numpy as np
import pandas as pd
import pytest

from lpo.serve import (
    ServiceLevels,
    make_hardware,
    make_instance,
    paper_two_class,
    solve_plan,
)
from lpo.serve.command.config import LevelsConfig
from lpo.serve.command.policies import METRICS

QUICK = [
    "n=6",
    "seeds=4",
    "seconds=40",
    "warm_up_s=40",
    "windows=2",
    "requests.seconds=30",
    "requests.warm_up_s=30",
    "requests.seeds=2",
]


def test_sigterm_ends_a_process_in_which_compiled_programs_still_run(tmp_path):
    folder = tmp_path / "run"
    overrides = ["seconds=1e7", "requests.enabled=false", "tracking=disabled"]
    process = subprocess.Popen(
        [sys.executable, "-m", "lpo.serve", *overrides, f"hydra.run.dir={folder}"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not (folder / "summary.json").exists() or "planning" not in str(summary(folder)):
            assert process.poll() is None
            sleep(0.1)
        sleep(3.0)  # the chain runs, for hours
        process.send_signal(signal.SIGTERM)  # like Ctrl-C, which a process may inherit as ignored
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err.startswith("lpo.serve: interrupted") and "Traceback" not in err
    assert summary(folder)["status"] == "interrupted"


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def table(folder, name):
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def test_policies_stand_side_by_side_with_plan_and_percentiles(serve):
    code, folder, out, err = serve(*QUICK, "policy=[credit_gate,fcfs]")
    assert code == 0, err
    found = summary(folder)
    metrics, best = found["metrics"], solve_plan(paper_two_class())
    assert found["status"] == "finished" and "credit_gate earns" in found["result"]
    assert set(metrics) == set(METRICS) and all(np.isfinite(each) for each in metrics.values())
    assert metrics["lp_reward_per_gpu"] == pytest.approx(best.value, rel=1e-9)
    assert metrics["reward_ratio"] * best.value == pytest.approx(metrics["reward_per_gpu"])
    assert 0.6 < metrics["reward_ratio"] < 1.0 + 3.0 * metrics["reward_se"] / best.value
    assert 0.0 < metrics["ttft_p50_s"] < metrics["ttft_p99_s"]
    # a token takes between tau_solo and tau, and the wait for a slot
    assert metrics["tpot_mean_s"] > 0.022 * 0.99

    policies = table(folder, "policies").set_index("policy")
    assert dict(policies["simulator"]) == {"credit_gate": "aggregate", "fcfs": "per_gpu"}
    assert policies.loc["credit_gate", "reward_per_gpu"] == pytest.approx(metrics["reward_per_gpu"])
    plan = table(folder, "plan")
    np.testing.assert_allclose(plan["prefilling"], 6 * best.x, atol=1e-9)
    np.testing.assert_allclose(plan["value_of_arrival"], best.duals.arrival, atol=1e-8)
    assert set(table(folder, "waits")["class"]) == {"all", "0", "1"}
    assert (folder / "report.html").is_file() and (folder / "figures" / "policies.png").is_file()
    assert "TTFT p99" in out


def test_an_instance_comes_from_the_command_line(serve):
    mine = [
        "instance.prompt=[300,3000]",
        "instance.decode=[1000,400]",
        "instance.arrival=[1,1]",
        "instance.patience=[0.1,0.1]",
        "instance.batch=8",
        "instance.chunk=128",
        "instance.alpha=0.01",
        "instance.beta=1e-4",
        "instance.tau_solo=0.02",
        "instance.price_prompt=0.3",
        "instance.price_decode=0.1",
    ]
    code, folder, _, err = serve(*QUICK, *mine, "requests.enabled=false")
    assert code == 0, err
    instance = make_instance(
        arrival=[1, 1],
        prompt=[300, 3000],
        decode=[1000, 400],
        patience=0.1,
        hardware=make_hardware(batch=8, chunk=128, alpha=0.01, beta=1e-4, tau_solo=0.02),
        price_prompt=0.3,
        price_decode=0.1,
    )
    metrics = summary(folder)["metrics"]
    assert metrics["lp_reward_per_gpu"] == pytest.approx(solve_plan(instance).value, rel=1e-9)
    assert metrics["ttft_p99_s"] is None


def test_switches_of_policies(serve):
    asked = [*QUICK, "requests.enabled=false", "policy=gate_and_route"]
    code, folder, _, err = serve(*asked, "rounding=square_root", "refuse_unplanned=true")
    assert code == 0, err
    planned = 6 * solve_plan(paper_two_class()).x.sum()
    mixed = float(table(folder, "policies")["mixed_gpus"].iloc[0])
    assert mixed == np.ceil(planned + np.sqrt(planned))


def test_single_requests_alone(serve):
    code, folder, _, err = serve(*QUICK, "simulator=request")
    assert code == 0, err
    assert list(table(folder, "policies")["simulator"]) == ["request"]


def test_measurements_of_ones_own_replace_the_hardware(serve, tmp_path):
    tokens = [8, 32, 64, 256, 512, 1024, 2048]
    times = [0.02, 0.02, 0.02, *(0.01 + 5e-5 * each for each in tokens[3:])]
    pd.DataFrame({"tokens": tokens, "time_s": times}).to_csv(tmp_path / "mine.csv", index=False)
    code, folder, _, err = serve(
        *QUICK, "requests.enabled=false", f"measurements.path={tmp_path / 'mine.csv'}"
    )
    assert code == 0, err
    given = paper_two_class()
    hardware = make_hardware(batch=16, chunk=256, alpha=0.01, beta=5e-5, tau_solo=0.02)
    best = solve_plan(given._replace(hardware=hardware)).value
    assert summary(folder)["metrics"]["lp_reward_per_gpu"] == pytest.approx(best, rel=1e-6)


def test_the_simulator_never_takes_another_gpus_times(serve, tmp_path):
    times = {"tokens": [8, 64, 256, 1024], "time_s": [0.02, 0.02, 0.03, 0.06]}
    pd.DataFrame(times).to_csv(tmp_path / "mine.csv", index=False)
    mine = f"measurements.path={tmp_path / 'mine.csv'}"
    code, _, _, err = serve(*QUICK, mine, "requests.iteration_time=tabular")
    assert code == 2 and "measurements.kind" in err
    other = ["hardware=a100_llama_3_8b_tp1", "instance.alpha=0.5"]
    code, _, _, err = serve(*QUICK, *other, "requests.iteration_time=tabular", folder="other")
    assert code == 2 and "not those of a100_llama_3_8b_tp1" in err


def test_a_search_says_what_the_fleet_loses(serve):
    code, folder, out, err = serve(
        *QUICK,
        "policy=fcfs",
        "search.ttft_s=9",
        "requests.seconds=60",
        "search.most=12",
        "search.seeds=3",
    )
    assert code == 0, err
    found = summary(folder)["metrics"]
    assert found["least_fleet"] < found["minimum_fleet"]
    assert "which no limit forbids" in " ".join(out.split())


def test_limits_that_no_fleet_keeps_are_infeasible(serve):
    code, folder, _, err = serve(*QUICK, "policy=fcfs", "search.ttft_s=0.01", "search.seeds=2")
    assert code == 3 and "`search.ttft_s` = 0.01 s is below" in err
    assert summary(folder)["status"] == "infeasible"


def test_a_search_is_for_one_policy(serve):
    code, _, _, err = serve(*QUICK, "policy=[fcfs,credit_gate]", "search.ttft_s=2")
    assert code == 2 and "one name (in a search)" in err


def test_whoever_never_gives_up_and_is_never_served_is_named(serve):
    code, _, out, err = serve(
        *QUICK, "instance=paper_two_class_x2", "instance.patience=[0,0]", "requests.enabled=false"
    )
    assert code == 0, err
    assert "class 0 has no patience limit and 78.3 % of it cannot be served" in " ".join(
        out.split()
    )


def test_levels_that_exclude_each_other_are_named(serve):
    code, folder, _, err = serve(*QUICK, "levels.service_share=1.0", "levels.ttft_s=0.1")
    assert code == 3
    assert "service_share" in err or "ttft_s" in err
    assert summary(folder)["status"] == "infeasible"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("policy=lifo", "policy: lifo given; allowed: all, or some of credit_gate"),
        ("policy=[fcfs,fcfs]", "every name once"),
        ("instance=three", "instance: 'three' given; allowed: dolly, paper_two_class"),
        ("n=0", "n: 0 given; allowed: >= 1"),
        ("instance.arrival=[0,0]", "instance.arrival: [0.0, 0.0] given; allowed: one rate > 0"),
        ("instance.arrival=[1,1,1]", "instance: `prompt` must be one number or one a class"),
        ("instance.beta=-1", "instance: `beta` must be at least 0"),
        ("levels.abandonment=2", "levels: `abandonment` must be in"),
        ("+levels.tpot=1", "levels.tpot"),
        ("measurements.path=none.csv", "no such file"),
        ("trace.path=none.csv", "no such file"),
        ("simulator=exact", "simulator"),
        ("requests.iteration_time=two_regime_kv", "has no k_kv"),
        ("search.ttft_percentile=100", "in (0, 100)"),
    ],
)
def test_bad_input_is_one_line(serve, given, says):
    code, _, out, err = serve(*QUICK, given)
    assert (code, out) == (2, "")
    assert says in err and len(err.strip().splitlines()) == 1 and "Traceback" not in err


def test_single_requests_cannot_be_asked_for_and_switched_off(serve):
    code, _, _, err = serve(*QUICK, "simulator=request", "requests.enabled=false")
    assert code == 2 and "requests.enabled: false given" in err


def test_every_level_has_a_key():
    """But for the coefficients of variation and the queue, which belong to the analysed model."""
    inner = {"cv_prompt", "cv_decode", "decode_queue"}
    assert {part.name for part in fields(LevelsConfig)} == set(ServiceLevels._fields) - inner
