"""The shell of every command: Hydra config in, run folder and exit code out."""

import argparse
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lpo.errors import InputError
from lpo.interrupts import INTERRUPTED
from lpo.runs.environment import environment
from lpo.runs.experiments import check_experiments, chosen_experiments, find_conf
from lpo.runs.explain import explain, explain_value, unknown_key
from lpo.runs.folder import RunFolder
from lpo.runs.help import help_text
from lpo.runs.own_groups import with_own_groups
from lpo.runs.resume import prepare
from lpo.runs.schema import CommandConfig

FINISHED, FAILED, BAD_INPUT, INFEASIBLE = 0, 1, 2, 3

Validate = Callable[[Any], None]
Job = Callable[[Any, RunFolder], Mapping[str, Any]]


class Infeasible(Exception):
    """The problem that a command was asked to solve has no solution; the message says why.

    `parts` of `summary.json` say it for a program (which limits, what would repair them).
    """

    def __init__(self, message: str, **parts: Any):
        super().__init__(message)
        self.parts = parts


class _Interrupted(KeyboardInterrupt):
    """The user stopped a run, which has said so."""


def run_command(
    config_name: str, schema: type[CommandConfig], validate: Validate, job: Job
) -> NoReturn:
    """Run `python -m lpo.<config_name>` with the arguments of the process, and exit.

    The primary config `conf/<config_name>.yaml` lists `<config_name>_schema` first in its
    defaults, so that unknown keys and wrong types are refused.

    **Arguments:**

    - `schema`: dataclass of the whole configuration.
    - `validate`: gets an instance of `schema`; raises `InputError` for values without meaning, and
      may take out of it what other settings replace, before it is written to `config.yaml`.
    - `job`: gets an instance of `schema` and the run folder; returns parts of `summary.json`:
      any of `result`, `metrics`, `timings_s`, `data`. Raises `InputError` for bad input that
      only shows later (a broken file), `Infeasible`, or anything else for a failure.

    **Exit codes:** 0 finished, 1 failed, 2 bad input (one line on stderr, no traceback),
    3 infeasible, 130 interrupted by Ctrl-C or SIGTERM. A sweep exits with its worst code.
    """
    try:
        code = _main(config_name, schema, validate, job, sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # `--help | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FINISHED
    except KeyboardInterrupt:
        code = _complain(config_name, "interrupted", INTERRUPTED)
    if code == INTERRUPTED:
        _leave_at_once()
    sys.exit(code)


def _leave_at_once() -> None:
    """End the process of an interrupted command without Python's own end, which crashes where a
    compiled program still runs in another thread. Does nothing in somebody else's process."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None and spec.name.startswith("lpo."):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)


def _main(
    command: str, schema: type[CommandConfig], validate: Validate, job: Job, argv: list[str]
) -> int:
    ConfigStore.instance().store(name=f"{command}_schema", node=schema)
    conf = find_conf()
    arguments = _parser(command).parse_intermixed_args(argv)
    given = with_own_groups(conf, command, arguments.overrides)
    with initialize_config_dir(str(conf), job_name=command, version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        overrides: list[Override] = []
        try:
            if arguments.help:
                print(help_text(command, conf, hydra.config_loader))
                return FINISHED
            overrides = OverridesParser.create(hydra.config_loader).parse_overrides(given)
            names = chosen_experiments(overrides)
            check_experiments(conf, command, names)
            if arguments.multirun:
                _refuse_run_folder(overrides)
            lines = _shell(command, names, overrides) + given
            if arguments.cfg:
                hydra.show_cfg(command, lines, cfg_type=arguments.cfg, package=None)
                return FINISHED
            task = partial(_perform, command, validate, job)
            if arguments.multirun:
                batches = hydra.multirun(command, task, [*lines, "hydra.mode=MULTIRUN"])
                codes = [done.return_value for batch in batches for done in batch]
                return _worst(codes)
            return hydra.run(command, task, [*lines, "hydra.mode=RUN"]).return_value
        except InputError as error:
            return _complain(command, str(error), BAD_INPUT)
        except (HydraException, OmegaConfBaseException) as error:
            line = explain(error, command, overrides, hydra.config_loader)
            return _complain(command, line, BAD_INPUT)
        except _Interrupted:
            return INTERRUPTED


def _refuse_run_folder(overrides: list[Override]) -> None:
    """Of a sweep, whose runs lie in folders of `hydra.sweep.dir`."""
    if any(override.key_or_group == "hydra.run.dir" for override in overrides):
        raise InputError("hydra.run.dir: given with -m; allowed: hydra.sweep.dir=...")


def _perform(command: str, validate: Validate, job: Job, composed: DictConfig) -> int:
    """One run, in this process or in a launcher's; returns its exit code.

    Only an interrupt is raised further, after the summary is written, so that it ends a sweep.
    """
    folder = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    fail = partial(_complain, command)
    sweep = HydraConfig.get().mode is RunMode.MULTIRUN
    try:
        config = _typed(composed, command)
        validate(config)
        if prepare(folder, config, sweep=sweep):
            print(f"lpo.{command}: already finished: {folder.path}")
            return FINISHED
    except InputError as error:
        with suppress(OSError):  # not empty: the folder of another run
            folder.path.rmdir()
        return fail(str(error), BAD_INPUT)
    _record_start(folder, command, config)
    try:
        with _sigterm_interrupts():
            parts = job(config, folder)
    except InputError as error:
        folder.record(status="failed", result=str(error))
        return fail(str(error), BAD_INPUT)
    except Infeasible as error:
        folder.record(status="infeasible", result=str(error), **error.parts)
        return fail(f"infeasible: {error}", INFEASIBLE)
    except KeyboardInterrupt:
        folder.record(status="interrupted", result="interrupted by Ctrl-C or SIGTERM")
        where = f"sweep.dir={HydraConfig.get().sweep.dir}" if sweep else f"run.dir={folder.path}"
        fail(
            f"interrupted; repeat the command with resume=true hydra.{where} to continue",
            INTERRUPTED,
        )
        raise _Interrupted from None
    except Exception as error:
        folder.write_text("error.txt", traceback.format_exc())
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        folder.record(status="failed", result=reason)
        return fail(f"failed: {reason} (traceback in {folder.path / 'error.txt'})", FAILED)
    folder.record(**{"status": "finished", "result": "finished", **parts})
    return FINISHED


def _typed(composed: DictConfig, command: str) -> CommandConfig:
    """The composed configuration as an instance of its schema."""
    try:
        config = OmegaConf.to_object(composed)
        added = unknown_key(composed)
    except OmegaConfBaseException as error:
        raise InputError(explain_value(error)) from error
    if added:
        raise InputError(added)
    if not isinstance(config, CommandConfig):
        raise TypeError(f"conf/{command}.yaml must list {command}_schema first in its defaults")
    if config.command != command:
        raise InputError(f"command: {config.command} given; allowed: {command}")
    return config


def _record_start(folder: RunFolder, command: str, config: CommandConfig) -> None:
    """A summary that is true of a process killed at any moment from now on."""
    empty = {"metrics": {}, "timings_s": {}, "data": []}
    folder.record(
        command=command,
        experiment=HydraConfig.get().runtime.choices.get("experiment"),
        seed=config.seed,
        status="interrupted",
        result="started; killed before it ended, if it does not run any more",
        **(empty | {key: value for key, value in folder.summary().items() if key in empty}),
        environment=environment(),
    )


def _shell(command: str, experiments: list[str], overrides: list[Override]) -> list[str]:
    """What is the same for every command: where runs land, and no log files of Hydra's."""
    now = datetime.now().strftime("%Y-%m-%d_%H%M%S")
    job = "${hydra.job.num}-${oc.select:hydra.runtime.choices.experiment,default}-seed${seed}"
    name = experiments[0] if len(experiments) == 1 else "default"
    settings = {
        "hydra/job_logging": "stdout",
        "hydra.job_logging.root.level": "WARNING",
        "hydra.job_logging.handlers.console.stream": "ext://sys.stderr",
        "hydra.job.chdir": "false",
        "hydra.output_subdir": "null",
        "hydra.run.dir": f"runs/{command}/{name}-{now}",
        "hydra.sweep.dir": f"runs/{command}/sweep-{now}",
        "hydra.sweep.subdir": job,
    }
    given = {override.key_or_group for override in overrides}
    return [f"{key}={value}" for key, value in settings.items() if key not in given]


def _parser(command: str) -> argparse.ArgumentParser:
    class OneLine(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            sys.exit(_complain(command, f"{message}; see python -m {self.prog} --help", BAD_INPUT))

    parser = OneLine(prog=f"lpo.{command}", add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("-c", "--cfg", choices=["job", "hydra", "all"])
    return parser


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM (a scheduler's time limit) ends a run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _worst(codes: list[int]) -> int:
    """A failure outweighs bad input, which outweighs an infeasible problem."""
    return next((code for code in (FAILED, BAD_INPUT, INFEASIBLE) if code in codes), FINISHED)


def _complain(command: str, line: str, code: int) -> int:
    print(f"lpo.{command}: {line}", file=sys.stderr)
    return code
