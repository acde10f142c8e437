"""Settings that the others leave without effect."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf

from lpo.errors import InputError
from lpo.runs.experiments import chosen_experiments, find_conf
from lpo.runs.own_groups import shown_group

Config = TypeVar("Config")


class Needs(NamedTuple, Generic[Config]):
    """What has to hold for an effect.

    decides: keys on which that hangs; an error names the first. good: whether it holds. allowed:
    how an error says when it does.
    """

    decides: tuple[str, ...]
    good: Callable[[Config], bool]
    allowed: str


def refuse_without_effect(
    cfg: Config, needs: Mapping[str, tuple[Needs[Config], ...]], keys: Iterable[str]
) -> None:
    """Raise InputError, one line, for the first of the keys that has no effect.

    needs: by key, or by the section that a key is in; other keys always have one. keys: of the
    command line (`given_keys`) or of experiments (`experiment_keys`).

    In a sweep a key may have none in some runs, where what decides is given too.
    """
    given = given_keys()
    swept = set(given) if given and HydraConfig.get().mode is RunMode.MULTIRUN else set()
    for key in keys:
        for each in needs.get(key) or needs.get(key.partition(".")[0], ()):
            if each.good(cfg) or swept.intersection(each.decides):
                continue
            by = "" if key in given else f" by experiment {experiment_keys()[key]}"
            name = each.decides[0]
            raise InputError(
                f"{key}: given{by} with {name}={_shown(cfg, name)}; allowed: with {each.allowed}"
            )


def given_keys() -> list[str]:
    """Return the keys of the command line, groups by the name that users write; not what an
    experiment sets, and none outside a command."""
    return [shown_group(each.partition("=")[0].lstrip("+~")) for each in _overrides()]


def experiment_keys() -> dict[str, str]:
    """Return the keys that the experiments of a run set, as the command line would (`key` or
    `section.key`; groups too), with the name of the experiment; none outside a command."""
    chosen = chosen_experiments(OverridesParser.create().parse_overrides(_overrides()))
    return {key: name for name in chosen for key in _keys_of(name)}


def _overrides() -> list[str]:
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def _keys_of(experiment: str) -> Iterator[str]:
    found = OmegaConf.to_container(OmegaConf.load(find_conf() / f"experiment/{experiment}.yaml"))
    assert isinstance(found, dict)
    for group in found.pop("defaults", []):
        if isinstance(group, Mapping):
            yield from (shown_group(name.removeprefix("override ").strip("/ ")) for name in group)
    for name, part in found.items():
        if isinstance(part, Mapping):
            yield from (f"{name}.{key}" for key in part)
        else:
            yield str(name)


def _shown(cfg: Any, key: str) -> str:
    for name in key.split("."):
        cfg = getattr(cfg, name)
    return "null" if cfg is None else str(cfg.name if isinstance(cfg, Enum) else cfg)
