"""From a configuration to the family, the network and its training."""

from typing import Any

from lpo.l2o.classical.gradient import adam, gradient_descent, momentum
from lpo.l2o.classical.method import Method
from lpo.l2o.classical.proximal import fista, ista
from lpo.l2o.command.config import DenoiserKind, FamilyKind, L2oConfig
from lpo.l2o.denoisers.coordinate import coordinate
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.denoisers.mlp import mlp
from lpo.l2o.denoisers.unrolled import unrolled
from lpo.l2o.families.landscapes import ackley, rastrigin
from lpo.l2o.families.lasso import lasso
from lpo.l2o.family import Family
from lpo.l2o.guidance import Guidance
from lpo.l2o.noise import Noise
from lpo.l2o.training import Objective, Trainer, make_training
from lpo.optim.training import Training

RATED = {"gd": gradient_descent, "momentum": momentum, "adam": adam}
PROXIMAL = {"ista": ista, "fista": fista}


def family_of(cfg: L2oConfig) -> Family:
    """Return the problems of a configuration."""
    given: Any = cfg.family
    match given.name:
        case FamilyKind.lasso:
            return lasso(given.rows, given.columns, fixed=given.fixed, seed=cfg.seed)
        case FamilyKind.rastrigin:
            return rastrigin(given.dimension)
        case _:
            return ackley(given.dimension)


def denoiser_of(cfg: L2oConfig, family: Family) -> Denoiser:
    """Return the network of a configuration."""
    given: Any = cfg.denoiser
    if given.name is DenoiserKind.unrolled:
        shared = cfg.family.fixed is not False
        return unrolled(family, given.layers, preconditioned=shared)
    told: Any = cfg.guidance
    parts = Guidance(
        told.gradient, told.loss, told.previous, told.features, told.scale, told.octaves
    )
    make = mlp if given.name is DenoiserKind.mlp else coordinate
    return make(family, parts, width=given.width, layers=given.layers)


def noise_of(cfg: L2oConfig) -> Noise:
    """Return the noise levels of a configuration."""
    given: Any = cfg.noise
    return Noise(given.least, given.most, given.rho)


def training_of(cfg: L2oConfig, family: Family, denoiser: Denoiser) -> Training:
    """Return the training of a configuration."""
    given: Any = cfg.training
    return make_training(
        family,
        denoiser,
        noise_of(cfg),
        steps=given.steps,
        trainer=Trainer(given.trainer.name),
        objective=Objective(alpha=given.alpha, scale=given.gap_scale),
        batch=given.batch,
        rate=given.rate,
        rollout_steps=given.rollout_steps,
    )


def polish_of(cfg: L2oConfig, family: Family) -> Method:
    """Return the method that goes on from samples."""
    given: Any = cfg.polish
    if given.name.name in PROXIMAL:
        return PROXIMAL[given.name.name](family)
    return RATED[given.name.name](family, given.rate)
