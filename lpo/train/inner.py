"""From configuration to the inner problem of each robust method."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lpo import diffusion, forecast, robust, workload
from lpo.optim import Shard
from lpo.train.config import (
    ADVERSARIAL,
    AUGMENTING,
    IMAGINING,
    BudgetKind,
    MethodKind,
    PayoffKind,
    RobustConfig,
)


class ScoreTrained(NamedTuple):
    """A trained score model with its sampling grid and what an adversary may not change.

    `space`: that in which the model sees demand. The leaves of `nominal` have a leading seed axis,
    its windows excepted.
    """

    model: diffusion.ScoreModel
    sde: diffusion.VPSDE
    grid: diffusion.Grid
    space: workload.Space
    nominal: robust.Nominal


class Setting(NamedTuple):
    """What the methods of one run with one network share.

    `rate_factor` multiplies learning rates. `score` is None where no method imagines demand.
    `one_by_one`: seeds are trained after one another.
    """

    problem: workload.Problem
    forecaster: forecast.Forecaster
    loss: robust.WindowLoss
    pair_loss: robust.PairLoss
    history_loss: robust.WindowLoss
    windows: robust.Windows
    rate_factor: float
    batch: int
    score: ScoreTrained | None
    shard: Shard
    one_by_one: bool


def size_of(method: MethodKind, cfg: RobustConfig) -> float:
    """The size of a method's ambiguity set: `robust.sizes`, or else its default in `SIZES`."""
    if method in ADVERSARIAL:
        return adversary_settings(cfg, method).epsilon
    return float(cfg.sizes.get(method.name, SIZES[method]))


SIZES: dict[MethodKind, float] = {
    MethodKind.kl_dro: 0.02,
    MethodKind.cvar_dro: 0.6,
    MethodKind.chi_square_dro: 0.1,
    MethodKind.wasserstein_dro: 0.05,
    MethodKind.wrm_dro: 3.0,
    MethodKind.gaussian_augmentation: 0.1,
    MethodKind.cutout_augmentation: 0.02,
    MethodKind.perlin_augmentation: 0.2,
    MethodKind.scale_augmentation: 0.1,
    MethodKind.guided: 1.0,
}
"""Default sizes, each in its method's own unit: the choice of `lpo.study` (docs/robust.md)."""


def make_inner(method: MethodKind, cfg: RobustConfig, setting: Setting) -> robust.Inner:
    """The inner problem of `method`, one of `FOLLOWERS` of the configuration."""
    if method is MethodKind.dfl_matched:
        return robust.unperturbed(setting.loss, batch=setting.batch, shard=setting.shard)
    if method in _REWEIGHTED:
        return robust.reweighted(
            _REWEIGHTED[method](size_of(method, cfg)),
            setting.loss,
            batch=setting.batch,
            shard=setting.shard,
        )
    if method in AUGMENTING:
        return robust.augmented(
            _corruption(method, cfg, size_of(method, cfg), setting.problem),
            setting.loss,
            mix=cfg.mix,
            batch=setting.batch,
            shard=setting.shard,
        )
    if method is MethodKind.wasserstein_dro:
        return robust.wasserstein_dro(
            setting.pair_loss,
            setting.problem.layout,
            setting.problem.scaler,
            radius=size_of(method, cfg),
            attack_steps=cfg.attack_steps,
            batch=setting.batch,
            shard=setting.shard,
        )
    if method is MethodKind.wrm_dro:
        return robust.wrm_dro(
            setting.pair_loss,
            setting.problem.layout,
            setting.problem.scaler,
            gamma=size_of(method, cfg),
            attack_steps=cfg.attack_steps,
            targets=cfg.attack_targets,
            batch=setting.batch,
            shard=setting.shard,
        )
    return robust.mixed(
        make_imagination(method, cfg, setting),
        setting.loss,
        samples=cfg.samples,
        mix=cfg.mix,
        noise=cfg.smoothing * setting.problem.scaler.sd / setting.problem.scaler.mean,
        batch=setting.batch,
        shard=setting.shard,
    )


def make_imagination(method: MethodKind, cfg: RobustConfig, setting: Setting) -> robust.Imagination:
    """Where a method that imagines demand takes it from."""
    score = setting.score
    assert score is not None, "train_methods() trains a score model for methods that need one"
    dim, shard = setting.problem.layout.window + score.space.extra, setting.shard
    payoff = setting.loss
    if cfg.payoff in (PayoffKind.history, PayoffKind.relative_history):
        payoff = setting.history_loss
    if cfg.payoff in (PayoffKind.relative, PayoffKind.relative_history):
        payoff = robust.relative_to_demand(
            payoff,
            setting.problem.scaler.mean,
            through_level=cfg.payoff is PayoffKind.relative,
        )
    if method is MethodKind.diffusion_augmentation:
        return robust.nominal_imagination(
            score.model, score.grid, score.space.to_tokens, dim, shard=shard
        )
    if method is MethodKind.guided:
        settings = robust.GuidanceSettings(
            epsilon=size_of(method, cfg), fine_only=cfg.guide_fine_only
        )
        return robust.guided_imagination(
            robust.make_guide(
                score.model,
                score.sde,
                score.grid,
                score.space.to_tokens,
                dim,
                payoff,
                settings,
                shard=shard,
            )
        )
    return robust.adversarial_imagination(
        robust.make_adversary(
            score.model,
            score.sde,
            score.grid,
            score.space.to_tokens,
            dim,
            payoff,
            adversary_settings(cfg, method),
            shard=shard,
        )
    )


def adversary_settings(cfg: RobustConfig, method: MethodKind) -> robust.AdversarySettings:
    """The inner maximiser of 3D-Learning, by either gradient."""
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


def robust_data(method: MethodKind, setting: Setting) -> robust.RobustData:
    """What `robust.outer_epochs` trains on: a score model only for those that imagine demand."""
    if method in IMAGINING and setting.score is not None:
        return robust.RobustData(setting.windows, setting.score.nominal)
    return robust.RobustData(setting.windows)


_REWEIGHTED: dict[MethodKind, Callable[[float], robust.Divergence]] = {
    MethodKind.kl_dro: robust.kl,
    MethodKind.cvar_dro: robust.cvar,
    MethodKind.chi_square_dro: robust.chi_square,
}


def _corruption(
    method: MethodKind, cfg: RobustConfig, size: float, problem: workload.Problem
) -> robust.Corrupt:
    """What an augmentation does to a window; noise is in shares of the largest training demand."""
    largest = float(problem.train.max())
    if method is MethodKind.gaussian_augmentation:
        return robust.gaussian(largest, amplitude=size)
    if method is MethodKind.cutout_augmentation:
        if cfg.cutout_block:
            return robust.cutout_block(largest, share=size)
        return robust.cutout_points(probability=size)
    if method is MethodKind.perlin_augmentation:
        bins = problem.protocol.train_stride * (len(problem.train) - 1) + problem.layout.window
        return robust.perlin(largest, bins, np.random.default_rng(0), amplitude=size)
    return robust.scale_trend(scale=size, amplitude=size, trend=size)
