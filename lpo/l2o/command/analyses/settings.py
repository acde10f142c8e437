"""What an analysis that compares no methods on a family is told: the seed and its own numbers."""

from dataclasses import fields

from lpo.l2o.command.config import L2oConfig
from lpo.runs.without_effect import Needs, experiment_keys, given_keys, refuse_without_effect

_FREE = ("command", "seed", "resume", "tracking", "analysis")
_COMPARISON = Needs[L2oConfig](
    ("analysis.name",),
    lambda cfg: False,
    "other experiments (here analysis.values has the numbers)",
)


def refuse_settings(cfg: L2oConfig) -> None:
    """Raise InputError, one line, on settings of the comparison on a family that the command line
    or the experiment gives: without effect in the analyses that call this."""
    needs = {each.name: (_COMPARISON,) for each in fields(cfg) if each.name not in _FREE}
    refuse_without_effect(cfg, needs, [*given_keys(), *experiment_keys()])
