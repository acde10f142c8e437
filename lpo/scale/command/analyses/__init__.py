"""Experiments of `python -m lpo.scale`, each of which varies something."""

from collections.abc import Callable
from importlib import import_module

from lpo.runs import Findings
from lpo.scale.command.config import AnalysisKind, ScaleConfig
from lpo.scale.command.question import Question


def analysis_named(name: AnalysisKind) -> Callable[[ScaleConfig, Question], Findings]:
    """Return the analysis `find` of the module of that name."""
    return import_module(f"{__name__}.{name.name}").find
