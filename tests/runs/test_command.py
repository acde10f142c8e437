"""The shell, by a command of a few lines: what is refused, what is written, exit codes."""

import hashlib
import json
import logging
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from lpo.runs import command as shell

TOY = Path(__file__).parent / "toy" / "toy_command.py"


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run the toy command in this process; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(TOY.parent))
    toy = import_module("toy_command")
    monkeypatch.setattr(shell, "find_conf", lambda: toy.CONF)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["toy", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            shell.run_command("toy", toy.ToyConfig, toy.validate, toy.job)
        logging.root.handlers.clear()  # Hydra's write to the streams of this call
        return stop.value.code, *capsys.readouterr()

    return call


def summary(folder: str) -> dict:
    return json.loads((Path(folder) / "summary.json").read_text())


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("sedd=1", "sedd: unknown key; did you mean seed? allowed: command, seed, resume"),
        ("shape.sid=1", "shape.sid: unknown key; did you mean shape.side? allowed: shape.name"),
        ("+colour=red", "colour: unknown key; allowed: command, seed"),
        ("+shape.colour=red", "shape.colour: unknown key; allowed: shape.name, shape.side"),
        ("hydra.colour=red", "hydra.colour: unknown key; allowed: hydra."),
        ("shap=triangle", "shap: unknown key; did you mean shape?"),
        ("seed=abc", "seed: 'abc' given; allowed: an integer"),
        ("shape.side=wide", "shape.side: 'wide' given; allowed: a number"),
        (
            "tracking.tags=one",
            "tracking.tags: one value given; allowed: a list, tracking.tags=[",
        ),
        ("resume=perhaps", "resume: 'perhaps' given; allowed: true or false"),
        ("seed=null", "seed: null given; allowed: a value"),
        ("act=fly", "act: 'fly' given; allowed: add, fail, refuse, give_up, stop, die"),
        ("tracking.mode=maybe", "tracking.mode: 'maybe' given; allowed: offline, online, disabled"),
        ("shape.side=-1", "shape.side: -1.0 given; allowed: > 0"),
        ("shape.side=${nothing}", "shape.side: Interpolation key 'nothing' not found"),
        ("shape=circle", "shape: 'circle' given; allowed: square, triangle"),
        ("+experiment=foreign", "run python -m lpo.other +experiment=foreign"),
        ("+experiment=nothing", "experiment: 'nothing' given; allowed: large"),
        ("experiment=large", "experiment: no default to override; write +experiment=..."),
        ("command=other", "command: other given; allowed: toy"),
        ("seed=0,1", "seed: 0,1 given; allowed: one value, a list seed=[0,1], or several runs"),
        ("+seed=1", "seed: has a value already; write seed=... without the +"),
        ("seed", "seed: not readable; allowed: key=value, group=option"),
        ("--nothing", "unrecognized arguments: --nothing"),
        ("resume=true", "holds no run (no config.yaml); allowed: true with hydra.run.dir="),
        ("-m hydra.run.dir=a", "hydra.run.dir: given with -m; allowed: hydra.sweep.dir=..."),
        ("hydra/launcher=nothing", "hydra/launcher: 'nothing' given; allowed: basic, joblib"),
    ],
)
def test_bad_configuration_is_one_line_and_leaves_nothing(run, argument, line, tmp_path):
    code, out, err = run(*argument.split(" "))
    assert (code, out) == (2, "")
    assert err.startswith("lpo.toy: ")
    assert line in err
    assert err.count("\n") == 1
    assert not list(tmp_path.rglob("*.*"))


def test_run_writes_configuration_and_summary(run):
    code, _, err = run("+experiment=large", "seed=3", "hydra.run.dir=a")
    assert (code, err) == (0, "")
    found = summary("a")
    assert found["metrics"] == {"area": 103.0, "none": None}
    assert found["timings_s"] == {"begin": 0.5}
    assert [found[key] for key in ("command", "experiment", "seed", "status", "result")] == [
        "toy",
        "large",
        3,
        "finished",
        "finished",
    ]
    assert {"python", "device", "git_commit", "versions"} <= found["environment"].keys()
    config = OmegaConf.load("a/config.yaml")
    assert config.shape == {"name": "triangle", "side": 10.0, "corners": 3}
    assert sorted(path.name for path in Path("a").iterdir()) == ["config.yaml", "summary.json"]


def test_default_folder_says_command_experiment_and_time(run):
    assert run("+experiment=large")[0] == 0
    (folder,) = Path("runs/toy").iterdir()
    assert folder.name.startswith("large-20")


