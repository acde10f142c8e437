"""The table of risks, against what its numbers mean."""

from typing import Any

import jax
import numpy as np
import pytest

from lpo.l2o.command.building import denoiser_of, family_of
from lpo.l2o.command.checks import validate
from lpo.l2o.command.competing import drawn_of
from lpo.l2o.command.config import FamilyConfig, FamilyKind, L2oConfig
from lpo.l2o.command.risk import risk_table
from lpo.l2o.command.world import make_world


def test_risks_bounds_and_traces_of_lasso():
    """An untrained network on sparse regression, whose Hessian is A'A scaled by coordinates."""
    cfg = L2oConfig(family=FamilyConfig(FamilyKind.lasso, rows=4, columns=5, fixed=True))
    cfg.training.problems, cfg.tests, cfg.validation, cfg.samples.count = 40, 30, 20, 3
    cfg.samples.levels = [1]
    validate(cfg)
    family = family_of(cfg)
    world, denoiser = make_world(cfg, family), denoiser_of(cfg, family)
    params = jax.tree.map(lambda leaf: leaf[None], denoiser.init(jax.random.key(0)))
    drawn = drawn_of(cfg, family, world, denoiser, params, 1, 3)
    table: Any = risk_table(cfg, family, world, denoiser, params, drawn).set_index("problems")

    objective = jax.vmap(family.objective)
    at_prior = np.asarray(objective(world.validation_starts, world.validation)).mean()
    first = np.asarray(objective(drawn[0].each.x[:, 0], world.problems))
    risk = np.minimum((first - np.asarray(world.labels.value)) / at_prior, 1.0).mean()
    assert 0.0 < risk < 0.5 and table.loc["test", "risk"] == pytest.approx(risk, rel=1e-5)
    # one law, fixed before the tests were drawn: no divergence
    bound = risk + np.sqrt(np.log(2.0 * np.sqrt(30.0) / 0.05) / 60.0)
    assert table.loc["test", "bound"] == pytest.approx(bound, rel=1e-5)
    assert (table["bound"] >= table["risk"]).all() and (table["bound"] <= 1.0).all()

    assert family.composite is not None and family.composite.matrix is not None
    A = np.asarray(family.composite.matrix() * world.training.normaliser.std)
    H = A.T @ A / at_prior
    # v'Hv of random signs v, 16 for each of 30 problems, varies by twice what is off the diagonal
    error = np.sqrt(2.0 * ((H**2).sum() - (np.diag(H) ** 2).sum()) / (16 * 30))
    assert abs(table.loc["training", "hessian_trace"] - np.trace(H)) < 3.0 * error
    none = [one._replace(each=jax.tree.map(lambda leaf: leaf[:, :1], one.each)) for one in drawn]
    assert not len(risk_table(cfg, family, world, denoiser, params, none))
