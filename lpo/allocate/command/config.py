"""Typed configuration of `python -m lpo.allocate`."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from lpo.runs import CommandConfig

PresetKind = Enum("PresetKind", ["robust", "det", "paper", "catalog"])
ProfileKind = Enum("ProfileKind", ["corrected", "reference", "reference_deterministic"])
SetKind = Enum("SetKind", ["budget", "box", "ellipsoid"])
ObjectiveKind = Enum("ObjectiveKind", ["cost", "lexicographic"])
MethodKind = Enum("MethodKind", ["exact", "heuristic"])
SolverKind = Enum("SolverKind", ["auto", "gurobi", "highs"])
LawKind = Enum("LawKind", ["uniform", "beta", "worst", "correlated", "two_sided"])
StorageKind = Enum("StorageKind", ["deployment", "route"])

GENERATED = "generated"
PUBLISHED_CAP = "published"


@dataclass
class DemandConfig:
    """Traces of requests that arrival rates and token lengths are estimated from.

    trace: a path, whose requests are divided into query types by length (prompt_edges and
    output_edges, in tokens; query_types names them, null for all of the instance, in order), or a
    mapping of query types to paths.
    """

    trace: Any = None
    query_types: list[str] | None = None
    prompt_edges: list[float] = field(default_factory=list)
    output_edges: list[float] = field(default_factory=list)
    quantile: float | None = None
    window_s: float = 300.0
    time_column: str = "TIMESTAMP"
    context_column: str = "ContextTokens"
    generated_column: str = "GeneratedTokens"


@dataclass
class ScaleConfig:
    """What the numbers of the instance are multiplied by (`lpo.allocate.instances.scaling`)."""

    price: float = 1.0
    budget: float = 1.0
    delay_limit: float = 1.0
    error_limit: float = 1.0
    memory: float = 1.0
    compute: float = 1.0
    demand: float = 1.0
    deviation: float = 1.0
    delay_deviation: float = 1.0
    error_deviation: float = 1.0
    delay_price: float = 1.0
    unmet_price: float = 1.0
    storage: float = 1.0
    storage_price: float = 1.0
    residency: float = 1.0


@dataclass
class WeightsConfig:
    """What the parts of the cost count in the objective; what a plan costs stays as it is."""

    rental: float = 1.0
    storage: float = 1.0
    delay: float = 1.0
    unmet: float = 1.0


@dataclass
class StressConfig:
    """Sampled realisations: how many, over which uncertainty budgets, with which inflation."""

    enabled: bool = False
    samples: int = 5000
    gammas: list[float] = field(
        default_factory=lambda: [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf")]
    )
    profiles: list[ProfileKind] | None = None
    distributions: list[LawKind] = field(
        default_factory=lambda: [
            LawKind.uniform,
            LawKind.beta,
            LawKind.worst,
            LawKind.correlated,
        ]
    )
    inflation: list[float] = field(default_factory=lambda: [1.0, 1.25, 1.5])


@dataclass
class SweepConfig:
    """Two scales and the values of each; no sweep without them."""

    name: str | None = None
    a: str | None = None
    b: str | None = None
    grid_a: list[float] | None = None
    grid_b: list[float] | None = None
    workers: int | None = None


@dataclass
class AllocateConfig(CommandConfig):
    """Everything `python -m lpo.allocate` can be told; conf/allocate.yaml says what each key is."""

    command: str = "allocate"
    seed: int = 42
    instance: str = GENERATED
    preset: PresetKind = PresetKind.robust
    legacy_stream: bool = False
    size: list[int] | None = None
    demand: DemandConfig = field(default_factory=DemandConfig)
    scale: ScaleConfig = field(default_factory=ScaleConfig)
    u_cap: Any = None
    fleet_limit: Any = None

    profile: ProfileKind = ProfileKind.corrected
    single_placement: bool = False
    decision_dependent: bool = False
    replicas: int = 1
    link_cuts: bool = False
    legacy_units: bool | None = None
    utilisation: float = 1.0
    storage_accounting: StorageKind | None = None
    horizon_consistent: bool = False
    route_limit: bool = False

    uncertainty: SetKind = SetKind.budget
    gamma: float | None = None
    gamma_delay: float | None = None
    gamma_error: float | None = None
    radius: float | None = None
    violation_probability: float | None = None

    objective: ObjectiveKind = ObjectiveKind.cost
    weights: WeightsConfig = field(default_factory=WeightsConfig)
    method: MethodKind = MethodKind.exact
    heuristic_s: float = 5.0
    heuristic_start: bool | None = None
    solver: SolverKind = SolverKind.auto
    mip_gap: float = 1e-4
    time_limit: float | None = 300.0
    threads: int | None = None

    stress: StressConfig = field(default_factory=StressConfig)
    against: str | None = None
    sweep: SweepConfig | None = field(default_factory=SweepConfig)
