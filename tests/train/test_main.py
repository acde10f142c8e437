"""The main job as a user runs it: what it writes, that it repeats, that a kill loses nothing."""

import json
import random
import signal
import sys
import time

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from lpo.optim import Training, seed_keys
from lpo.runs import Checkpoints, RunFolder, run_command
from lpo.runs.stages import Stages
from lpo.train.__main__ import job
from lpo.train.config import TrainConfig, validate
from tests.conftest import TINY

EXPERIMENT = "+experiment=dro_diffusion"
COLUMNS = (
    "method,test_set,seed,nr_pooled,nr_code,regret,cost,oracle_cost,cost_per_token,mse,n_windows"
)
RULES = {"oracle", "last", "mean7", "max7", "mean7_tuned", "max7_tuned"}
RULES |= {"constant", "constant_mean", "exp_smoothing", "linear_quantile", "time_of_day"}
TRAINED = {"mse", "dfl", "dfl_matched", "linear_normalised", "dro_diffusion"}


@pytest.fixture
def refuse(tmp_path, monkeypatch, capsys):
    """Run the command in this process, which must refuse; returns the one line it says."""

    def start(*overrides):
        folder = tmp_path / "refused"
        arguments = ["lpo.train", *TINY, EXPERIMENT, *overrides, f"hydra.run.dir={folder}"]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as left:
            run_command("train", TrainConfig, validate, job)
        error = capsys.readouterr().err
        assert left.value.code == 2, error
        assert error.count("\n") == 1 and "Traceback" not in error, error
        return error

    return start


def tables(folder):
    return {path.name: path.read_bytes() for path in (folder / "tables").iterdir()}


def metrics(folder):
    return json.loads((folder / "summary.json").read_text())["metrics"]


def test_run_folder_is_complete(finished):
    written = {path.name for path in finished.folder.iterdir()}
    assert {"config.yaml", "summary.json", "metrics.parquet", "report.html"} <= written
    assert {"tables", "figures", "checkpoints"} <= written
    figures = {path.name for path in (finished.folder / "figures").iterdir()}
    assert figures == {"regret_by_set.png", "training_curves.png", "windows.png"}
    summary = json.loads((finished.folder / "summary.json").read_text())
    assert (summary["status"], summary["experiment"]) == ("finished", "dro_diffusion")
    stages = ("compile", "score_training", "predictor_training", "robust_training", "sampling")
    assert all(summary["timings_s"][name] > 0 for name in (*stages, "evaluation"))
    assert "report.html" in finished.out


def test_regret_table_has_a_row_for_every_method_set_and_seed(finished):
    path = finished.folder / "tables" / "regret.csv"
    assert path.read_text().partition("\n")[0] == COLUMNS
    table = pd.read_csv(path)
    assert set(table["method"]) == RULES | TRAINED
    assert len(table) == len(RULES | TRAINED) * table["test_set"].nunique() * 2
    assert np.isnan(table["nr_pooled"]).all()  # undefined under newsvendor prices
    assert np.all(table.query("method == 'oracle'")["cost_per_token"] == 0)
    assert np.all(table["regret"] >= 0)


def test_summary_metrics_are_those_of_the_table(finished):
    """Own, average and worst by the definition, recomputed from the csv with a plain loop."""
    table = pd.read_csv(finished.folder / "tables" / "regret.csv")
    found = metrics(finished.folder)
    own_set = table["test_set"].iloc[0]
    for method in RULES | TRAINED:
        own, average, worst = [], [], []
        for seed in (0, 1):
            rows = table[(table["method"] == method) & (table["seed"] == seed)]
            shifted = rows.loc[rows["test_set"] != own_set, "cost_per_token"]
            own += list(rows.loc[rows["test_set"] == own_set, "cost_per_token"])
            average.append(shifted.sum() / len(shifted))
            worst.append(max(shifted))
        for part, values in (("own", own), ("average", average), ("worst", worst)):
            assert found[f"regret/{method}/{part}"] == pytest.approx(np.mean(values), rel=1e-6)
            if method == "dro_diffusion":
                assert found[f"regret/{part}"] == found[f"regret/{method}/{part}"]


def test_metrics_are_long_form_with_every_stage_and_step(finished):
    rows = pd.read_parquet(finished.folder / "metrics.parquet")
    assert list(rows.columns) == ["step", "stage", "name", "value"]
    losses = rows.query("name == 'loss'")
    steps = {stage: list(group["step"]) for stage, group in losses.groupby("stage")}
    assert steps["dfl"] == list(range(1, 31)) and steps["dro_diffusion"] == [1, 2, 3]
    assert steps["dfl_matched"] == [1, 2, 3]  # epochs
    first, second = (rows.query(f"name == 'loss/seed_{i}'")["value"].to_numpy() for i in (0, 1))
    np.testing.assert_allclose((first + second) / 2, losses["value"].to_numpy(), rtol=1e-6)


