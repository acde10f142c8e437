"""Training on reweighted real windows: the robust optimum, and when dropout is on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from lpo.optim import run, seed_keys
from lpo.robust.divergence import cvar, kl
from lpo.robust.empirical import Windows
from lpo.robust.outer import RobustData, outer_epochs
from lpo.robust.reweighting import reweighted

X = np.random.default_rng(0).beta(1, 4, size=300)
DATA = RobustData(Windows(jnp.asarray(X[:, None], jnp.float32), jnp.zeros((0, 1))))


def loss(w, windows, key=None):
    """Squared distance of one free number to a window of one bin."""
    return (windows[:, 0] - w) ** 2


def robust_optimum():
    """min over w and a > 0 of a log E exp(l / a) + a / 2, jointly convex: (w, worst-case loss)."""

    def objective(x):
        w, a = x
        return a * np.log(np.mean(np.exp((X - w) ** 2 / a))) + 0.5 * a if a > 1e-3 else np.inf

    solution = minimize(objective, [0.2, 0.1], method="Nelder-Mead", options={"xatol": 1e-7})
    return solution.x[0], solution.fun


def test_training_finds_the_robust_optimum():
    """Of one free number in a KL ball; the dual form of the problem is solved by another method."""
    inner = reweighted(kl(0.5), loss, batch=128, reference=512)
    training = outer_epochs(inner, loss, epochs=60, predictor_steps=10, learning_rate=1e-2)
    keys = seed_keys(0, 2)
    init = jax.jit(jax.vmap(training.init, in_axes=(0, None, None)))
    state = init(keys, jnp.asarray(X.mean()), DATA)
    (segment,) = run(training, keys, state, DATA, steps=60, segment_steps=60)
    w, worst = robust_optimum()
    assert w > 1.2 * X.mean()
    np.testing.assert_allclose(segment.state.predictor.params, w, rtol=0.05)
    metrics = {name: rows[:, -30:].mean() for name, rows in segment.metrics.items()}
    assert metrics["worst_case_loss"] == pytest.approx(worst, rel=0.05)
    assert metrics["nominal_loss"] == pytest.approx(np.mean((X - w) ** 2), rel=0.05)
    # by Jensen's inequality log E r^2 >= E[r log r], which is the radius
    assert 0 < metrics["effective_share"] < np.exp(-0.5)


def test_effective_share_of_a_tail_is_the_tail():
    """r is 1 / tail or 0, so E r^2 = 1 / tail."""
    inner = reweighted(cvar(0.25), loss, batch=8, reference=400)
    _, _, metrics = jax.jit(inner.prepare)(jax.random.PRNGKey(0), (), jnp.asarray(0.2), DATA)
    assert metrics["effective_share"] == pytest.approx(0.25, rel=0.01)


def test_dropout_is_off_in_the_dual_and_on_in_the_steps():
    """The loss is 1 or 2 by whether it is given a key; equal losses have r = 1."""

    def switch(params, windows, key=None):
        return jnp.full(windows.shape[0], 1.0 if key is None else 2.0)

    inner = reweighted(kl(0.5), switch, batch=3, reference=5)

    @jax.jit
    def epoch(key):
        _, context, metrics = inner.prepare(key, inner.init(key, DATA), (), DATA)
        return metrics, inner.losses(key, (), DATA, context)

    metrics, losses = epoch(jax.random.PRNGKey(0))
    assert metrics == {"worst_case_loss": 1.0, "nominal_loss": 1.0, "effective_share": 1.0}
    np.testing.assert_array_equal(losses, [2.0, 2.0, 2.0])
