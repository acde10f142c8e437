"""Typed configuration of `python -m lpo.study`, and the training configuration of each cell."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lpo.errors import InputError
from lpo.runs import CommandConfig, check
from lpo.train.config import FOLLOWERS, MethodKind, TrainConfig
from lpo.train.config import validate as validate_training


@dataclass
class PartConfig:
    """A part of the study: every method on every architecture in every setting.

    settings, architectures, methods: names; methods `null` stands for all. floors: whether
    target-trained floors are fitted.
    """

    settings: list[str] = field(default_factory=list)
    architectures: list[str] = field(default_factory=list)
    methods: list[str] | None = None
    floors: bool = False


@dataclass
class TuningConfig:
    """Where variants of a method are compared, on shifts of the validation part alone.

    variants: method -> list of changes of the training configuration; the first is the default.
    as_tuned_on: architectures that take over what was chosen for another one.
    """

    setting: str = ""
    architectures: list[str] = field(default_factory=list)
    seeds: int = 3
    variants: dict[str, list[Any]] = field(default_factory=dict)
    as_tuned_on: dict[str, str] = field(default_factory=dict)


@dataclass
class StudyConfig(CommandConfig):
    """Everything `python -m lpo.study` can be told.

    cells: folder of finished cells, one file each, named after everything they depend on; a study
    that was stopped, or is changed in part, trains only those that are missing. workers: processes.
    base: changes of the configuration of lpo.train for all cells; settings and architectures: the
    same by name. report_only: write tables from the cells there are, train nothing.
    """

    command: str = "study"
    cells: str = "runs/study_cells"
    workers: int = 2
    seeds: int = 5
    report_only: bool = False
    max_windows: int = 600
    base: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    architectures: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, PartConfig] = field(default_factory=dict)
    tuning: TuningConfig = field(default_factory=TuningConfig)


def training_config(
    cfg: StudyConfig, setting: str, architecture: str, method: MethodKind, *changes: Any
) -> TrainConfig:
    """The configuration of lpo.train that a cell stands for; later changes win.

    Raises `InputError` for keys or values that lpo.train would refuse.
    """
    where = f"setting {setting}, architecture {architecture}, method {method.name}"
    try:
        merged = OmegaConf.merge(
            OmegaConf.structured(TrainConfig),
            cfg.base,
            cfg.settings[setting],
            cfg.architectures[architecture],
            *changes,
            {"robust": {"method": method.name}, "compare": []},
        )
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        line = str(error).splitlines()[0]
        raise InputError(f"{where}: {line}; allowed: keys and values of lpo.train") from error
    assert isinstance(config, TrainConfig)
    try:
        validate_training(config)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return config


def methods_of(part: PartConfig) -> list[MethodKind]:
    """The methods of a part, DFL first; `linear_normalised` is an architecture here, no method."""
    names = part.methods or list(MethodKind.__members__)
    kinds = [MethodKind[name] for name in names if name != MethodKind.linear_normalised.name]
    if MethodKind.dfl not in kinds and FOLLOWERS & set(kinds):
        kinds.append(MethodKind.dfl)
    return sorted(kinds, key=lambda kind: kind.value)


def validate(cfg: StudyConfig) -> None:
    """Refuse values that have the right type and no meaning.

    Raises `InputError` with the key, what was given and what is allowed.
    """
    for key in ("workers", "seeds", "max_windows", "tuning.seeds"):
        check(cfg, key, lambda value: value > 0, "> 0")
    for name, part in cfg.parts.items():
        _known(f"parts.{name}.settings", part.settings, cfg.settings)
        _known(f"parts.{name}.architectures", part.architectures, cfg.architectures)
        _known(f"parts.{name}.methods", part.methods or [], MethodKind.__members__)
    if cfg.tuning.variants:
        _known("tuning.setting", [cfg.tuning.setting], cfg.settings)
        _known("tuning.architectures", cfg.tuning.architectures, cfg.architectures)
    _known("tuning.variants", list(cfg.tuning.variants), MethodKind.__members__)
    for part in cfg.parts.values():
        for setting in part.settings:
            for architecture in part.architectures:
                training_config(cfg, setting, architecture, MethodKind.dfl)


def _known(key: str, names: list[str], allowed: Any) -> None:
    for name in names:
        if name not in allowed:
            raise InputError(f"{key}: {name} given; allowed: {', '.join(allowed)}")
