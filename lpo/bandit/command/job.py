"""One run of `python -m lpo.bandit`: play, compare, write."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lpo.bandit.command.analyses import analysis_named
from lpo.bandit.command.comparing import compare
from lpo.bandit.command.config import AnalysisKind, BanditConfig, FamilyKind
from lpo.runs import Findings, RunFolder, carry_out, prepare_report, source_of

LOG = "log.csv"
"""The log of the first seed, in the run folder of the product family."""


def job(cfg: BanditConfig, folder: RunFolder) -> Mapping[str, Any]:
    """Play the policies of a configuration and write what came out."""
    prepare_report()
    title, find = _task(cfg, folder)
    return carry_out(cfg, folder, title, find, timing="playing")


def _task(cfg: BanditConfig, folder: RunFolder) -> tuple[str, Callable[[], Findings]]:
    """What is asked for, by title. Records files, and writes the log of the product family."""
    name, family = cfg.analysis.name, cfg.environment.family
    if name is not None:
        path = cfg.log.path if name is AnalysisKind.off_policy else None
        if path is not None and Path(path).is_file():
            folder.record(data=[source_of(path)])
        return name.name.replace("_", " "), partial(analysis_named(name), cfg)
    if family is FamilyKind.product:
        from lpo.bandit.command.requests import routing_of  # takes seconds to import
        from lpo.bandit.command.routing import route
        from lpo.bandit.product.log import log_table

        routing = routing_of(cfg)
        folder.record(data=routing.sources)
        if routing.product.rows > 0:
            folder.write_text(
                LOG, log_table(routing.product, cfg.seed, cfg.x64).to_csv(index=False)
            )
        return cfg.product.change.name.replace("_", " "), partial(route, cfg, routing)
    title = cfg.environment.case.name.replace("_", " ")
    spherical = family is FamilyKind.spherical
    return f"{title}, shared features" if spherical else title, partial(compare, cfg)
