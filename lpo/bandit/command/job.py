"""One run of `python -m lpo.bandit`: play, compare, write."""

from collections.abc import Mapping
from functools import partial
from time import perf_counter
from typing import Any

from lpo.bandit.command.analyses import analysis_named
from lpo.bandit.command.comparing import compare
from lpo.bandit.command.config import BanditConfig
from lpo.runs import RunFolder, environment, interruptible, prepare_report, tracking, write_findings


def job(cfg: BanditConfig, folder: RunFolder) -> Mapping[str, Any]:
    """Play the policies of a configuration and write what came out."""
    prepare_report()
    find, title = compare, cfg.environment.case.name.replace("_", " ")
    if cfg.analysis.name is not None:
        find, title = analysis_named(cfg.analysis.name), cfg.analysis.name.name.replace("_", " ")
    with tracking(cfg.tracking, folder.path, folder.read_config(), cfg.command) as log:
        clock = perf_counter()
        found = interruptible(partial(find, cfg))
        folder.record(timings_s={"playing": perf_counter() - clock}, environment=environment())
        clock = perf_counter()
        write_findings(folder, f"lpo bandit: {title}", found)
        folder.record(timings_s={"writing": perf_counter() - clock})
        log({name: value for name, value in found.metrics.items() if value is not None}, 0)
    return {"result": found.result, "metrics": found.metrics}
