"""Settings of the command line that the others leave without effect."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from lpo.bandit.command.config import (
    AnalysisKind,
    BanditConfig,
    ChangeKind,
    FamilyKind,
    IntervalKind,
    RequestsKind,
)
from lpo.bandit.contenders import CLAIMING
from lpo.errors import InputError
from lpo.runs.experiments import find_conf


class _Needs(NamedTuple):
    """decides: key on which the effect hangs. good: whether there is one."""

    decides: str
    good: Callable[[BanditConfig], bool]
    allowed: str


def _off_policy(cfg: BanditConfig) -> bool:
    return cfg.analysis.name is AnalysisKind.off_policy


_PRODUCT = _Needs(
    "environment.family",
    lambda cfg: cfg.environment.family is FamilyKind.product,
    "environment.family=product",
)
_FAMILIES = _Needs(
    "environment.family",
    lambda cfg: cfg.environment.family is not FamilyKind.product,
    "environment.family=disjoint or spherical",
)
_CHANGED = _Needs(
    "product.change",
    lambda cfg: cfg.product.change is not ChangeKind.none,
    "product.change=model_upgrade, price_change or new_hardware",
)
_FILES = _Needs(
    "product.requests",
    lambda cfg: cfg.product.requests is RequestsKind.files,
    "product.requests=files",
)
_BOOTSTRAP = _Needs(
    "log.interval", lambda cfg: cfg.log.interval is IntervalKind.bootstrap, "log.interval=bootstrap"
)
_BERNSTEIN = _Needs(
    "log.interval",
    lambda cfg: cfg.log.interval is IntervalKind.empirical_bernstein,
    "log.interval=empirical_bernstein",
)
_CHANGES = _Needs(
    "log.changes", lambda cfg: cfg.log.changes is not None, "log.changes={action: budget}"
)
_LOG = _Needs("analysis.name", _off_policy, "+experiment=off_policy")
_PLAYED = _Needs("analysis.name", lambda cfg: not _off_policy(cfg), "any experiment but off_policy")


def _not(name: AnalysisKind, instead: str) -> _Needs:
    return _Needs("analysis.name", lambda cfg: cfg.analysis.name is not name, instead)


def _plays(*names: str) -> _Needs:
    """One of these policies; what is no list is refused later."""

    def good(cfg: BanditConfig) -> bool:
        return not isinstance(cfg.policies, list) or any(name in cfg.policies for name in names)

    return _Needs("policies", good, f"policies that have {' or '.join(names)}")


_ROWS = _not(AnalysisKind.horizons, "other experiments (here analysis.values has the rows)")
_OF_PLAY = (
    "seeds",
    "horizon",
    "policies",
    "width_scales",
    "width_scale",
    "discount",
    "delta",
    "union_split",
    "certificate",
    "x64",
)
NEEDS: Mapping[str, tuple[_Needs, ...]] = {
    "log": (_LOG,),
    "log.draws": (_LOG, _BOOTSTRAP),
    **{f"log.{key}": (_LOG, _CHANGES) for key in ("unchanged", "cap")},
    **{f"log.{key}": (_LOG, _BERNSTEIN) for key in ("reward_low", "reward_high", "weight_high")},
    "product": (_PLAYED, _PRODUCT),
    **{f"product.{key}": (_PLAYED, _PRODUCT, _CHANGED) for key in ("what", "size", "known")},
    **{f"product.{key}": (_PLAYED, _PRODUCT, _FILES) for key in ("conversation", "code")},
    "product.rows": (_PLAYED, _PRODUCT, _ROWS),
    "environment": (_PLAYED,),
    **{
        f"environment.{key}": (_PLAYED, _FAMILIES)
        for key in ("arms", "features", "noise", "norm", "available")
    },
    "environment.rows": (_PLAYED, _FAMILIES, _ROWS),
    "environment.case": (
        _PLAYED,
        _FAMILIES,
        _not(AnalysisKind.widths, "other experiments (here all cases are played)"),
    ),
    "rounds": (_PLAYED, _not(AnalysisKind.widths, "other experiments")),
    "analysis.values": (
        _Needs(
            "analysis.name",
            lambda cfg: cfg.analysis.name is AnalysisKind.horizons,
            "+experiment=horizon_sweep",
        ),
    ),
    **dict.fromkeys(_OF_PLAY, (_PLAYED,)),
    "posterior_scale": (_PLAYED, _plays("lints")),
    "claim": (_PLAYED, _plays(*CLAIMING)),
}
"""By key, or by the section that a key is in: what has to hold for an effect."""


def refuse_without_effect(cfg: BanditConfig) -> None:
    """Raise InputError, one line, for the first setting of the command line without effect, and for
    one of an experiment where the command line chooses another family.

    In a sweep a key may have none in some runs, where what decides is given too.
    """
    if not HydraConfig.initialized():
        return
    given, keys = HydraConfig.get(), given_keys()
    sweep = given.mode is RunMode.MULTIRUN
    experiment = given.runtime.choices.get("experiment")
    for key in keys:
        _refuse(cfg, key, keys if sweep else [])
    if "environment.family" in keys and isinstance(experiment, str) and not sweep:
        for key in _keys_of(experiment):
            _refuse(cfg, key, [], f" by experiment {experiment}")


def given_keys() -> list[str]:
    """Return the keys of the command line; none outside a command."""
    if not HydraConfig.initialized():
        return []
    return [each.partition("=")[0].lstrip("+~") for each in HydraConfig.get().overrides.task]


def _refuse(cfg: BanditConfig, key: str, swept: list[str], by: str = "") -> None:
    for needs in NEEDS.get(key) or NEEDS.get(key.partition(".")[0], ()):
        if not needs.good(cfg) and needs.decides not in swept and "experiment" not in swept:
            raise InputError(
                f"{key}: given{by} with {needs.decides}={_shown(cfg, needs.decides)}; "
                f"allowed: with {needs.allowed}"
            )


def _keys_of(experiment: str) -> list[str]:
    """Sections' keys that an experiment sets, as the command line would: `section.key`."""
    found = OmegaConf.to_container(OmegaConf.load(find_conf() / f"experiment/{experiment}.yaml"))
    sections = found.items() if isinstance(found, dict) else ()
    return [f"{name}.{key}" for name, part in sections if isinstance(part, dict) for key in part]


def _shown(cfg: Any, key: str) -> str:
    for name in key.split("."):
        cfg = getattr(cfg, name)
    return "null" if cfg is None else str(cfg.name if isinstance(cfg, Enum) else cfg)
