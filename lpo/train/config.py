"""Typed configuration of `python -m lpo.train`, and the checks that types cannot express."""

import math
from dataclasses import dataclass, field
from enum import Enum

from lpo.optim import check_devices
from lpo.runs import CommandConfig, check

WorkloadKind = Enum("WorkloadKind", ["synthetic", "azure", "trace"])
ProtocolKind = Enum("ProtocolKind", ["lead_time", "honest", "paper"])
ForecastKind = Enum("ForecastKind", ["mlp", "lstm", "mixer", "linear_normalised"])
NormaliseKind = Enum("NormaliseKind", ["raw", "window"])
HeadKind = Enum("HeadKind", ["point", "quantile"])
Preset = Enum("Preset", ["newsvendor", "code", "paper"])
TaskKind = Enum("TaskKind", ["capacity", "fleet"])
LayerBackend = Enum("LayerBackend", ["structured", "generic"])
MethodKind = Enum(
    "MethodKind",
    [
        "mse",
        "dfl",
        "linear_normalised",
        "dfl_matched",
        "kl_dro",
        "cvar_dro",
        "chi_square_dro",
        "wasserstein_dro",
        "wrm_dro",
        "gaussian_augmentation",
        "cutout_augmentation",
        "perlin_augmentation",
        "scale_augmentation",
        "diffusion_augmentation",
        "guided",
        "dro_diffusion",
        "dro_diffusion_ppo",
    ],
)
ADVERSARIAL = {MethodKind.dro_diffusion, MethodKind.dro_diffusion_ppo}
AUGMENTING = {kind for kind in MethodKind if kind.name.endswith("_augmentation")} - {
    MethodKind.diffusion_augmentation
}
IMAGINING = ADVERSARIAL | {MethodKind.diffusion_augmentation, MethodKind.guided}
FOLLOWERS = set(MethodKind) - {MethodKind.mse, MethodKind.dfl, MethodKind.linear_normalised}
"""Methods that continue DFL, all for the same number of steps: 3D-Learning trains an adversary,
those that imagine demand need a score model."""
PayoffKind = Enum("PayoffKind", ["regret", "relative", "history", "relative_history"])
EarlyStoppingKind = Enum("EarlyStoppingKind", ["validation", "shifts"])
SuiteKind = Enum("SuiteKind", ["standard", "full"])
SpaceKind = Enum("SpaceKind", ["linear", "log", "level"])
BudgetKind = Enum("BudgetKind", ["eps_mse", "likelihood"])
TokensKind = Enum("TokensKind", ["context", "total"])
TraceKind = Enum("TraceKind", ["auto", "requests", "series"])


@dataclass
class WorkloadConfig:
    """Where demand comes from. `root` is for azure, `path` and what follows it for trace."""

    name: WorkloadKind = WorkloadKind.synthetic
    days: float = 7.0
    seed: int = 0
    root: str | None = None
    path: str | None = None
    tokens: TokensKind = TokensKind.context
    kind: TraceKind = TraceKind.auto
    series_bin_s: float | None = None
    time_column: str = "TIMESTAMP"
    context_column: str = "ContextTokens"
    generated_column: str = "GeneratedTokens"
    series_column: str | None = None


@dataclass
class ProtocolConfig:
    """Bins, windows and test sets; `context` and `lead` count bins.

    `preset`: the decision task that the protocol is stated for, and `provision.preset`'s default.
    `suite`: of shifted test sets, full has the whole shift suite; `max_windows`: of a test set, so
    many evenly spaced ones (null: all).
    """

    name: ProtocolKind = ProtocolKind.lead_time
    bin_s: float = 60.0
    context: int = 30
    lead: int = 10
    preset: Preset = Preset.newsvendor
    suite: SuiteKind = SuiteKind.standard
    max_windows: int | None = None


@dataclass
class ForecastConfig:
    """The network: `widths` of mlp; `hidden` and `dense` of lstm; `width` and `blocks` of mixer."""

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
    """Training of predictors: Adam with cosine decay; validation at the end of every segment.

    early_stopping: the parameters are kept that cost least on the validation part, or over it and
    its shifts (geometric mean over sets), which protocol lead_time has; elsewhere the same.
    """

    steps: int = 3000
    batch: int = 256
    learning_rate: float = 1e-3
    linear_learning_rate: float = 3e-2  # of the method linear_normalised, which starts at zero
    weight_decay: float = 1e-4
    segment_steps: int = 250
    early_stopping: EarlyStoppingKind = EarlyStoppingKind.shifts


