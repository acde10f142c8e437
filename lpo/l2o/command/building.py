"""From a configuration to the family, the network and its training."""

from functools import cache
from typing import Any

import numpy as np

from lpo.allocate import Options, budget, generate
from lpo.l2o.classical.gradient import adam, gradient_descent, momentum
from lpo.l2o.classical.method import Method
from lpo.l2o.classical.pdhg import pdhg
from lpo.l2o.classical.proximal import fista, ista
from lpo.l2o.command.config import DenoiserKind, FamilyKind, L2oConfig
from lpo.l2o.denoisers.coordinate import coordinate
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.denoisers.mlp import mlp
from lpo.l2o.denoisers.unrolled import unrolled
from lpo.l2o.families.allocation import allocation
from lpo.l2o.families.digits import digits
from lpo.l2o.families.landscapes import ackley, rastrigin
from lpo.l2o.families.lasso import lasso
from lpo.l2o.families.open_rastrigin import open_rastrigin
from lpo.l2o.families.provisioning import provisioning
from lpo.l2o.family import Family
from lpo.l2o.guidance import Guidance
from lpo.l2o.linear import LinearFamily
from lpo.l2o.linear import family_of as primal_dual
from lpo.l2o.noise import Noise
from lpo.l2o.readers import pictures_of
from lpo.l2o.training import Objective, Trainer, make_training
from lpo.optim.training import Training

RATED = {"gd": gradient_descent, "momentum": momentum, "adam": adam}
PROXIMAL = {"ista": ista, "fista": fista}


def family_of(cfg: L2oConfig) -> Family:
    """Return the problems of a configuration."""
    given: Any = cfg.family
    match given.name:
        case FamilyKind.provisioning | FamilyKind.allocation:
            return primal_dual(linear_of(cfg))
        case FamilyKind.digits:
            pictures = pictures_of(given.path)
            return digits(pictures.train, pictures.test, hidden=given.hidden, rows=given.rows)
        case FamilyKind.open_rastrigin:
            return open_rastrigin(given.dimension)
        case FamilyKind.lasso:
            return lasso(given.rows, given.columns, fixed=given.fixed, seed=cfg.seed)
        case FamilyKind.rastrigin:
            return rastrigin(given.dimension)
        case _:
            return ackley(given.dimension)


def linear_of(cfg: L2oConfig) -> LinearFamily:
    """Return the linear programs of a configuration whose family they are."""
    given: Any = cfg.family
    if given.name is FamilyKind.provisioning:
        return provisioning(given.demand_spread, given.price_spread)
    return _relaxation(tuple(given.size), given.instance, given.demand_spread, given.price_spread)


@cache
def _relaxation(
    size: tuple[int, int, int], seed: int, demand_spread: float, price_spread: float
) -> LinearFamily:
    """Horizon-consistent costs and box uncertainty, as of `+experiment=l2o_rolling`."""
    return allocation(
        generate("robust", seed, size=size),
        Options(horizon_consistent=True),
        budget(np.inf, np.inf),
        demand_spread=demand_spread,
        price_spread=price_spread,
    ).linear


def denoiser_of(cfg: L2oConfig, family: Family) -> Denoiser:
    """Return the network of a configuration."""
    given: Any = cfg.denoiser
    if given.name is DenoiserKind.unrolled:
        return unrolled(family, given.layers)
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


def rateless(name: str, cfg: L2oConfig, family: Family) -> Method:
    """Return the method of a name that has no rate."""
    return pdhg(linear_of(cfg)) if name == "pdhg" else PROXIMAL[name](family)


def polish_of(cfg: L2oConfig, family: Family) -> Method:
    """Return the method that goes on from samples."""
    given: Any = cfg.polish
    if given.name.name in RATED:
        return RATED[given.name.name](family, given.rate)
    return rateless(given.name.name, cfg, family)
