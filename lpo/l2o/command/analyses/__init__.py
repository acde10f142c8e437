"""Experiments of `python -m lpo.l2o`: ablations, and starts of linear and mixed-integer plans."""

from collections.abc import Callable
from importlib import import_module

from lpo.l2o.command.config import AnalysisKind, L2oConfig
from lpo.runs import Findings, RunFolder


def analysis_named(name: AnalysisKind) -> Callable[[L2oConfig, RunFolder], Findings]:
    """Return the analysis `find` of the module of that name."""
    return import_module(f"{__name__}.{name.name}").find
