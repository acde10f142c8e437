"""Settings of the command line that the others leave without effect."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from lpo.errors import InputError
from lpo.scale.command.config import (
    AnalysisKind,
    FeasibilityKind,
    LatencyKind,
    MethodKind,
    RuleKind,
    ScaleConfig,
)


class _Needs(NamedTuple):
    """decides: keys on which the effect hangs; the first is named. good: whether there is one."""

    decides: tuple[str, ...]
    good: Callable[[ScaleConfig], bool]
    allowed: str


def _rule(rule: RuleKind) -> _Needs:
    """Analysis rules takes all of them."""
    return _Needs(
        ("aggregate.rule", "experiment"),
        lambda cfg: cfg.aggregate.rule is rule or cfg.analysis.name is AnalysisKind.rules,
        f"aggregate.rule={rule.name}",
    )


def _simulated(cfg: ScaleConfig) -> bool:
    return (
        cfg.method is MethodKind.monte_carlo
        or cfg.feasibility is FeasibilityKind.chance
        or cfg.bootstrap > 0
        or cfg.latency is LatencyKind.work_conserving
    )


_SIMULATED = _Needs(
    ("method", "feasibility", "bootstrap", "latency"),
    _simulated,
    "method=monte_carlo, feasibility=chance, latency=work_conserving or a bootstrap",
)
NEEDS = {
    "epsilon": _Needs(
        ("feasibility",),
        lambda cfg: cfg.feasibility is FeasibilityKind.chance,
        "feasibility=chance",
    ),
    "contention": _Needs(
        ("latency",), lambda cfg: cfg.latency is LatencyKind.contended, "latency=contended"
    ),
    "aggregate.verifier_sd": _rule(RuleKind.verifier),
    "aggregate.wrong_answers": _rule(RuleKind.majority),
    "aggregate.right_weight": _rule(RuleKind.weighted),
    "aggregate.wrong_weight": _rule(RuleKind.weighted),
    "cluster": _Needs(
        ("analysis.name", "experiment"),
        lambda cfg: cfg.analysis.name is AnalysisKind.under_load,
        "+experiment=scale_under_load",
    ),
    "percentiles": _SIMULATED,
    "trials": _SIMULATED,
}


def refuse_without_effect(cfg: ScaleConfig, keys: list[str]) -> None:
    """Raise InputError, one line, for the first key of the command line that has no effect.

    In a sweep a key may have none in some runs, where what decides is given too.
    """
    sweep = HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN
    for key in keys:
        needs = NEEDS.get(key) or NEEDS.get(key.partition(".")[0])
        if needs is None or needs.good(cfg):
            continue
        if not (sweep and any(name in keys for name in needs.decides)):
            name = needs.decides[0]
            raise InputError(
                f"{key}: given with {name}={_shown(cfg, name)}; allowed: with {needs.allowed}"
            )


def _shown(cfg: Any, key: str) -> str:
    for name in key.split("."):
        cfg = getattr(cfg, name)
    return "null" if cfg is None else cfg.name
