"""Typed configuration of `python -m lpo.scale`."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

from lpo.runs import CommandConfig

GridKind = Enum("GridKind", ["all", "multiples_of_p"])
MethodKind = Enum("MethodKind", ["exact", "monte_carlo"])
LatencyKind = Enum("LatencyKind", ["mean", "waves", "work_conserving", "contended"])
RuleKind = Enum("RuleKind", ["best_of_k", "verifier", "majority", "pass_at_k", "weighted"])
LawKind = Enum("LawKind", ["clipped_normal", "truncated_normal", "beta"])
FeasibilityKind = Enum("FeasibilityKind", ["mean", "chance"])
AxesKind = Enum("AxesKind", ["range", "budget"])
CubeKind = Enum("CubeKind", ["accuracy", "feasible"])
CostKind = Enum("CostKind", ["average", "marginal"])
AnalysisKind = Enum("AnalysisKind", ["rules", "mixed", "sensitivity", "under_load"])

ALL = "all"
AZURE = "azure"


@dataclass
class ModelConfig:
    """A model (`lpo.scale.readers.FIELDS`): dollars per million tokens, microseconds per token."""

    title: str | None = None
    accuracy: float = MISSING
    accuracy_sd: float = MISSING
    prompt: float = MISSING
    prompt_sd: float = MISSING
    output: float = MISSING
    output_sd: float = MISSING
    input_price: float = MISSING
    output_price: float = MISSING
    input_us: float = MISSING
    output_us: float = MISSING


@dataclass
class ScenarioConfig:
    """Limits of a query (`lpo.scale.Limits`)."""

    cost_usd: float = MISSING
    time_s: float = MISSING
    accuracy: float = MISSING


@dataclass
class AggregateConfig:
    """What the answers of several passes are worth together."""

    rule: RuleKind = RuleKind.best_of_k
    law: LawKind = LawKind.clipped_normal
    correlation: float = 0.0
    verifier_sd: float = 0.05
    wrong_answers: int = 1
    varied: bool = False
    right_weight: float = 2.0
    wrong_weight: float = 1.0


@dataclass
class LengthsConfig:
    """Token lengths that all models share, from files."""

    trace: Any = None
    pairs: str | None = None
    histograms: str | None = None
    most: int = 4096


@dataclass
class ClusterConfig:
    """The cluster of analysis under_load (`lpo.scale.under_load`), and how it is simulated."""

    queries_per_s: float = 2.0
    gpus: int = 40
    gpu_hour_usd: float = 2.0
    cost: CostKind = CostKind.average
    policy: str = "credit_gate"
    hardware: str = "a100_llama_3_8b_tp1"
    seconds: float = 60.0
    warm_up_s: float | None = None
    cool_down_s: float | None = None
    seeds: int = 4


@dataclass
class ScaleAnalysisConfig:
    """What an experiment varies."""

    name: AnalysisKind | None = None
    values: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class ScaleConfig(CommandConfig):
    """Everything `python -m lpo.scale` can be told; conf/scale.yaml says what each key is."""

    command: str = "scale"
    model: Any = ALL
    models: dict[str, ModelConfig] = field(default_factory=dict)
    models_file: str | None = None
    scenario: dict[str, ScenarioConfig] = field(default_factory=dict)
    k_max: int = 200
    parallel: list[int] = field(default_factory=lambda: [4])
    grid: GridKind = GridKind.all
    method: MethodKind = MethodKind.exact
    trials: int = 500
    percentiles: bool = True
    latency: LatencyKind = LatencyKind.waves
    contention: float = 0.0
    aggregate: AggregateConfig = field(default_factory=AggregateConfig)
    lengths: LengthsConfig = field(default_factory=LengthsConfig)
    feasibility: FeasibilityKind = FeasibilityKind.mean
    epsilon: float = 0.05
    axes: AxesKind = AxesKind.range
    cube: CubeKind = CubeKind.accuracy
    slot_price: float = 0.0
    most_parallel: int | None = None
    bootstrap: int = 0
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    analysis: ScaleAnalysisConfig = field(default_factory=ScaleAnalysisConfig)
