"""Typed configuration of `python -m lpo.train`, and the checks that types cannot express."""

from dataclasses import dataclass, field
from enum import Enum

from lpo.errors import InputError
from lpo.runs import CommandConfig

WorkloadKind = Enum("WorkloadKind", ["synthetic", "azure", "trace"])
ProtocolKind = Enum("ProtocolKind", ["lead_time", "honest", "paper"])
ForecastKind = Enum("ForecastKind", ["mlp", "lstm", "mixer", "linear_normalised"])
NormaliseKind = Enum("NormaliseKind", ["raw", "window"])
HeadKind = Enum("HeadKind", ["point", "quantile"])
Preset = Enum("Preset", ["newsvendor", "code", "paper"])
MethodKind = Enum(
    "MethodKind",
    ["mse", "dfl", "dfl_matched", "linear_normalised", "dro_diffusion", "dro_diffusion_ppo"],
)
BudgetKind = Enum("BudgetKind", ["eps_mse", "likelihood"])
TokensKind = Enum("TokensKind", ["context", "total"])


@dataclass
class WorkloadConfig:
    """Where demand comes from. `root` is for azure, `path` and what follows it for trace."""

    name: WorkloadKind = WorkloadKind.synthetic
    days: float = 7.0
    seed: int = 0
    root: str | None = None
    path: str | None = None
    tokens: TokensKind = TokensKind.context
    series_bin_s: float | None = None


@dataclass
class ProtocolConfig:
    """Bins, windows and test sets. Seconds, except `context` and `lead`, which count bins."""

    name: ProtocolKind = ProtocolKind.lead_time
    bin_s: float = 60.0
    context: int = 30
    lead: int = 10


@dataclass
class ForecastConfig:
    """The network. `widths` is of mlp; `hidden` and `dense` of lstm; `width` and `blocks` of mixer."""

    name: ForecastKind = ForecastKind.mlp
    normalise: NormaliseKind = NormaliseKind.window
    head: HeadKind = HeadKind.point
    levels: list[float] = field(default_factory=lambda: [0.1, 0.25, 0.5, 0.75, 10 / 11, 0.97])
    dropout: float = 0.0
    widths: list[int] = field(default_factory=lambda: [64, 64, 64])
    hidden: list[int] = field(default_factory=lambda: [128, 64])
    dense: int = 32
    width: int = 32
    blocks: int = 2


@dataclass
class PredictorConfig:
    """Training of predictors: Adam with cosine decay; validation at the end of every segment."""

    steps: int = 3000
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    segment_steps: int = 250


@dataclass
class DiffusionConfig:
    """The score model, its training and its sampling grid (docs/diffusion.md)."""

    width: int = 128
    blocks: int = 4
    steps: int = 6000
    batch: int = 256
    learning_rate: float = 1e-3
    segment_steps: int = 1000
    grid_steps: int = 60
    fine_steps: int = 10
    t_fine: float = 0.2232
    quality_windows: int = 1024
    likelihood_windows: int = 64


@dataclass
class ProvisionConfig:
    """The decision task: capacity of one service."""

    preset: Preset = Preset.newsvendor
    c_over: float = 1.0
    c_under: float = 10.0


@dataclass
class RobustConfig:
    """The experiment's method; all but `method` concerns 3D-Learning (docs/robust.md)."""

    method: MethodKind = MethodKind.dro_diffusion
    epochs: int = 15
    inner_steps: int = 10
    predictor_steps: int = 100
    samples: int = 1024
    mix: float = 0.5
    paths: int = 512
    draws: int = 1024
    learning_rate: float = 1e-4
    predictor_learning_rate: float = 1e-3
    budget: BudgetKind = BudgetKind.eps_mse
    epsilon: float = 0.03
    dual_start: float = 1.0
    dual_rate: float = 0.1
    clip: float = 0.4
    kl_stop: float = 0.05


