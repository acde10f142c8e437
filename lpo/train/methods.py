"""The stages of a run: trainings of the experiment's method and of those it is compared with."""

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lpo import diffusion, forecast, provision, robust, workload
from lpo.optim import adam, batch_sharding
from lpo.train.config import (
    ROBUST,
    BudgetKind,
    DiffusionConfig,
    ForecastConfig,
    ForecastKind,
    MethodKind,
    PredictorConfig,
    RobustConfig,
    TrainConfig,
)
from lpo.train.problem import make_forecaster
from lpo.train.stages import Stages


class Trained(NamedTuple):
    """A trained method: `params` has a leading seed axis; `forecaster` says how to apply them."""

    forecaster: forecast.Forecaster
    params: Any


class ScoreTrained(NamedTuple):
    """A trained score model with its sampling grid and what the adversary may not change.

    The leaves of `nominal` have a leading seed axis, its windows excepted.
    """

    model: diffusion.ScoreModel
    sde: diffusion.VPSDE
    grid: diffusion.Grid
    nominal: robust.Nominal


class Players(NamedTuple):
    """Both sides of a robust method at the end of training, with a leading seed axis.

    `theta`: the adversary; `last`: the predictor after the last epoch, where `Trained.params` is
    the one kept by validation.
    """

    score: ScoreTrained
    theta: Any
    last: Any


class Results(NamedTuple):
    """What training leaves: `methods` by name, and the players where the experiment's is robust."""

    methods: dict[str, Trained]
    players: Players | None


def train_methods(
    cfg: TrainConfig, stages: Stages, problem: workload.Problem, task: provision.Task
) -> Results:
    """Train the experiment's method and `cfg.compare`, each once, DFL before its followers."""
    wanted = methods_wanted(cfg)
    predictor = make_forecaster(cfg.forecast, problem.scaler, problem.layout)
    scale = robust.loss_scale(task, problem.scaler)
    windows = robust.Windows(jnp.asarray(problem.train), jnp.asarray(problem.validation))
    decision = partial(robust.decision_loss, task=task, layout=problem.layout, scale=scale)
    fit = partial(_fit, stages, windows, cfg.predictor)

    trained: dict[str, Trained] = {}
    if MethodKind.mse in wanted:
        loss = robust.prediction_loss(predictor, problem.layout, problem.scaler.mean)
        trained["mse"] = fit("mse", predictor, loss)
    if MethodKind.linear_normalised in wanted:
        linear = method_forecaster("linear_normalised", cfg.forecast, problem)
        trained["linear_normalised"] = fit(
            "linear_normalised",
            linear,
            decision(linear),
            learning_rate=cfg.predictor.linear_learning_rate,
        )
    if MethodKind.dfl in wanted:
        trained["dfl"] = fit("dfl", predictor, decision(predictor))
    if MethodKind.dfl_matched in wanted:
        trained["dfl_matched"] = fit(
            "dfl_matched",
            predictor,
            decision(predictor),
            steps=cfg.robust.epochs * cfg.robust.predictor_steps,
            segment_steps=cfg.robust.predictor_steps,  # validated as often as the robust method
            learning_rate=cfg.robust.predictor_learning_rate,
            init=(trained["dfl"].params,),
        )
    players: dict[MethodKind, Players] = {}
    if wanted & ROBUST:
        score = train_score(cfg.diffusion, stages, problem)
        for method in sorted(wanted & ROBUST, key=lambda method: method.name):
            trained[method.name], players[method] = _train_robust(
                method, cfg, stages, problem, windows, score, trained["dfl"], decision(predictor)
            )
    return Results(trained, players.get(cfg.robust.method))


def method_forecaster(
    method: str, cfg: ForecastConfig, problem: workload.Problem
) -> forecast.Forecaster:
    """The network of a method: the configured one, but for the method that names its own."""
    if method == MethodKind.linear_normalised.name:
        cfg = replace(cfg, name=ForecastKind.linear_normalised)
    return make_forecaster(cfg, problem.scaler, problem.layout)


def methods_wanted(cfg: TrainConfig) -> set[MethodKind]:
    """The experiment's method, `cfg.compare`, and DFL where one of them starts from it."""
    wanted = {*cfg.compare, cfg.robust.method}
    if wanted & (ROBUST | {MethodKind.dfl_matched}):
        wanted.add(MethodKind.dfl)
    return wanted


