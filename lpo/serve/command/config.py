"""Typed configuration of `python -m lpo.serve`."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

from lpo.runs import CommandConfig

SimulatorKind = Enum("SimulatorKind", ["aggregate", "per_gpu", "request"])
PricingKind = Enum("PricingKind", ["bundled", "separate"])
RoundingKind = Enum("RoundingKind", ["ceil", "round", "random", "square_root"])
LengthsKind = Enum("LengthsKind", ["exponential", "fixed"])
TraceLengthsKind = Enum("TraceLengthsKind", ["own", "exponential"])
IterationKind = Enum("IterationKind", ["two_regime", "two_regime_kv", "tabular"])
ClassesKind = Enum("ClassesKind", ["thresholds", "kmeans"])
AnalysisKind = Enum(
    "AnalysisKind",
    [
        "calibration",
        "fleet_size",
        "occupancies",
        "policy_bars",
        "pricing",
        "fairness_fronts",
        "sensitivity",
        "price_split",
        "gap",
        "replay",
    ],
)

ALL = "all"
AZURE = "azure"


@dataclass
class HardwareConfig:
    """A published fit of iteration times (`lpo.serve.PublishedFit`); files of conf/hardware."""

    name: str = MISSING
    gpu: str = MISSING
    model: str = MISSING
    tensor_parallel: int = 1
    source: str = MISSING
    batch: int = 16
    chunk: int = 256
    alpha: float = MISSING
    beta: float = MISSING
    tau_solo: float = MISSING
    k_kv: float | None = None
    r2: float | None = None
    mean_error: float | None = None
    max_error: float | None = None
    b0: float | None = None
    tokens: list[float] | None = None
    time_s: list[float] | None = None


@dataclass
class InstanceConfig:
    """Request classes and prices (`lpo.serve.Instance`); files of conf/serve/instance."""

    name: str = MISSING
    arrival: list[float] = MISSING
    prompt: list[float] = MISSING
    decode: list[float] = MISSING
    patience: list[float] = MISSING
    batch: int = MISSING
    chunk: int = MISSING
    alpha: float = MISSING
    beta: float = MISSING
    tau_solo: float = MISSING
    price_prompt: float = MISSING
    price_decode: float = MISSING


@dataclass
class RequestsConfig:
    """The simulator of single requests."""

    enabled: bool = True
    seconds: float | None = None
    warm_up_s: float | None = None
    seeds: int = 2
    lengths: LengthsKind = LengthsKind.exponential
    iteration_time: IterationKind = IterationKind.two_regime
    kv_tokens: float | None = None
    ttft_limit_s: float | None = None
    tpot_limit_s: float | None = None


@dataclass
class MeasurementsConfig:
    """A user's own iteration times, and how they are fitted (`lpo.serve.fit`)."""

    path: str | None = None
    kind: IterationKind = IterationKind.two_regime
    solo_to: float = 64.0
    mixed_from: float = 256.0
    mixed_to: float | None = None


@dataclass
class LevelsConfig:
    """Service levels (`lpo.serve.ServiceLevels`): null, numbers, or {limit: ..., price: ...}."""

    prefill_fairness: Any = None
    decode_fairness: Any = None
    tpot_s: Any = None
    occupancy_tpot_s: Any = None
    prefill_wait_s: Any = None
    decode_wait_s: Any = None
    ttft_s: Any = None
    abandonment: Any = None
    service_share: Any = None
    kv_tokens: Any = None
    least_share_price: Any = None


@dataclass
class TraceConfig:
    """A trace that is replayed, its classes and when plans are made."""

    path: Any = None
    classes: ClassesKind = ClassesKind.thresholds
    prompt_edges: list[float] = field(default_factory=lambda: [1500.0])
    decode_edges: list[float] = field(default_factory=lambda: [150.0])
    kinds: int = 4
    rate_scale: float = 1.0
    start_s: float = 0.0
    prior_s: float = 600.0
    seconds: float | None = None
    patience: float = 0.1
    replan_s: float | None = 60.0
    smoothing: float = 0.3
    margin: float = 1.1
    class_error: float = 0.0
    lengths: TraceLengthsKind = TraceLengthsKind.own
    time_column: str = "TIMESTAMP"
    context_column: str = "ContextTokens"
    generated_column: str = "GeneratedTokens"


@dataclass
class SearchConfig:
    """Percentiles that the least fleet must keep; no search without a limit."""

    ttft_s: float | None = None
    ttft_percentile: float = 99.0
    tpot_s: float | None = None
    tpot_percentile: float | None = 99.0
    abandonment: float | None = None
    per_class: bool = False
    seeds: int = 8
    most: int | None = None


@dataclass
class AnalysisConfig:
    """What an experiment varies."""

    name: AnalysisKind | None = None
    fleets: list[int] = field(default_factory=lambda: [10, 50, 200])
    cases: int = 8
    values: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class ServeConfig(CommandConfig):
    """Everything `python -m lpo.serve` can be told; conf/serve.yaml says what each key is."""

    command: str = "serve"
    seeds: int = 8
    n: int = 200
    policy: Any = "credit_gate"
    rounding: RoundingKind | None = None
    refuse_unplanned: bool = False
    pricing: PricingKind = PricingKind.bundled
    simulator: SimulatorKind = SimulatorKind.aggregate
    seconds: float | None = None
    warm_up_s: float | None = None
    windows: int = 10
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    instance: InstanceConfig = field(default_factory=InstanceConfig)
    requests: RequestsConfig = field(default_factory=RequestsConfig)
    measurements: MeasurementsConfig = field(default_factory=MeasurementsConfig)
    levels: LevelsConfig = field(default_factory=LevelsConfig)
    trace: TraceConfig = field(default_factory=TraceConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    analysis: AnalysisConfig = field(default_factory=AnalysisConfig)


def searching(cfg: ServeConfig) -> bool:
    """Whether the least fleet is asked for."""
    limits = (cfg.search.ttft_s, cfg.search.tpot_s, cfg.search.abandonment)
    return any(limit is not None for limit in limits)
