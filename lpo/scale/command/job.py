"""One run of `python -m lpo.scale`: ask, answer, write."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from lpo.runs import RunFolder, carry_out, prepare_report, source_of
from lpo.scale.command.analyses import analysis_named
from lpo.scale.command.answering import answer
from lpo.scale.command.config import AnalysisKind, ScaleConfig
from lpo.scale.command.question import load_question


def job(cfg: ScaleConfig, folder: RunFolder) -> Mapping[str, Any]:
    """Answer the question of a configuration and write what came out."""
    prepare_report()
    clock = perf_counter()
    asked = load_question(cfg)
    own = cfg.cluster.hardware
    if cfg.analysis.name is AnalysisKind.under_load and Path(own).is_file():
        asked.sources.append(source_of(own))
    folder.record(data=asked.sources, timings_s={"reading": perf_counter() - clock})
    name = cfg.analysis.name
    find, title = answer, ", ".join(asked.scenarios)
    if name is not None:
        find, title = analysis_named(name), name.name.replace("_", " ")
    return carry_out(cfg, folder, title, partial(find, cfg, asked), timing="answering")
