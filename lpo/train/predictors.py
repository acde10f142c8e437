"""The trained predictors of a run, kept in one checkpoint for the commands that use them later."""

import jax

from lpo import workload
from lpo.optim import seed_keys
from lpo.runs import Checkpoints
from lpo.train.config import TrainConfig
from lpo.train.methods import Trained, methods_wanted, network_of, one_by_one
from lpo.train.problem import make_forecaster

PREDICTORS = "predictors"


def save_predictors(checkpoints: Checkpoints, methods: dict[str, Trained]) -> None:
    """Keep the parameters of every method, seeds leading, for those who use the run later."""
    checkpoints.save(PREDICTORS, 1, {name: trained.params for name, trained in methods.items()})


def load_predictors(
    checkpoints: Checkpoints, cfg: TrainConfig, problem: workload.Problem
) -> dict[str, Trained]:
    """What `save_predictors` kept of a run with this configuration; empty where it kept nothing.

    Raises `ValueError` when the parameters are not of this configuration's networks.
    """
    names = sorted(kind.name for kind in methods_wanted(cfg))
    networks = {name: network_of(name, cfg.forecast) for name in names}
    forecasters = {
        name: make_forecaster(network, problem.scaler, problem.layout)
        for name, network in networks.items()
    }
    keys = seed_keys(cfg.seed, cfg.seeds)
    like = {
        name: jax.eval_shape(jax.vmap(forecaster.init), keys)
        for name, forecaster in forecasters.items()
    }
    found = checkpoints.latest(PREDICTORS, like)
    if found is None:
        return {}
    return {
        name: Trained(forecasters[name], params, one_by_one(networks[name]))
        for name, params in found[1].items()
    }
