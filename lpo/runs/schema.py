"""The part of the configuration that every command shares."""

from dataclasses import dataclass, field
from enum import Enum

from omegaconf import MISSING


class TrackingMode(Enum):
    """How Weights & Biases records a run; `offline` needs neither an account nor a network."""

    offline = "offline"
    online = "online"
    disabled = "disabled"


@dataclass
class TrackingConfig:
    """Weights & Biases: the mode, the project, an optional name and tags of the run."""

    mode: TrackingMode = TrackingMode.offline
    project: str = "lpo"
    name: str | None = None
    tags: list[str] = field(default_factory=list)


@dataclass
class CommandConfig:
    """Base of every command's schema.

    `command` names the command that a configuration belongs to (`train` for `python -m lpo.train`);
    an experiment file must state it. `resume` continues the run in `hydra.run.dir`.
    """

    command: str = MISSING
    seed: int = 0
    resume: bool = False
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
