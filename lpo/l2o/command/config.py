"""Typed configuration of `python -m lpo.l2o`."""

from dataclasses import dataclass, field
from enum import Enum

from omegaconf import MISSING

from lpo.runs import CommandConfig

FamilyKind = Enum(
    "FamilyKind",
    ["lasso", "rastrigin", "ackley", "open_rastrigin", "digits", "provisioning", "allocation"],
)
DenoiserKind = Enum("DenoiserKind", ["mlp", "coordinate", "unrolled"])
TrainerKind = Enum("TrainerKind", ["stateless", "rollout"])
SamplerKind = Enum("SamplerKind", ["euler", "ancestral"])
PolishKind = Enum("PolishKind", ["gd", "momentum", "adam", "ista", "fista", "pdhg"])
AnalysisKind = Enum(
    "AnalysisKind", ["provisioning", "rolling", "alpha", "guidance", "trainer", "sampling"]
)


@dataclass
class FamilyConfig:
    """The problems (`lpo.l2o.families`)."""

    name: FamilyKind = MISSING
    rows: int | None = None
    columns: int | None = None
    fixed: bool | None = None
    dimension: int | None = None
    hidden: int | None = None
    path: str | None = None
    demand_spread: float | None = None
    price_spread: float | None = None
    size: list[int] | None = None
    instance: int | None = None


@dataclass
class DenoiserConfig:
    """The network (`lpo.l2o.denoisers`)."""

    name: DenoiserKind | None = None
    width: int | None = None
    layers: int | None = None


@dataclass
class GuidanceConfig:
    """What the network is told (`lpo.l2o.guidance.Guidance`)."""

    gradient: bool = True
    loss: bool = True
    previous: bool = True
    features: bool = True
    scale: float | None = None
    octaves: int | None = None


@dataclass
class NoiseConfig:
    """Noise levels (`lpo.l2o.noise.Noise`)."""

    least: float | None = None
    most: float | None = None
    rho: float | None = None


@dataclass
class L2oTrainingConfig:
    """Training (`lpo.l2o.training`)."""

    problems: int | None = None
    trainer: TrainerKind = TrainerKind.stateless
    steps: int | None = None
    batch: int | None = None
    rate: float | None = None
    alpha: float = 0.1
    gap_scale: float | None = None
    rollout_steps: int = 8
    checkpoint_every: int = 1000


@dataclass
class SamplesConfig:
    """Samples (`lpo.l2o.sampling`)."""

    sampler: SamplerKind = SamplerKind.ancestral
    levels: list[int] | None = None
    count: int = 8


@dataclass
class PolishConfig:
    """The method that goes on from samples."""

    name: PolishKind | None = None
    rate: float | None = None
    steps: int | None = None


@dataclass
class L2oAnalysisConfig:
    """An experiment (`lpo.l2o.command.analyses`) and its numbers."""

    name: AnalysisKind | None = None
    values: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class L2oConfig(CommandConfig):
    """Everything `python -m lpo.l2o` can be told; conf/l2o.yaml says what each key is."""

    command: str = "l2o"
    seeds: int = 1
    family: FamilyConfig = field(default_factory=FamilyConfig)
    denoiser: DenoiserConfig = field(default_factory=DenoiserConfig)
    guidance: GuidanceConfig = field(default_factory=GuidanceConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    training: L2oTrainingConfig = field(default_factory=L2oTrainingConfig)
    samples: SamplesConfig = field(default_factory=SamplesConfig)
    polish: PolishConfig = field(default_factory=PolishConfig)
    baselines: list[str] | None = None
    learned: list[str] | None = None
    tests: int | None = None
    validation: int | None = None
    work: list[int] | None = None
    target: float = 1e-3
    success: float | None = None
    analysis: L2oAnalysisConfig = field(default_factory=L2oAnalysisConfig)
