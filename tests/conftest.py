"""Where the tests find the real traces, and captured output that survives logging."""

import io
import os
from pathlib import Path

import pytest
from absl import logging as absl_logging

# Hydra configures logging anew for each command, which makes absl (imported by Orbax) close the
# stream of its handler unless that is sys.stderr. Under pytest it is one that captures output.
absl_logging.get_absl_handler().python_handler.setStream(io.StringIO())


@pytest.fixture(scope="session")
def azure_root() -> Path:
    """Folder of the Azure LLM inference traces, named by `LPO_DATA`."""
    root = os.environ.get("LPO_DATA")
    if not root:
        pytest.skip("skipped: no data")
    return Path(root)
