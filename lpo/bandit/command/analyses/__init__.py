"""Experiments of `python -m lpo.bandit` that vary something."""

from collections.abc import Callable
from importlib import import_module

from lpo.bandit.command.config import AnalysisKind, BanditConfig
from lpo.runs import Findings


def analysis_named(name: AnalysisKind) -> Callable[[BanditConfig], Findings]:
    """Return the analysis `find` of the module of that name."""
    return import_module(f"{__name__}.{name.name}").find
