"""The stages of a run: trainings of the experiment's method and of those it is compared with."""

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from lpo import diffusion, forecast, provision, robust, workload
from lpo.optim import adam, batch_sharding
from lpo.runs.stages import Trainer
from lpo.train.config import (
    FOLLOWERS,
    IMAGINING,
    DiffusionConfig,
    EarlyStoppingKind,
    ForecastConfig,
    ForecastKind,
    MethodKind,
    SpaceKind,
    TrainConfig,
)
from lpo.train.inner import (
    ScoreTrained,
    Setting,
    make_imagination,
    make_inner,
    robust_data,
)
from lpo.train.problem import make_forecaster

EARLY_STOPPING_WINDOWS = 128  # of each set, when there are several


class Trained(NamedTuple):
    """A trained method: `params` has a leading seed axis; `forecaster` says how to apply them.

    `one_by_one`: seed after seed (`lpo.optim.over_seeds`).
    """

    forecaster: forecast.Forecaster
    params: Any
    one_by_one: bool = False


class Players(NamedTuple):
    """Both sides of a method that imagines demand at the end of training, seeds leading.

    `inner`: state of its inner problem; `last`: the predictor after the last epoch, where
    `Trained.params` is the one kept by validation.
    """

    score: ScoreTrained
    imagination: robust.Imagination
    inner: Any
    last: Any


class Results(NamedTuple):
    """What training leaves: `methods` by name, and the players where the experiment's method
    imagines demand."""

    methods: dict[str, Trained]
    players: Players | None


def train_methods(
    cfg: TrainConfig, stages: Trainer, problem: workload.Problem, task: provision.Task
) -> Results:
    """Train the experiment's method and `cfg.compare`, each once, DFL before its followers."""
    wanted = methods_wanted(cfg)
    score = train_score(cfg.diffusion, stages, problem) if wanted & IMAGINING else None
    configured = make_setting(cfg, cfg.forecast, problem, task, score, stages.mesh)
    trained: dict[str, Trained] = {}
    players: Players | None = None
    for method in sorted(wanted, key=lambda method: method.value):
        setting = configured
        if method is MethodKind.linear_normalised:
            network = network_of(method.name, cfg.forecast)
            setting = make_setting(cfg, network, problem, task, None, stages.mesh)
        start = trained["dfl"].params if method in FOLLOWERS else None
        state = train_method(method, cfg, stages, setting, start)
        best = predictor_of(state).best
        trained[method.name] = Trained(setting.forecaster, best, setting.one_by_one)
        if method is cfg.robust.method and score is not None and method in IMAGINING:
            imagination = make_imagination(method, cfg.robust, setting)
            players = Players(score, imagination, state.inner, state.predictor.params)
    return Results(trained, players)


def network_of(method: str, cfg: ForecastConfig) -> ForecastConfig:
    """The network of a method: the configured one, but for the method that names its own."""
    if method == MethodKind.linear_normalised.name:
        return replace(cfg, name=ForecastKind.linear_normalised)
    return cfg


def methods_wanted(cfg: TrainConfig) -> set[MethodKind]:
    """The experiment's method, `cfg.compare`, and DFL where one of them starts from it."""
    wanted = {*cfg.compare, cfg.robust.method}
    if wanted & FOLLOWERS:
        wanted.add(MethodKind.dfl)
    return wanted


def make_setting(
    cfg: TrainConfig,
    network: ForecastConfig,
    problem: workload.Problem,
    task: provision.Task,
    score: ScoreTrained | None,
    mesh: Mesh | None = None,
) -> Setting:
    """What methods with one network share: losses, windows, the learning rate's factor."""
    forecaster = make_forecaster(network, problem.scaler, problem.layout)
    scale = robust.loss_scale(task, problem.scaler)
    linear = network.name is ForecastKind.linear_normalised
    rates = cfg.predictor
    return Setting(
        problem,
        forecaster,
        robust.decision_loss(forecaster, task, problem.layout, scale),
        robust.pair_loss(forecaster, task, scale),
        robust.history_loss(forecaster, task, problem.layout, scale),
        robust.Windows(jnp.asarray(problem.train), jnp.asarray(early_stopping_sets(cfg, problem))),
        rates.linear_learning_rate / rates.learning_rate if linear else 1.0,
        cfg.predictor.batch,
        score,
        batch_sharding(mesh),
        one_by_one(network),
    )


def one_by_one(network: ForecastConfig) -> bool:
    """Whether seeds train one after another (`lpo.optim.over_seeds`)."""
    return network.name is ForecastKind.lstm


def early_stopping_sets(cfg: TrainConfig, problem: workload.Problem) -> np.ndarray:
    """What the best parameters are kept by: [m, window], or with shifts [sets, m, window].

    Sets are brought to one size, the smaller ones by repeating windows.
    """
    shifted = cfg.predictor.early_stopping is EarlyStoppingKind.shifts
    if not (shifted and problem.validation_shifts):
        return problem.validation
    sets = [problem.validation, *problem.validation_shifts.values()]
    rows = [np.linspace(0, len(x) - 1, EARLY_STOPPING_WINDOWS).round().astype(int) for x in sets]
    return np.stack([windows[chosen] for windows, chosen in zip(sets, rows, strict=True)])


