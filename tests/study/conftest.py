"""A study of a few cells on one synthetic day."""

import logging
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from omegaconf import OmegaConf

from lpo.runs import command as shell
from lpo.study.__main__ import job
from lpo.study.config import StudyConfig, validate

TINY = {
    "tracking": {"mode": "disabled"},
    "seeds": 2,
    "workers": 1,
    "max_windows": 100,
    "base": {
        "workload": {"name": "synthetic", "days": 1},
        "protocol": {"bin_s": 60, "context": 7, "lead": 1},
        "predictor": {"steps": 20, "segment_steps": 10, "batch": 32, "early_stopping": "shifts"},
        "robust": {"epochs": 2, "predictor_steps": 5},
    },
    "settings": {"near": {"protocol": {"lead": 1}}},
    "architectures": {
        "mlp": {"forecast": {"name": "mlp", "widths": [4]}},
        "linear_normalised": {"forecast": {"name": "linear_normalised"}},
    },
    "parts": {
        "capacity": {
            "settings": ["near"],
            "architectures": ["mlp", "linear_normalised"],
            "methods": ["dfl_matched"],
        }
    },
    "tuning": {
        "setting": "near",
        "architectures": ["mlp"],
        "as_tuned_on": {"linear_normalised": "mlp"},
        "seeds": 2,
        # the second is the same program, of another name
        "variants": {"dfl_matched": [{}, {"robust": {"mix": 0.4}}]},
    },
}


@pytest.fixture
def tiny() -> StudyConfig:
    """The configuration of the small study."""
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(StudyConfig), TINY))
    assert isinstance(config, StudyConfig)
    return config


class Run(NamedTuple):
    """A run of the command: its folder, exit code and output."""

    folder: Path
    code: int
    out: str
    err: str


@pytest.fixture
def study(tmp_path, monkeypatch, capsys):
    """Run the small study in this process, with overrides; its cells are in `cells`."""
    conf = tmp_path / "conf"
    conf.mkdir()
    text = yaml.safe_dump({"defaults": ["study_schema", "_self_"]} | TINY, sort_keys=False)
    (conf / "study.yaml").write_text(text)
    monkeypatch.setattr(shell, "find_conf", lambda: conf)

    def start(*overrides: str, name: str = "run", cells: Path = tmp_path / "cells") -> Run:
        folder = tmp_path / name
        arguments = [f"cells={cells}", *overrides, f"hydra.run.dir={folder}"]
        monkeypatch.setattr(sys, "argv", ["lpo.study", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            shell.run_command("study", StudyConfig, validate, job)
        logging.root.handlers.clear()  # Hydra's write to the streams of this call
        return Run(folder, int(left.value.code or 0), *capsys.readouterr())

    return start