@dataclass
class TrainConfig(CommandConfig):
    """Everything `python -m lpo.train` can be told."""

    command: str = "train"
    seeds: int = 1
    compare: list[MethodKind] = field(
        default_factory=lambda: [
            MethodKind.mse,
            MethodKind.dfl,
            MethodKind.dfl_matched,
            MethodKind.linear_normalised,
        ]
    )
    workload: WorkloadConfig = field(default_factory=WorkloadConfig)
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)
    forecast: ForecastConfig = field(default_factory=ForecastConfig)
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    provision: ProvisionConfig = field(default_factory=ProvisionConfig)
    robust: RobustConfig = field(default_factory=RobustConfig)


def validate(cfg: TrainConfig) -> None:
    """Refuse values that have the right type and no meaning.

    Raises `InputError` with the key, what was given and what is allowed.
    """
    for key in _POSITIVE:
        _check(cfg, key, lambda value: value > 0, "> 0")
    if cfg.workload.series_bin_s is not None:
        _check(cfg, "workload.series_bin_s", lambda value: value > 0, "> 0 seconds")
    for key in ("seed", "workload.seed", "robust.dual_start", "predictor.weight_decay"):
        _check(cfg, key, lambda value: value >= 0, ">= 0")
    _check(cfg, "robust.mix", lambda value: 0 <= value <= 1, "in [0, 1]")
    _check(cfg, "forecast.dropout", lambda value: 0 <= value < 1, "in [0, 1)")
    for key in ("forecast.widths", "forecast.hidden"):
        _check(cfg, key, lambda value: all(width > 0 for width in value), "widths > 0")
    _check(cfg, "forecast.hidden", lambda value: len(value) == 2, "two widths, one a layer")
    _check(cfg, "robust.clip", lambda value: 0 < value < 1, "in (0, 1)")
    _check(cfg, "diffusion.t_fine", lambda value: 0.001 < value < 1, "in (0.001, 1)")
    _check(
        cfg,
        "diffusion.fine_steps",
        lambda value: value < cfg.diffusion.grid_steps,
        f"below diffusion.grid_steps = {cfg.diffusion.grid_steps}",
    )
    levels = cfg.forecast.levels
    _check(
        cfg,
        "forecast.levels",
        lambda value: (
            value == sorted(set(value)) and all(0 < level < 1 for level in value) and value
        ),
        "ascending levels in (0, 1)",
    )
    if cfg.provision.preset is Preset.newsvendor and cfg.forecast.head is HeadKind.quantile:
        fractile = cfg.provision.c_under / (cfg.provision.c_under + cfg.provision.c_over)
        _check(
            cfg,
            "forecast.levels",
            lambda _: levels[0] <= fractile <= levels[-1],
            f"levels that enclose the critical fractile {fractile:.4g}",
        )
    if cfg.workload.name is WorkloadKind.trace and cfg.workload.path is None:
        raise InputError("workload.path: not given; allowed: the path of a trace, see docs/data.md")
    if (
        cfg.protocol.name is not ProtocolKind.lead_time
        and cfg.provision.preset is Preset.newsvendor
    ):
        raise InputError(
            f"provision.preset: newsvendor with protocol {cfg.protocol.name.name}; allowed: code, paper"
        )


_POSITIVE = (
    "seeds",
    "workload.days",
    "protocol.bin_s",
    "protocol.context",
    "protocol.lead",
    "forecast.dense",
    "forecast.width",
    "forecast.blocks",
    *(f"predictor.{name}" for name in ("steps", "batch", "learning_rate", "segment_steps")),
    *(
        f"diffusion.{name}"
        for name in (
            "width blocks steps batch learning_rate segment_steps grid_steps fine_steps "
            "quality_windows likelihood_windows"
        ).split()
    ),
    "provision.c_over",
    "provision.c_under",
    *(
        f"robust.{name}"
        for name in (
            "epochs inner_steps predictor_steps samples paths draws learning_rate "
            "predictor_learning_rate epsilon dual_rate kl_stop"
        ).split()
    ),
)


def _check(cfg: TrainConfig, key: str, allowed, words: str) -> None:
    value = cfg
    for name in key.split("."):
        value = getattr(value, name)
    if not allowed(value):
        raise InputError(f"{key}: {value} given; allowed: {words}")
