"""The command in this process, and what its overrides ask for without starting it."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from lpo.runs.experiments import find_conf
from lpo.runs.own_groups import with_own_groups
from lpo.serve.command.checks import validate
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.job import job
from lpo.serve.command.problem import load_problem


@pytest.fixture
def serve(command):
    """Run the command in this process; returns exit code, run folder and what it printed."""

    return command("serve", ServeConfig, validate, job)


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
