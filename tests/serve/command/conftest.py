"""The command in this process, and what its overrides ask for without starting it."""

import sys

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from lpo.runs import run_command
from lpo.runs.experiments import find_conf
from lpo.runs.own_groups import with_own_groups
from lpo.serve.command.checks import validate
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.job import job
from lpo.serve.command.problem import load_problem


@pytest.fixture
def serve(tmp_path, monkeypatch, capsys):
    """Run the command; returns exit code, run folder and what it printed."""

    def start(*overrides, folder="run"):
        path = tmp_path / folder
        arguments = ["lpo.serve", "tracking=disabled", f"hydra.run.dir={path}", *overrides]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as left:
            run_command("serve", ServeConfig, validate, job)
        printed = capsys.readouterr()
        return left.value.code, path, printed.out, printed.err

    return start


@pytest.fixture(scope="session")
def serve_asked():
    """Returns the checked configuration and the problem of overrides."""
    ConfigStore.instance().store(name="serve_schema", node=ServeConfig)

    def asked(*overrides):
        conf = find_conf()
        with initialize_config_dir(str(conf), version_base="1.3"):
            cfg = OmegaConf.to_object(compose("serve", with_own_groups(conf, "serve", overrides)))
        assert isinstance(cfg, ServeConfig)
        validate(cfg)
        return cfg, load_problem(cfg)

    return asked
