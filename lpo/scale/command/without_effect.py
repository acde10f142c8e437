"""What settings need to have an effect."""

from collections.abc import Mapping

from lpo.runs.without_effect import Needs
from lpo.scale.command.config import (
    AnalysisKind,
    FeasibilityKind,
    LatencyKind,
    MethodKind,
    RuleKind,
    ScaleConfig,
)

_Needs = Needs[ScaleConfig]


def _rule(rule: RuleKind) -> Needs[ScaleConfig]:
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
NEEDS: Mapping[str, tuple[Needs[ScaleConfig], ...]] = {
    "epsilon": (
        _Needs(
            ("feasibility",),
            lambda cfg: cfg.feasibility is FeasibilityKind.chance,
            "feasibility=chance",
        ),
    ),
    "contention": (
        _Needs(("latency",), lambda cfg: cfg.latency is LatencyKind.contended, "latency=contended"),
    ),
    "aggregate.verifier_sd": (_rule(RuleKind.verifier),),
    "aggregate.wrong_answers": (_rule(RuleKind.majority),),
    "aggregate.right_weight": (_rule(RuleKind.weighted),),
    "aggregate.wrong_weight": (_rule(RuleKind.weighted),),
    "cluster": (
        _Needs(
            ("analysis.name", "experiment"),
            lambda cfg: cfg.analysis.name is AnalysisKind.under_load,
            "+experiment=scale_under_load",
        ),
    ),
    "percentiles": (_SIMULATED,),
    "trials": (_SIMULATED,),
}
"""By key, or by the section that a key is in: what has to hold for an effect."""