def _fit(
    stages: Stages,
    windows: robust.Windows,
    cfg: PredictorConfig,
    name: str,
    predictor: forecast.Forecaster,
    loss: Any,
    *,
    steps: int | None = None,
    segment_steps: int | None = None,
    learning_rate: float | None = None,
    init: tuple[Any, ...] = (),
) -> Trained:
    steps = steps or cfg.steps
    training = robust.empirical_risk(
        predictor,
        loss,
        steps=steps,
        batch=cfg.batch,
        learning_rate=learning_rate or cfg.learning_rate,
        weight_decay=cfg.weight_decay,
        shard=batch_sharding(stages.mesh),
    )
    state = stages.run(
        name,
        training,
        windows,
        steps=steps,
        segment_steps=segment_steps or cfg.segment_steps,
        timing="predictor_training",
        init=init,
    )
    return Trained(predictor, state.best)


def train_score(cfg: DiffusionConfig, stages: Stages, problem: workload.Problem) -> ScoreTrained:
    """Pretrain the nominal score model on standardised windows, and calibrate its kernel."""
    sde = diffusion.VPSDE()
    model = diffusion.score_network(problem.layout.window, cfg.width, cfg.blocks, sde=sde)
    windows = jnp.asarray(workload.standardise(problem.train, problem.scaler))
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
    grid = diffusion.make_grid(sde, cfg.grid_steps, cfg.fine_steps, cfg.t_fine)
    coefs = diffusion.make_coefficients(sde, grid.times)

    def calibrated(key: Array, theta: Any) -> diffusion.Coefficients:
        return diffusion.calibrate(key, partial(model.apply, theta), windows, coefs, sde)

    calibrate = jax.jit(jax.vmap(calibrated))
    nominal = robust.Nominal(
        state.average, calibrate(stages.key("calibrate"), state.average), windows
    )
    return ScoreTrained(model, sde, grid, nominal)


def adversary_settings(cfg: RobustConfig, method: MethodKind) -> robust.AdversarySettings:
    """The inner maximiser of a method."""
    budget = "likelihood" if cfg.budget is BudgetKind.likelihood else "eps_mse"
    return robust.AdversarySettings(
        estimator="ppo" if method is MethodKind.dro_diffusion_ppo else "pathwise",
        budget=budget,
        epsilon=robust.EPSILON[budget] if cfg.epsilon is None else cfg.epsilon,
        learning_rate=cfg.learning_rate,
        inner_steps=cfg.inner_steps,
        paths=cfg.paths,
        draws=cfg.draws,
        audit_draws=cfg.audit_draws,
        dual_start=cfg.dual_start,
        dual_rate=cfg.dual_rate,
        clip=cfg.clip,
        kl_stop=cfg.kl_stop,
    )


def _train_robust(
    method: MethodKind,
    cfg: TrainConfig,
    stages: Stages,
    problem: workload.Problem,
    windows: robust.Windows,
    score: ScoreTrained,
    start: Trained,
    loss: Any,
) -> tuple[Trained, Players]:
    shard = batch_sharding(stages.mesh)
    adversary = robust.make_adversary(
        score.model,
        score.sde,
        score.grid,
        problem.scaler,
        problem.layout.window,
        loss,
        adversary_settings(cfg.robust, method),
        shard=shard,
    )
    training = robust.dro_diffusion(
        adversary,
        loss,
        epochs=cfg.robust.epochs,
        predictor_steps=cfg.robust.predictor_steps,
        samples=cfg.robust.samples,
        mix=cfg.robust.mix,
        batch=cfg.predictor.batch,
        learning_rate=cfg.robust.predictor_learning_rate,
        weight_decay=cfg.predictor.weight_decay,
        shard=shard,
    )
    state = stages.run(
        method.name,
        training,
        robust.RobustData(windows, score.nominal),
        steps=cfg.robust.epochs,
        segment_steps=1,
        timing="robust_training",
        init=(start.params, score.nominal),
        init_axes=(0, robust.DATA_AXES.nominal),
        data_axes=robust.DATA_AXES,
    )
    trained = Trained(start.forecaster, state.predictor.best)
    return trained, Players(score, state.adversary.theta, state.predictor.params)
