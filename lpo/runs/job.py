"""What the jobs of commands have in common: find something out, write it, track it."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from lpo.runs.environment import environment
from lpo.runs.findings import Findings, write_findings
from lpo.runs.folder import RunFolder
from lpo.runs.interruptible import interruptible
from lpo.runs.schema import CommandConfig
from lpo.runs.tracking import Log, tracking


def carry_out(
    cfg: CommandConfig,
    folder: RunFolder,
    title: str,
    find: Callable[[], Findings],
    *,
    timing: str,
) -> Mapping[str, Any]:
    """Open the tracked run, then `conclude`: a job that has nothing to save on the way."""
    with tracking(cfg.tracking, folder.path, folder.read_config(), cfg.command) as log:
        return conclude(cfg, folder, title, find, log, timing=timing)


def conclude(
    cfg: CommandConfig,
    folder: RunFolder,
    title: str,
    find: Callable[[], Findings],
    log: Log,
    *,
    timing: str,
    step: int = 0,
) -> Mapping[str, Any]:
    """Find, so that Ctrl-C is heard, and write; return parts of `summary.json`.

    title: of the report, after the command's name. timing: entry of `timings_s` for the seconds of
    `find`; those of tables, figures and report go to `writing`. step: with which metrics are
    tracked, those that are None left out.

    Raises what `find` raises.
    """
    clock = perf_counter()
    found = interruptible(find)
    # the environment once more: the device is known, now that one was used
    folder.record(timings_s={timing: perf_counter() - clock}, environment=environment())
    clock = perf_counter()
    write_findings(folder, f"lpo {cfg.command}: {title}", found)
    folder.record(timings_s={"writing": perf_counter() - clock})
    log({name: value for name, value in found.metrics.items() if value is not None}, step)
    return {"result": found.result, "metrics": found.metrics}
