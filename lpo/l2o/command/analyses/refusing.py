"""Settings of the comparison on a family that an experiment leaves without effect."""

from collections.abc import Mapping
from dataclasses import fields

from lpo.l2o.command.config import L2oConfig
from lpo.runs.without_effect import Needs, experiment_keys, given_keys, refuse_without_effect

OF_OTHER_METHODS = dict.fromkeys(
    ("baselines", "learned", "validation"), "a run without an experiment"
)
"""What is about methods other than samples, for `refuse`."""
_OF_EVERY_RUN = ("command", "seed", "resume", "tracking", "analysis")


def refuse(cfg: L2oConfig, keys: Mapping[str, str]) -> None:
    """Raise InputError, one line, where the command line or the experiment gives one of the keys.

    keys: with what an error says that they have an effect with.
    """
    needs = {
        key: (Needs[L2oConfig](("analysis.name",), lambda cfg: False, words),)
        for key, words in keys.items()
    }
    refuse_without_effect(cfg, needs, [*given_keys(), *experiment_keys()])


def refuse_comparison(cfg: L2oConfig) -> None:
    """`refuse` all settings of a comparison on a family, for experiments that have none."""
    words = "other experiments (here analysis.values has the numbers)"
    every = (each.name for each in fields(cfg))
    refuse(cfg, {name: words for name in every if name not in _OF_EVERY_RUN})
