"""The command in this process."""

import pytest

from lpo.bandit.command.checks import validate
from lpo.bandit.command.config import BanditConfig
from lpo.bandit.command.job import job


@pytest.fixture
def bandit(command):
    """Run the command in this process; returns exit code, run folder and what it printed."""
    return command("bandit", BanditConfig, validate, job)
