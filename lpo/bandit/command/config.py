"""Typed configuration of `python -m lpo.bandit`."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from lpo.runs import CommandConfig

FamilyKind = Enum("FamilyKind", ["disjoint", "spherical", "product"])
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
ChangeKind = Enum("ChangeKind", ["none", "model_upgrade", "price_change", "new_hardware"])
RequestsKind = Enum("RequestsKind", ["available", "azure", "made_up", "files"])
ClaimKind = Enum("ClaimKind", ["product", "ellipsoid", "euclidean"])
CertificateKind = Enum("CertificateKind", ["claimed", "none"])
IntervalKind = Enum("IntervalKind", ["normal", "bootstrap", "empirical_bernstein"])
AnalysisKind = Enum("AnalysisKind", ["horizons", "off_policy", "widths"])


@dataclass
class EnvironmentConfig:
    """The instances (`lpo.bandit.families`, `lpo.bandit.spherical`)."""

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
class ProductConfig:
    """Requests routed over models, GPUs and routes (`lpo.bandit.product`)."""

    change: ChangeKind = ChangeKind.none
    what: str | None = None
    size: float | None = None
    known: bool = True
    unchanged: float = 0.02
    requests: RequestsKind = RequestsKind.available
    conversation: str | None = None
    code: str | None = None
    rows: int | None = None
    noise: float = 0.15
    spread: float = 0.05
    capacity: bool = False
    drift: bool = False


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
    weight_high: float | None = None
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
    product: ProductConfig = field(default_factory=ProductConfig)
    policies: Any = None
    width_scales: list[float] = field(default_factory=list)
    width_scale: float = 1.0
    posterior_scale: float = 1.0
    epsilon: float = 0.0
    discount: float = 1.0
    regularisation: float | None = None
    delta: float = 0.01
    union_split: bool = True
    claim: ClaimKind = ClaimKind.product
    certificate: CertificateKind = CertificateKind.claimed
    x64: bool = False
    log: LogConfig = field(default_factory=LogConfig)
    analysis: BanditAnalysisConfig = field(default_factory=BanditAnalysisConfig)


def ridge_of(cfg: BanditConfig) -> float:
    """Return lambda; unless given .01 for requests, whose parameters are long (Features in
    docs/bandit_product.md), and 1 for others."""
    if cfg.regularisation is not None:
        return cfg.regularisation
    return 0.01 if cfg.environment.family is FamilyKind.product else 1.0
