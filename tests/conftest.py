"""Where the real traces are, captured output that survives logging, small runs of the main job."""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from absl import logging as absl_logging

# Hydra configures logging anew for each command, which makes absl (imported by Orbax) close the
# stream of its handler unless that is sys.stderr. Under pytest it is one that captures output.
absl_logging.get_absl_handler().python_handler.setStream(io.StringIO())


def pytest_configure(config: pytest.Config) -> None:
    """One cache of compiled programs for the tests and the processes that they start."""
    cache = tempfile.TemporaryDirectory(prefix="compiled-", ignore_cleanup_errors=True)
    config.add_cleanup(cache.cleanup)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = cache.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"


@pytest.fixture(scope="session")
def azure_root() -> Path:
    """Folder of the Azure LLM inference traces, named by `LPO_DATA`."""
    root = os.environ.get("LPO_DATA")
    if not root:
        pytest.skip("skipped: no data")
    return Path(root)


TINY = [
    "seeds=2",
    "workload.days=1",
    "forecast.widths=[8]",
    "predictor.steps=30",
    "predictor.segment_steps=10",
    "predictor.batch=32",
    "diffusion.steps=30",
    "diffusion.segment_steps=10",
    "diffusion.batch=32",
    "diffusion.width=16",
    "diffusion.blocks=1",
    "diffusion.grid_steps=8",
    "diffusion.fine_steps=2",
    "diffusion.quality_windows=64",
    "diffusion.likelihood_windows=2",
    "robust.epochs=3",
    "robust.inner_steps=2",
    "robust.predictor_steps=5",
    "robust.samples=64",
    "robust.paths=32",
    "robust.draws=32",
    "robust.audit_draws=64",
    "tracking=disabled",
]


class Run(NamedTuple):
    """A finished process: its run folder, exit code and output."""

    folder: Path
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def train():
    """Start `python -m lpo.train` with overrides."""

    def start(*overrides: str, folder: Path, wait: bool = True, devices: int = 1):
        environment = {}
        if devices > 1:
            environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
        process = subprocess.Popen(
            [sys.executable, "-m", "lpo.train", *overrides, f"hydra.run.dir={folder}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        if not wait:
            return process
        out, err = process.communicate()
        return Run(folder, process.returncode, out, err)

    return start


@pytest.fixture(scope="session")
def finished(train, tmp_path_factory) -> Run:
    """The small run, unbroken."""
    run = train(
        *TINY, "+experiment=dro_diffusion", folder=tmp_path_factory.mktemp("run") / "unbroken"
    )
    assert run.code == 0, run.err
    return run


@pytest.fixture(scope="session")
def fleet_run(train, tmp_path_factory) -> Run:
    """A small run through the fleet layer: DFL and MSE, two seeds, plans of three slots."""
    run = train(
        *TINY,
        "+experiment=dfl",
        "compare=[mse]",
        "provision=fleet",
        "provision.horizon=3",
        "predictor.segment_steps=15",
        folder=tmp_path_factory.mktemp("run") / "fleet",
    )
    assert run.code == 0, run.err
    return run
