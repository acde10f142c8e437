"""Typed configuration of `python -m lpo.study`, and the training configuration of each cell."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lpo.errors import InputError
from lpo.runs import CommandConfig, check
from lpo.runs.explain import explain_value
from lpo.train.config import FOLLOWERS, MethodKind, ProtocolKind, TrainConfig
from lpo.train.config import validate as validate_training
from lpo.workload import FEW_WINDOWS

# linear_normalised is an architecture here
METHODS = [kind.name for kind in MethodKind if kind is not MethodKind.linear_normalised]

# Groups of the configuration of lpo.train that each kind of change may touch. Architectures of a
# setting are judged on the same windows, variants of a method continue the same DFL.
BY_SETTING = ("workload", "protocol", "forecast", "predictor", "diffusion", "provision", "robust")
BY_ARCHITECTURE = ("forecast", "predictor", "diffusion", "robust")
BY_VARIANT = ("diffusion", "robust")

_TRAINING = OmegaConf.structured(TrainConfig)


@dataclass
class PartConfig:
    """A part of the study: every method on every architecture in every setting.

    settings, architectures, methods: names; methods `null` stands for all, and DFL is always one of
    them, because the others are compared with it. floors: whether floors are fitted.
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
    same by name. only: names of parts, null for all, none of them for the tuning alone.
    report_only: write tables from the cells there are, train nothing. publish: a folder that gets
    rounded copies of the tables.
    """

    command: str = "study"
    cells: str = "runs/study_cells"
    workers: int = 2
    seeds: int = 5
    only: list[str] | None = None
    report_only: bool = False
    publish: str | None = None
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
            _TRAINING,
            cfg.base,
            cfg.settings[setting],
            cfg.architectures[architecture],
            *changes,
            {"robust": {"method": method.name}, "compare": []},
        )
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise InputError(f"{where}: {explain_value(error)}") from error
    assert isinstance(config, TrainConfig)
    try:
        validate_training(config)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return config


def parts_of(cfg: StudyConfig) -> list[str]:
    """Names of the parts that are wanted."""
    return [name for name in cfg.parts if cfg.only is None or name in cfg.only]


def methods_of(part: PartConfig) -> list[MethodKind]:
    """The methods of a part, DFL among them, in the order of `MethodKind`."""
    names = METHODS if part.methods is None else part.methods
    kinds = {MethodKind[name] for name in names} | {MethodKind.dfl}
    return sorted(kinds, key=lambda kind: kind.value)


def validate(cfg: StudyConfig) -> None:
    """Refuse values that have the right type and no meaning.

    Raises `InputError` with the key, what was given and what is allowed.
    """
    for key in ("workers", "seeds", "tuning.seeds"):
        check(cfg, key, lambda value: value > 0, "> 0")
    check(cfg, "seed", lambda seed: seed >= 0, ">= 0")
    if cfg.publish is not None:
        folder = Path(cfg.publish)
        check(cfg, "publish", lambda _: folder.is_dir() or not folder.exists(), "a folder, or none")
    enough = f"at least {FEW_WINDOWS}, below which a set supports no conclusion"
    check(cfg, "max_windows", lambda count: count >= FEW_WINDOWS, enough)
    _check_changes("base", cfg.base, BY_SETTING)
    for name, changes in cfg.settings.items():
        _check_changes(f"settings.{name}", changes, BY_SETTING)
    for name, changes in cfg.architectures.items():
        _check_changes(f"architectures.{name}", changes, BY_ARCHITECTURE)
    _check_names("only", cfg.only or [], cfg.parts)
    for name, part in cfg.parts.items():
        _check_names(f"parts.{name}.methods", part.methods or [], METHODS)
        for key in ("settings", "architectures"):
            _check_some(f"parts.{name}.{key}", getattr(part, key), getattr(cfg, key))
    if cfg.tuning.variants:
        _check_tuning(cfg)
    for part in cfg.parts.values():
        for setting in part.settings:
            for architecture in part.architectures:
                training_config(cfg, setting, architecture, MethodKind.dfl)


def _check_tuning(cfg: StudyConfig) -> None:
    tuning = cfg.tuning
    _check_names("tuning.setting", [tuning.setting], cfg.settings)
    _check_names("tuning.architectures", tuning.architectures, cfg.architectures)
    _check_names("tuning.as_tuned_on", list(tuning.as_tuned_on), cfg.architectures)
    _check_names("tuning.as_tuned_on", list(tuning.as_tuned_on.values()), tuning.architectures)
    followers = sorted(kind.name for kind in FOLLOWERS)
    _check_names("tuning.variants", list(tuning.variants), followers)
    for method, variants in tuning.variants.items():
        key = f"tuning.variants.{method}"
        if not variants:
            raise InputError(f"{key}: [] given; allowed: at least one, the default")
        for changes in variants:
            _check_changes(key, changes, BY_VARIANT)
            for architecture in tuning.architectures:
                kind = MethodKind[method]
                config = training_config(cfg, tuning.setting, architecture, kind, changes)
                if config.protocol.name is ProtocolKind.paper:
                    raise InputError(
                        f"tuning.setting: {tuning.setting} given; allowed: one with a validation "
                        "part, which the protocol paper has not"
                    )


def _check_some(key: str, names: Sequence[str], allowed: Collection[str]) -> None:
    if not names:
        raise InputError(f"{key}: [] given; allowed: some of {', '.join(allowed)}")
    _check_names(key, names, allowed)


def _check_names(key: str, names: Sequence[str], allowed: Collection[str]) -> None:
    for name in names:
        if name not in allowed:
            raise InputError(f"{key}: {name} given; allowed: {', '.join(allowed)}")


def _check_changes(key: str, changes: Any, groups: Collection[str]) -> None:
    if not isinstance(changes, dict):
        raise InputError(f"{key}: {changes} given; allowed: changes of {', '.join(groups)}")
    _check_names(key, list(changes), groups)
