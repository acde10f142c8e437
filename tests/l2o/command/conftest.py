"""The command in this process."""

import pytest

from lpo.l2o.command.checks import validate
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.command.job import job


@pytest.fixture
def l2o(command):
    """Run the command in this process; returns exit code, run folder and what it printed."""
    return command("l2o", L2oConfig, validate, job)
