"""Settings of the comparison on a family that an experiment on one leaves without effect."""

from collections.abc import Mapping

from lpo.l2o.command.config import L2oConfig
from lpo.runs.without_effect import Needs, experiment_keys, given_keys, refuse_without_effect

BASELINES = dict.fromkeys(("baselines", "learned", "validation"), "a run without an experiment")
"""What is about methods other than samples, for `refuse`."""


def refuse(cfg: L2oConfig, keys: Mapping[str, str]) -> None:
    """Raise InputError, one line, where one of the keys is given.

    keys: with what an error says that they have an effect with.
    """
    needs = {
        key: (Needs[L2oConfig](("analysis.name",), lambda cfg: False, words),)
        for key, words in keys.items()
    }
    refuse_without_effect(cfg, needs, [*given_keys(), *experiment_keys()])