def predictor_of(state: Any) -> robust.PredictorState:
    """The predictor in the state of any method's training."""
    return state.predictor if isinstance(state, robust.RobustState) else state


def train_method(
    method: MethodKind, cfg: TrainConfig, stages: Trainer, setting: Setting, start: Any = None
) -> Any:
    """Train one method to its end; returns the state of its training, seeds leading.

    `start`: parameters of DFL, seeds leading, for the methods that continue it.
    """
    if method is MethodKind.mse:
        problem = setting.problem
        loss = robust.prediction_loss(setting.forecaster, problem.layout, problem.scaler.mean)
        return train_dfl(cfg, stages, setting._replace(loss=loss), method)
    if method in FOLLOWERS:
        return _follow(method, cfg, stages, setting, start)
    return train_dfl(cfg, stages, setting, method)


def train_dfl(cfg: TrainConfig, stages: Trainer, setting: Setting, method: MethodKind) -> Any:
    """Train a fresh network on the mean loss of real windows."""
    rates = cfg.predictor
    training = robust.empirical_risk(
        setting.forecaster,
        setting.loss,
        steps=rates.steps,
        batch=setting.batch,
        learning_rate=setting.rate_factor * rates.learning_rate,
        weight_decay=rates.weight_decay,
        shard=setting.shard,
    )
    return stages.run(
        method.name,
        training,
        setting.windows,
        steps=rates.steps,
        segment_steps=rates.segment_steps,
        timing="predictor_training",
        one_by_one=setting.one_by_one,
    )


def _follow(
    method: MethodKind, cfg: TrainConfig, stages: Trainer, setting: Setting, start: Any
) -> robust.RobustState:
    """Continue DFL by a method: the same steps, rates and validation for all of them."""
    training = robust.outer_epochs(
        make_inner(method, cfg.robust, setting),
        setting.loss,
        epochs=cfg.robust.epochs,
        predictor_steps=cfg.robust.predictor_steps,
        learning_rate=setting.rate_factor * cfg.robust.predictor_learning_rate,
        weight_decay=cfg.predictor.weight_decay,
    )
    data = robust_data(method, setting)
    axes = robust.data_axes(data)
    return stages.run(
        method.name,
        training,
        data,
        steps=cfg.robust.epochs,
        segment_steps=1,
        timing="robust_training",
        init=(start, data),
        init_axes=(0, axes),
        data_axes=axes,
        one_by_one=setting.one_by_one,
    )


def train_score(cfg: DiffusionConfig, stages: Trainer, problem: workload.Problem) -> ScoreTrained:
    """Pretrain the nominal score model on windows in its space, and calibrate its kernel."""
    untrained = untrained_score(cfg, problem)
    model, sde, _, _, (_, coefs, windows) = untrained
    training = diffusion.make_score_training(
        model,
        sde,
        adam(cfg.learning_rate, cfg.steps),
        cfg.batch,
        shard=batch_sharding(stages.mesh),
    )
    state = stages.run(
        "score",
        training,
        windows,
        steps=cfg.steps,
        segment_steps=cfg.segment_steps,
        timing="score_training",
    )

    def calibrated(key: Array, theta: Any) -> diffusion.Coefficients:
        return diffusion.calibrate(key, partial(model.apply, theta), windows, coefs, sde)

    calibrate = jax.jit(jax.vmap(calibrated))
    nominal = robust.Nominal(
        state.average, calibrate(stages.key("calibrate"), state.average), windows
    )
    return untrained._replace(nominal=nominal)


def untrained_score(cfg: DiffusionConfig, problem: workload.Problem) -> ScoreTrained:
    """What `train_score` starts from: no parameters yet, and a kernel that is not calibrated."""
    sde = diffusion.VPSDE()
    space = make_space(cfg.space, problem)
    dim = problem.layout.window + space.extra
    model = diffusion.score_network(dim, cfg.width, cfg.blocks, sde=sde)
    grid = diffusion.make_grid(sde, cfg.grid_steps, cfg.fine_steps, cfg.t_fine)
    coefs = diffusion.make_coefficients(sde, grid.times)
    windows = jnp.asarray(space.to_model(problem.train), jnp.float32)
    return ScoreTrained(model, sde, grid, space, robust.Nominal(None, coefs, windows))


def make_space(kind: SpaceKind, problem: workload.Problem) -> workload.Space:
    """The space in which the score model sees demand."""
    if kind is SpaceKind.log:
        return workload.log_space(problem.train)
    if kind is SpaceKind.level:
        return workload.level_space(problem.train)
    return workload.linear_space(problem.scaler)
