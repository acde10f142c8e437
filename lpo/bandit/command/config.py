"""Typed configuration of `python -m lpo.bandit`."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from lpo.runs import CommandConfig

FamilyKind = Enum("FamilyKind", ["disjoint"])
CaseKind = Enum(
    "CaseKind",
    [
        "zero_shift",
        "small_shift",
        "aligned",
        "full_coverage",
        "misaligned",
        "adversarial",
        "false_certificate",
    ],
)
ClaimKind = Enum("ClaimKind", ["product", "ellipsoid", "euclidean"])
CertificateKind = Enum("CertificateKind", ["claimed", "none"])
IntervalKind = Enum("IntervalKind", ["normal", "bootstrap", "empirical_bernstein"])
AnalysisKind = Enum("AnalysisKind", ["horizons", "off_policy"])


@dataclass
class EnvironmentConfig:
    """The instances (`lpo.bandit.families`)."""

    family: FamilyKind = FamilyKind.disjoint
    case: CaseKind = CaseKind.aligned
    arms: int = 8
    features: int = 4
    rows: int = 8000
    noise: float = 0.5
    norm: float = 0.5
    available: float = 1.0
    most_delay: int = 0


@dataclass
class LogConfig:
    """A log file and how it is evaluated (`lpo.bandit.ope`)."""

    path: str | None = None
    context: list[str] | None = None
    action: str = "action"
    reward: str = "reward"
    propensity: str = "propensity"
    actions: list[str] | None = None
    interval: IntervalKind = IntervalKind.normal
    level: float = 0.95
    draws: int = 1000
    clip: float = 10.0
    switch: float = 10.0
    folds: int = 5
    temperature: float | None = None
    reward_low: float | None = None
    reward_high: float | None = None
    changes: Any = None
    unchanged: float = 0.01
    cap: float = 2.0


@dataclass
class BanditAnalysisConfig:
    """What an experiment varies."""

    name: AnalysisKind | None = None
    values: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class BanditConfig(CommandConfig):
    """Everything `python -m lpo.bandit` can be told; conf/bandit.yaml says what each key is."""

    command: str = "bandit"
    seeds: int = 20
    horizon: int = 4000
    rounds: list[int] = field(default_factory=lambda: [250, 1000])
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)
    policies: Any = None
    width_scales: list[float] = field(default_factory=list)
    width_scale: float = 1.0
    posterior_scale: float = 1.0
    epsilon: float = 0.0
    discount: float = 1.0
    regularisation: float = 1.0
    delta: float = 0.01
    union_split: bool = True
    claim: ClaimKind = ClaimKind.product
    certificate: CertificateKind = CertificateKind.claimed
    x64: bool = False
    log: LogConfig = field(default_factory=LogConfig)
    analysis: BanditAnalysisConfig = field(default_factory=BanditAnalysisConfig)
