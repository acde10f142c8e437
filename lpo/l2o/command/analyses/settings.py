"""What an analysis is told: the seed and its own numbers, and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from enum import Enum
from typing import Any

from lpo.errors import InputError
from lpo.l2o.command.checks import validate
from lpo.l2o.command.config import FamilyConfig, FamilyKind, L2oConfig

_FREE = ("command", "seed", "resume", "tracking", "analysis")


def refuse_settings(cfg: L2oConfig) -> None:
    """Raise InputError, one line, on settings of the comparison on a family: without effect."""
    family = FamilyConfig(FamilyKind.lasso, rows=32, columns=64, fixed=True)  # of conf/l2o.yaml
    plain = L2oConfig(family=family)
    validate(plain)
    usual = dict(_flat(asdict(plain)))
    assert cfg.analysis.name is not None
    for key, value in _flat(asdict(cfg)):
        if key.partition(".")[0] not in _FREE and value != usual.get(key):
            raise InputError(
                f"{key}: given with analysis.name={cfg.analysis.name.name}; allowed: "
                "without; analysis.values has the numbers of an analysis"
            )


def only(given: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the one number of each name of `analysis.values`; raise InputError on several."""
    for name, numbers in given.items():
        if len(numbers) > 1:
            raise InputError(f"analysis.values.{name}: {numbers} given; allowed: one number")
    return {name: numbers[0] for name, numbers in given.items()}


def _flat(part: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in part.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value.name if isinstance(value, Enum) else value