@dataclass
class DiffusionConfig:
    """The score model, its training and its sampling grid (docs/diffusion.md).

    space: what it sees, standardised tokens, their logarithm, or the level and shape of a window.
    """

    space: SpaceKind = SpaceKind.linear
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
    """The decision task: `capacity` of one bin, or a `fleet` of GPUs over a horizon of bins.

    preset, c_over and c_under are for capacity, the rest for fleet (docs/fleet.md): catalogue is
    the CSV file of configurations (null: the built-in one), unserved_ratio the price of an
    unserved token over the least cost of serving one, backend the solver of the relaxed fleet
    inside training.
    """

    name: TaskKind = TaskKind.capacity
    preset: Preset = Preset.newsvendor
    c_over: float = 1.0
    c_under: float = 10.0
    horizon: int = 12
    catalogue: str | None = None
    unserved_ratio: float = 10.0
    electricity_usd_per_kwh: float = 0.1
    ridge_n: float = 1e-2
    ridge_other: float = 1e-4
    backend: LayerBackend = LayerBackend.structured


@dataclass
class RobustConfig:
    """The experiment's method, and how robust methods are trained (docs/robust.md).

    epochs, predictor_steps: of every method that continues DFL, and of DFL-matched. samples, mix:
    of methods that imagine or corrupt demand. smoothing: normal noise added to imagined demand, in
    standard deviations of the training demand, for a window of another size in proportion. sizes:
    of ambiguity sets by method, each in its own unit, where the default is not wanted; epsilon is
    that of 3D-Learning. payoff: what an adversary is paid, a window's regret in tokens or as a
    share of its demand (relative), and whether it may move the whole window or what is seen of it
    (history). cutout_block: cut one block of bins, to the largest demand, not single bins.
    attack_*: of wasserstein_dro and wrm_dro. The rest trains the adversary of 3D-Learning.
    """

    method: MethodKind = MethodKind.dro_diffusion
    epochs: int = 15
    predictor_steps: int = 100
    predictor_learning_rate: float = 1e-3
    sizes: dict[str, float] = field(default_factory=dict)
    samples: int = 1024
    mix: float = 0.5
    smoothing: float = 0.0
    payoff: PayoffKind = PayoffKind.regret
    guide_fine_only: bool = False
    cutout_block: bool = False
    attack_steps: int = 5
    attack_targets: bool = False
    inner_steps: int = 10
    paths: int = 512
    draws: int = 1024
    audit_draws: int = 4096
    learning_rate: float = 1e-5
    budget: BudgetKind = BudgetKind.likelihood
    epsilon: float | None = None  # of the budget's unit: lpo.robust.EPSILON
    dual_start: float = 1.0
    dual_rate: float = 0.1
    clip: float = 0.4
    kl_stop: float = 0.05


@dataclass
class TrainConfig(CommandConfig):
    """Everything `python -m lpo.train` can be told."""

    command: str = "train"
    seeds: int = 1
    devices: int = 1
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
        check(cfg, key, lambda value: value is None or value > 0, "> 0")
    for key in _NOT_NEGATIVE:
        check(cfg, key, lambda value: value >= 0, ">= 0")
    for key in _batches(cfg):
        words = f"a multiple of devices, which is {cfg.devices}"
        check(cfg, key, lambda size: size % cfg.devices == 0, words)
    check_devices(cfg.devices)
    check(cfg, "robust.mix", lambda mix: 0 <= mix <= 1, "in [0, 1]")
    words = f"sizes > 0 of {', '.join(SIZED)}, below 1 of {' and '.join(SHARES)}"
    check(cfg, "robust.sizes", _are_sizes, words)
    check(cfg, "robust.clip", lambda clip: 0 < clip < 1, "in (0, 1)")
    check(cfg, "forecast.dropout", lambda rate: 0 <= rate < 1, "in [0, 1)")
    check(cfg, "forecast.widths", lambda sizes: all(size > 0 for size in sizes), "sizes > 0")
    check(cfg, "forecast.hidden", lambda sizes: len(sizes) == 2 and min(sizes) > 0, "two sizes > 0")
    check(cfg, "diffusion.t_fine", lambda t: 0.001 < t < 1, "in (0.001, 1)")
    grid_steps = cfg.diffusion.grid_steps
    check(
        cfg,
        "diffusion.fine_steps",
        lambda steps: steps < grid_steps,
        f"below diffusion.grid_steps, which is {grid_steps}",
    )
    check(cfg, "forecast.levels", _are_levels, "ascending levels in (0, 1)")
    newsvendor = (
        cfg.provision.name is TaskKind.capacity and cfg.provision.preset is Preset.newsvendor
    )
    if newsvendor and cfg.forecast.head is HeadKind.quantile:
        fractile = cfg.provision.c_under / (cfg.provision.c_under + cfg.provision.c_over)
        check(
            cfg,
            "forecast.levels",
            lambda levels: levels[0] <= fractile <= levels[-1],
            f"levels that enclose the critical fractile {fractile:.4g}",
        )
    if cfg.workload.name is WorkloadKind.trace:
        check(cfg, "workload.path", bool, "the file of a trace (docs/data.md)")
    check(cfg, "protocol.context", lambda bins: bins >= 7, "at least 7, which the rules look at")
    check(cfg, "diffusion.quality_windows", lambda count: count >= 10, "at least 10")
    if cfg.workload.name is WorkloadKind.azure:
        check(
            cfg,
            "workload.tokens",
            lambda tokens: tokens is TokensKind.context,
            "context (the 2024 files hold no other)",
        )
    if cfg.protocol.name is not ProtocolKind.lead_time:
        words = f"standard (under protocol {cfg.protocol.name.name})"
        check(cfg, "protocol.suite", lambda suite: suite is SuiteKind.standard, words)
        for key, value in FIXED_BINS.items():
            check(
                cfg,
                f"protocol.{key}",
                lambda given, value=value: given == value,
                f"{value:g} (under protocol {cfg.protocol.name.name})",
            )
        check(
            cfg,
            "provision.name",
            lambda name: name is TaskKind.capacity,
            f"capacity (under protocol {cfg.protocol.name.name}; fleet needs lead_time)",
        )
        check(
            cfg,
            "provision.preset",
            lambda preset: preset is not Preset.newsvendor,
            f"code, paper (under protocol {cfg.protocol.name.name})",
        )


