"""Cells of the study on disk: what each depends on, and what it left."""

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from lpo.atomic import replacing
from lpo.train.config import MethodKind, TrainConfig

VERSION = 1  # of what a cell means: raise it when training, test sets or defaults change


@dataclass(frozen=True)
class Cell:
    """One training: `config` with the method it names, judged on `max_windows` windows a set.

    None: on all of them.
    """

    setting: str
    architecture: str
    config: TrainConfig
    max_windows: int | None

    @property
    def kind(self) -> MethodKind:
        """The method."""
        return self.config.robust.method

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.kind.name

    @property
    def name(self) -> str:
        """Name of the cell's file: readable, and different where anything it depends on is."""
        return f"{self.setting}-{self.architecture}-{self.method}-{self.digest}"

    @property
    def digest(self) -> str:
        """Eight digits of a hash of everything that the cell depends on but the code."""
        return digest(self.config, self.max_windows)

    def path(self, folder: Path) -> Path:
        """The cell's file."""
        return folder / f"{self.name}.npz"


def digest(*parts: Any) -> str:
    """Eight digits of a hash of configurations."""
    text = json.dumps([VERSION, *map(_plain, parts)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        # what differs from the defaults: a new setting leaves finished cells valid
        usual = type(value)()
        value = {
            field.name: getattr(value, field.name)
            for field in fields(value)
            if getattr(value, field.name) != getattr(usual, field.name)
        }
    if isinstance(value, dict):
        # the folder of the traces says nothing about them
        return {key: _plain(item) for key, item in value.items() if key != "root"}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.name if isinstance(value, Enum) else value


@dataclass(frozen=True)
class Outcome:
    """What a cell leaves: forecasts of `by_set` [seeds, n, pairs(, slots)] tokens, and facts.

    A cell that diverged has no forecasts; its fact `diverged` says where.
    """

    by_set: dict[str, np.ndarray]
    facts: dict[str, Any]


def save(path: Path, outcome: Outcome) -> None:
    """Write a cell's file, whole or not at all; forecasts in single precision."""
    contents: dict[str, Any] = {
        name: values.astype(np.float32) for name, values in outcome.by_set.items()
    }
    contents["facts"] = np.array(json.dumps(outcome.facts))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **contents)


def load(path: Path) -> Outcome:
    """Read what `save` wrote."""
    with np.load(path) as stored:
        facts = json.loads(str(stored["facts"]))
        by_set = {name: stored[name] for name in stored.files if name != "facts"}
    return Outcome(by_set, facts)
