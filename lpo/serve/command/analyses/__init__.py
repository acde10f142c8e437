"""The experiments of `python -m lpo.serve`, a module each."""

from collections.abc import Callable
from importlib import import_module

from lpo.runs import Findings
from lpo.serve.command.config import AnalysisKind, ServeConfig
from lpo.serve.command.problem import Problem

Analysis = Callable[[ServeConfig, Problem], Findings]


def analysis_named(kind: AnalysisKind) -> Analysis:
    """Return the function `find` of the module of that name; only that module is imported."""
    return import_module(f"{__name__}.{kind.name}").find
