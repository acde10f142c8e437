"""The command in this process."""

import pytest

from lpo.scale.command.checks import validate
from lpo.scale.command.config import ScaleConfig
from lpo.scale.command.job import job


@pytest.fixture
def scale(command):
    """Run the command in this process; returns exit code, run folder and what it printed."""
    return command("scale", ScaleConfig, validate, job)