def test_same_seed_gives_the_same_bytes_after_a_kill_at_a_random_moment(train, finished, tmp_path):
    """SIGKILL, resume, compare with the unbroken run: tables byte for byte, metrics exactly."""
    folder = tmp_path / "killed"
    process = train(*TINY, EXPERIMENT, folder=folder, wait=False)
    while not list(folder.glob("checkpoints/*/*")) and process.poll() is None:
        time.sleep(0.05)
    moment = random.SystemRandom().uniform(0.0, 3.0)
    time.sleep(moment)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "ended before it was killed: train longer"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "interrupted", f"killed {moment:.2f} s after a checkpoint"
    resumed = train(*TINY, EXPERIMENT, "resume=true", folder=folder)
    assert resumed.code == 0, f"killed {moment:.2f} s after a checkpoint: {resumed.err}"
    assert tables(folder) == tables(finished.folder), f"killed after {moment:.2f} s"
    assert metrics(folder) == metrics(finished.folder)
    left, right = (pd.read_parquet(path / "metrics.parquet") for path in (folder, finished.folder))
    pd.testing.assert_frame_equal(left, right)


def test_diverging_training_stops_and_names_stage_step_and_checkpoint(train, tmp_path):
    run = train(*TINY, EXPERIMENT, "predictor.learning_rate=1e30", folder=tmp_path / "diverged")
    assert run.code == 1
    assert "stage mse" in run.err and "step" in run.err and "checkpoint" in run.err
    assert "Traceback" not in run.err
    summary = json.loads((run.folder / "summary.json").read_text())
    assert summary["status"] == "failed" and "stage mse" in summary["result"]


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("robust.epsilon=-1", ("robust.epsilon", "-1", "> 0")),
        ("robust.mix=2", ("robust.mix", "2", "[0, 1]")),
        ("robust.epsilom=1", ("robust.epsilom", "epsilon")),
        ("predictor.steps=many", ("predictor.steps", "many")),
        ("forecast=transformer", ("transformer", "mlp", "lstm")),
        ("robust.method=magic", ("robust.method", "magic", "dfl_matched")),
        ("workload=trace", ("workload.path",)),
        ("protocol=paper", ("paper", "conv_2023")),
        ("workload.days=0.01", ("bins",)),
        ("protocol.context=5", ("protocol.context", "5", "7")),
        ("protocol=honest protocol.lead=3", ("protocol.lead", "3", "honest")),
    ],
)
def test_bad_configuration_is_one_line_that_names_the_thing(refuse, override, named):
    line = refuse(*override.split())
    assert all(word in line for word in named), line


def test_broken_trace_is_refused_with_file_row_and_column(refuse, tmp_path):
    path = tmp_path / "broken.csv"
    path.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2024-01-01 00:00:00,5,1\n2024-01-01 00:00:01,-7,1\n"
    )
    line = refuse("workload=trace", f"workload.path={path}")
    assert all(word in line for word in ("broken.csv", "row 2", "ContextTokens")), line


def test_missing_data_is_refused_with_the_remedy(refuse, tmp_path):
    line = refuse("workload=azure", f"workload.root={tmp_path}")
    assert "azure_llm_2024_conv_5s.csv" in line and "lpo.workload download" in line


def test_other_protocol_head_estimator_and_one_seed(train, tmp_path):
    """`honest` in normalised regret, quantiles, the clipped ratio; nothing moves at rate 1e-12."""
    run = train(
        *TINY,
        "+experiment=dro_diffusion_ppo",
        "protocol=honest",
        "forecast.head=quantile",
        "compare=[dfl_matched]",
        "seeds=1",
        "robust.predictor_learning_rate=1e-12",
        folder=tmp_path / "honest",
    )
    assert run.code == 0, run.err
    table = pd.read_csv(run.folder / "tables" / "regret.csv").query("test_set == 'chat_test'")
    scores = dict(zip(table["method"], table["nr_pooled"], strict=True))
    assert scores["oracle"] == 0 and all(score >= 0 for score in scores.values())
    # both continue the best parameters of DFL
    assert scores["dfl_matched"] == pytest.approx(scores["dfl"], rel=1e-4)
    assert scores["dro_diffusion_ppo"] == pytest.approx(scores["dfl"], rel=1e-4)
    found = metrics(run.folder)
    assert found["regret/own"] == pytest.approx(scores["dro_diffusion_ppo"], rel=1e-6)


def test_paper_protocol_runs_without_a_validation_part_and_warns(train, tmp_path, azure_root):
    run = train(
        *TINY,
        "+experiment=mse",
        "protocol=paper",
        "workload=azure",
        f"workload.root={azure_root}",
        "compare=[]",
        folder=tmp_path / "paper",
    )
    assert run.code == 0, run.err
    summary = json.loads((run.folder / "summary.json").read_text())
    assert any("repeat each other exactly" in note for note in summary["notes"])
    assert "repeat each other exactly" in run.out


def test_resume_after_metrics_without_a_checkpoint_repeats_no_row(tmp_path):
    """A kill between the two writes of a stage's first segment."""
    folder = RunFolder(tmp_path)
    rows = {"step": [1, 2], "stage": ["stage"] * 2, "name": ["x"] * 2, "value": [9.0, 9.0]}
    folder.write_metrics(pd.DataFrame(rows))
    counting = Training(
        lambda key: {"count": jnp.zeros(())},
        lambda key, state, data: ({"count": state["count"] + 1.0}, {"x": state["count"]}),
    )
    with Checkpoints(folder.checkpoints) as checkpoints:
        stages = Stages(folder, checkpoints, lambda metrics, step: None, seed_keys(0, 1))
        stages.run("stage", counting, None, steps=4, segment_steps=2, timing="training")
    written = folder.read_metrics()
    assert list(written["step"]) == [1, 2, 3, 4]
    assert list(written["value"]) == [0.0, 1.0, 2.0, 3.0]
