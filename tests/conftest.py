"""Where the real traces are, captured output that survives logging, small runs of the main job."""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from absl import logging as absl_logging
from filelock import FileLock

from lpo.runs import CommandConfig, run_command
from lpo.runs.command import Job, Validate
from tests.quick import FLAGS

# Before JAX looks for devices: most programs here take longer to compile than to run. Processes
# that tests start inherit it.
if FLAGS not in os.environ["XLA_FLAGS"]:
    os.environ["XLA_FLAGS"] += f" {FLAGS}"

# Hydra configures logging anew for each command, which makes absl (imported by Orbax) close the
# stream of its handler unless that is sys.stderr. Under pytest it is one that captures output.
absl_logging.get_absl_handler().python_handler.setStream(io.StringIO())

LONGEST = ("test_examples.py", "train/test_main.py", "train/test_devices.py", "study/test_main.py")


def pytest_configure(config: pytest.Config) -> None:
    """One cache of compiled programs for the tests and the processes that they start; Ctrl-C is
    heard, also where a shell ignores it for what runs in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        return  # a worker of pytest-xdist, whose environment names the cache of all workers
    cache = tempfile.TemporaryDirectory(prefix="compiled-", ignore_cleanup_errors=True)
    config.add_cleanup(cache.cleanup)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = cache.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that no process ends long after the other."""
    items.sort(key=lambda item: str(item.path.relative_to(Path(__file__).parent)) not in LONGEST)


@pytest.fixture(scope="session")
def azure_root() -> Path:
    """Folder of the Azure LLM inference traces, named by `LPO_DATA`."""
    root = os.environ.get("LPO_DATA")
    if not root:
        pytest.skip("skipped: no data")
    return Path(root)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Returns what runs a command in this process: from overrides to exit code, run folder and what
    was printed."""

    def of(name: str, schema: type[CommandConfig], validate: Validate, job: Job):
        def start(*overrides: str, folder: str = "run"):
            path = tmp_path / folder
            where = [] if "-m" in overrides else [f"hydra.run.dir={path}"]
            arguments = [f"lpo.{name}", "tracking=disabled", *where, *overrides]
            monkeypatch.setattr(sys, "argv", arguments)
            with pytest.raises(SystemExit) as left:
                run_command(name, schema, validate, job)
            printed = capsys.readouterr()
            return left.value.code, path, printed.out, printed.err

        return start

    return of


TINY = [
    "seeds=2",
    "workload.days=1",
    "forecast.widths=[8]",
    "predictor.steps=30",
    "predictor.segment_steps=10",
    "predictor.batch=32",
    "predictor.early_stopping=validation",  # shifts are those of the first seed of a run
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
        environment = dict(os.environ)
        if devices > 1:
            environment["XLA_FLAGS"] += f" --xla_force_host_platform_device_count={devices}"
        process = subprocess.Popen(
            [sys.executable, "-m", "lpo.train", *overrides, f"hydra.run.dir={folder}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        if not wait:
            return process
        out, err = process.communicate()
        return Run(folder, process.returncode, out, err)

    return start


@pytest.fixture(scope="session")
def train_once(train, tmp_path_factory, worker_id):
    """The small run of a name: trained where it is first asked for, the same for all workers."""
    root = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        root = root.parent  # the workers' own folders are below it

    def start(name: str, *overrides: str, **options: int) -> Run:
        written = root / f"{name}.json"
        with FileLock(root / f"{name}.lock"):
            if not written.exists():
                run = train(*TINY, *overrides, folder=root / name, **options)
                written.write_text(json.dumps(run[1:]))
        run = Run(root / name, *json.loads(written.read_text()))
        assert run.code == 0, run.err
        return run

    return start


@pytest.fixture(scope="session")
def finished(train_once) -> Run:
    """The small run, unbroken."""
    return train_once("unbroken", "+experiment=dro_diffusion")


@pytest.fixture(scope="session")
def fleet_run(train_once) -> Run:
    """A small run through the fleet layer: DFL and MSE, two seeds, plans of three slots."""
    return train_once(
        "fleet",
        "+experiment=dfl",
        "compare=[mse]",
        "provision=fleet",
        "provision.horizon=3",
        "predictor.segment_steps=15",
    )