@pytest.mark.parametrize(
    ("act", "code", "status", "result"),
    [
        ("fail", 1, "failed", "FloatingPointError: a number is not finite"),
        ("refuse", 2, "failed", "trace.csv, row 3, column tokens: -1 given; allowed: >= 0"),
        ("give_up", 3, "infeasible", "4 GPUs cannot serve 9 requests/s"),
        ("stop", 130, "interrupted", "interrupted by Ctrl-C or SIGTERM"),
    ],
)
def test_every_end_has_its_code_status_and_line(run, act, code, status, result):
    found, _, err = run(f"act={act}", "hydra.run.dir=a")
    assert found == code
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert (summary("a")["status"], summary("a")["result"]) == (status, result)
    assert summary("a")["timings_s"] == {"begin": 0.5}, "what was known is written"
    assert Path("a/error.txt").exists() == (act == "fail")
    assert summary("a").get("conflict") == (["GPUs"] if act == "give_up" else None)


def test_folder_of_another_run_is_not_touched(run):
    run("hydra.run.dir=a")
    before = Path("a/summary.json").read_bytes()
    code, _, err = run("seed=1", "hydra.run.dir=a")
    assert code == 2
    assert "is not empty; allowed: a new or empty folder, or resume=true" in err
    assert Path("a/summary.json").read_bytes() == before


def test_resume_continues_only_the_same_configuration(run):
    run("act=stop", "hydra.run.dir=a")
    code, _, err = run("act=stop", "shape.side=2", "hydra.run.dir=a", "resume=true")
    assert code == 2
    assert "shape.side: 2.0 given; allowed: 1.0, the value of the run in" in err
    # tracking is no part of what is computed
    assert run("act=stop", "tracking.mode=disabled", "hydra.run.dir=a", "resume=true")[0] == 130


def test_resume_of_a_finished_run_does_nothing(run):
    run("hydra.run.dir=a")
    before = Path("a/summary.json").read_bytes()
    code, out, _ = run("hydra.run.dir=a", "resume=true")
    assert code == 0
    assert "already finished" in out
    assert Path("a/summary.json").read_bytes() == before


def test_resume_refuses_a_file_that_has_changed(run, tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("1")
    run("hydra.run.dir=a")
    path = Path("a/summary.json")
    known = hashlib.sha256(b"1").hexdigest()
    source = [{"path": str(trace), "sha256": known}]
    path.write_text(json.dumps(summary("a") | {"data": source}))
    assert run("hydra.run.dir=a", "resume=true")[0] == 0
    trace.write_text("2")
    code, _, err = run("hydra.run.dir=a", "resume=true")
    assert code == 2 and "trace.csv has changed since the run in" in err and err.count("\n") == 1


def test_sweep_runs_all_and_exits_with_the_worst_code(run):
    sweep = ("-m", "hydra.sweep.dir=s", "seed=1,2", "act=give_up,fail,add")
    assert run(*sweep)[0] == 1
    found = {path.name: summary(str(path)) for path in Path("s").iterdir() if path.is_dir()}
    assert [found[name]["status"] for name in sorted(found)] == [
        "infeasible",
        "failed",
        "finished",
    ] * 2
    assert sorted(found)[5] == "5-default-seed2"


def test_interrupt_ends_a_sweep_and_resume_completes_it(run):
    assert run("-m", "hydra.sweep.dir=s", "act=add,stop,add", "seed=1")[0] == 130
    assert len(list(Path("s").glob("*/summary.json"))) == 2
    before = Path("s/0-default-seed1/summary.json").read_bytes()
    assert run("-m", "hydra.sweep.dir=s", "act=add,give_up", "seed=1", "resume=true")[0] == 2
    assert Path("s/0-default-seed1/summary.json").read_bytes() == before


def test_sweep_with_joblib_reports_the_workers_codes(tmp_path):
    arguments = ["-m", "hydra/launcher=joblib", "hydra.sweep.dir=s", "act=add,give_up"]
    done = subprocess.run(
        [sys.executable, str(TOY), *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 3, done.stderr
    assert summary(str(tmp_path / "s/0-default-seed0"))["status"] == "finished"
    assert summary(str(tmp_path / "s/1-default-seed0"))["status"] == "infeasible"


def test_killed_run_says_interrupted_and_resumes(tmp_path, run):
    killed = subprocess.run([sys.executable, str(TOY), "act=die", "hydra.run.dir=a"], cwd=tmp_path)
    assert killed.returncode == -9
    assert summary("a")["status"] == "interrupted"
    assert summary("a")["timings_s"] == {"begin": 0.5}


def test_help_lists_experiments_options_and_keys(run):
    code, out, _ = run("--help")
    assert code == 0
    for part in ("The area of a shape.", "large  A large triangle.", "square*   Four equal sides."):
        assert part in out
    assert "triangle  Three equal sides." in out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert {"side: 1.0 # of each", "act: add # what the job does", "corners: 4"} <= set(lines)
    assert "seed: 0 # of everything random" in lines
    assert "joblib" in out
    assert "foreign" not in out, "an experiment of another command"


def test_cfg_prints_the_configuration(run):
    code, out, _ = run("--cfg", "job", "+experiment=large")
    assert code == 0
    assert OmegaConf.create(out).shape.side == 10.0
