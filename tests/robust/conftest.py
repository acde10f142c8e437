"""A tiny problem for the tests of training: noisy cycles, a small net, a Gaussian score model."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo import diffusion, forecast, provision, robust, workload
from tests import quick


class Tiny(NamedTuple):
    layout: workload.Layout
    scaler: workload.Scaler
    windows: robust.Windows
    predictor: forecast.Forecaster
    task: provision.CapacityTask
    loss: robust.WindowLoss
    model: diffusion.ScoreModel
    sde: diffusion.VPSDE
    grid: diffusion.Grid


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    layout = workload.Layout(window=12, context=8, lead=4)
    rng = np.random.default_rng(0)
    tokens = 1e5 * (2 + np.sin(np.arange(600) / 9) + 0.2 * rng.standard_normal(600))
    scaler = workload.fit_scaler(tokens[:400])
    windows = robust.Windows(
        jnp.asarray(workload.cut(tokens[:400], layout, 1)),
        jnp.asarray(workload.cut(tokens[412:], layout, 1)),
    )
    predictor = forecast.mlp(scaler, 8, forecast.point_head(), normalise="window", widths=(16,))
    task = provision.newsvendor()
    loss = robust.decision_loss(predictor, task, layout, robust.loss_scale(task, scaler))
    sde = diffusion.VPSDE()
    # starts at the exact score of standardised Gaussian data, so it needs no training here
    model = diffusion.score_network(12, 32, 1, 16, sde=sde)
    grid = diffusion.make_grid(sde, steps=12, fine=4)
    return Tiny(layout, scaler, windows, predictor, task, loss, model, sde, grid)


@pytest.fixture(scope="session")
def nominal(tiny):
    standardised = workload.standardise(tiny.windows.train, tiny.scaler)
    coefs = diffusion.make_coefficients(tiny.sde, tiny.grid.times)
    return robust.Nominal(quick.jit(tiny.model.init)(jax.random.PRNGKey(7)), coefs, standardised)