SIZED = sorted(
    kind.name
    for kind in FOLLOWERS
    - ADVERSARIAL
    - {MethodKind.dfl_matched, MethodKind.diffusion_augmentation}
)
SHARES = ("cutout_augmentation", "cvar_dro")  # whose size is a share of bins or of windows
FIXED_BINS = {"bin_s": 5.0, "context": 7, "lead": 1}  # of the protocols honest and paper

_POSITIVE = (
    "seeds",
    "devices",
    *(f"workload.{name}" for name in ("days", "series_bin_s")),
    *(f"protocol.{name}" for name in ("bin_s", "context", "lead", "max_windows")),
    *(f"forecast.{name}" for name in ("dense", "width", "blocks")),
    *(f"predictor.{name}" for name in ("steps", "batch", "learning_rate", "segment_steps")),
    "predictor.linear_learning_rate",
    *(f"diffusion.{name}" for name in ("width", "blocks", "steps", "batch", "learning_rate")),
    *(f"diffusion.{name}" for name in ("segment_steps", "grid_steps", "fine_steps")),
    *(f"diffusion.{name}" for name in ("quality_windows", "likelihood_windows")),
    *(f"provision.{name}" for name in ("c_over", "c_under", "horizon", "ridge_n", "ridge_other")),
    *(f"provision.{name}" for name in ("unserved_ratio", "electricity_usd_per_kwh")),
    *(f"robust.{name}" for name in ("epochs", "inner_steps", "predictor_steps", "samples")),
    *(f"robust.{name}" for name in ("paths", "draws", "audit_draws", "epsilon", "dual_rate")),
    *(f"robust.{name}" for name in ("kl_stop", "learning_rate", "predictor_learning_rate")),
    "robust.attack_steps",
)
_NOT_NEGATIVE = (
    "seed",
    "workload.seed",
    "robust.dual_start",
    "robust.smoothing",
    "predictor.weight_decay",
)


def _batches(cfg: TrainConfig) -> list[str]:
    """Keys of the sizes that are split over devices, of the methods that are trained."""
    keys = ["predictor.batch"]
    wanted = {cfg.robust.method, *cfg.compare}
    if IMAGINING & wanted:
        keys += ["diffusion.batch", "diffusion.quality_windows", "robust.samples"]
    if ADVERSARIAL & wanted:
        keys += [f"robust.{name}" for name in ("paths", "draws", "audit_draws")]
    return keys


def _are_sizes(sizes: dict[str, float]) -> bool:
    largest = {name: 1.0 if name in SHARES else math.inf for name in SIZED}
    return all(0 < size < largest.get(name, 0.0) for name, size in sizes.items())


def _are_levels(levels: list[float]) -> bool:
    return bool(levels) and levels == sorted(set(levels)) and 0 < levels[0] <= levels[-1] < 1
