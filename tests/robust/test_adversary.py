"""The inner maximisation raises the loss, stays inside its budget, and obeys its settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo import robust, workload
from lpo.diffusion import VPSDE, ScoreModel, eps_mse, make_coefficients, make_grid
from tests import quick


def build(tiny, loss=None, **settings):
    defaults = {
        "paths": 128,
        "draws": 256,
        "budget": "eps_mse",
        "epsilon": 0.01,
        "learning_rate": 1e-3,
    }
    return robust.make_adversary(
        tiny.model,
        tiny.sde,
        tiny.grid,
        workload.linear_space(tiny.scaler).to_tokens,
        tiny.layout.window,
        tiny.loss if loss is None else loss,
        robust.AdversarySettings(**(defaults | settings)),
    )


def ascend(tiny, nominal, epochs=3, **settings):
    adversary = build(tiny, **settings)
    params = tiny.predictor.init(jax.random.PRNGKey(0))
    state, rows = adversary.init(nominal), []
    step = quick.jit(adversary.ascend)
    for epoch in range(epochs):
        state, metrics = step(
            jax.random.PRNGKey(epoch), state, nominal, params, jax.random.PRNGKey(99)
        )
        rows.append({name: float(value) for name, value in metrics.items()})
    return state, rows


@pytest.mark.parametrize(("budget", "epsilon"), [("eps_mse", 0.002), ("likelihood", 0.5)])
def test_every_ascent_step_raises_the_loss_and_stays_inside_the_budget(
    tiny, nominal, budget, epsilon
):
    """Same starts and noises on both sides. No multiplier: only the step back keeps the budget."""
    _, rows = ascend(
        tiny,
        nominal,
        epochs=8,
        inner_steps=1,
        budget=budget,
        epsilon=epsilon,
        learning_rate=3e-3,
        dual_start=0.0,
        dual_rate=1e-9,
    )
    assert all(row["worst_case_loss"] > row["nominal_loss"] for row in rows)
    assert any(row["feasible_fraction"] < 1 for row in rows)
    assert all(row["growth"] <= 1.1 * epsilon * (1 + 1e-5) for row in rows)


def test_importance_ratio_raises_the_loss_too(tiny, nominal):
    _, rows = ascend(
        tiny, nominal, epochs=8, estimator="ppo", paths=1024, dual_start=0.0, kl_stop=1.0
    )
    assert rows[-1]["worst_case_loss"] > 1.02 * rows[-1]["nominal_loss"]


def test_importance_ratio_stops_at_its_trust_region(tiny, nominal):
    """With no divergence allowed there is one step: Adam's first, of at most the learning rate."""
    state, _ = ascend(
        tiny, nominal, epochs=1, estimator="ppo", kl_stop=0.0, inner_steps=20, epsilon=1e3
    )
    moved = jax.tree.map(lambda a, b: float(jnp.max(jnp.abs(a - b))), state.theta, nominal.theta)
    assert max(jax.tree.leaves(moved)) == pytest.approx(1e-3, rel=0.01)


def test_adversary_finds_the_worst_shift_of_its_budget():
    """The exact model of standard normal windows, which can only be shifted, and a linear payoff.

    A shift of eps by s costs |s|^2 / d of mean squared error and moves every window by -h s, where
    h follows from the chain. So the best is h |a| sqrt(d epsilon), by a shift along -a.
    """
    dim, epsilon, slope = 4, 0.02, jnp.array([1.0, -2.0, 0.0, 0.5])
    sde = VPSDE()
    grid = make_grid(sde, steps=6, fine=3)
    coefs = make_coefficients(sde, grid.times)
    pull = 1 / coefs.mean_ratio - coefs.eps_coef * np.sqrt(sde.variance(coefs.t))
    h = sum(np.prod(pull[:k]) * coefs.eps_coef[k] for k in range(grid.fine))
    adversary = robust.make_adversary(
        ScoreModel(
            lambda key: jnp.zeros(dim),
            lambda shift, x, t: jnp.sqrt(sde.variance(t))[:, None] * x + shift,
        ),
        sde,
        grid,
        lambda x: x,
        dim,
        lambda params, x: params * (x @ slope),
        robust.AdversarySettings(
            budget="eps_mse",
            epsilon=epsilon,
            learning_rate=3e-3,
            inner_steps=300,
            paths=64,
            draws=2048,
            audit_draws=8192,
            dual_rate=0.3,
        ),
    )
    windows = jax.random.normal(jax.random.PRNGKey(0), (8192, dim))
    nominal = robust.Nominal(jnp.zeros(dim), jax.tree.map(jnp.float32, coefs), windows)
    key, audit_key = jax.random.split(jax.random.PRNGKey(1))
    ascend = quick.jit(adversary.ascend)
    state, metrics = ascend(key, adversary.init(nominal), nominal, 1.0, audit_key)
    gain = metrics["worst_case_loss"] - metrics["nominal_loss"]
    assert gain == pytest.approx(-h * float(slope @ state.theta), rel=1e-3)
    spent = float(state.theta @ state.theta) / dim
    best = h * float(jnp.linalg.norm(slope)) * np.sqrt(dim * spent)
    assert 0.97 * best < gain < 1.001 * best
    assert 0.8 * epsilon < spent < 1.2 * epsilon


def test_multiplier_holds_the_adversary_back(tiny, nominal):
    """With alpha fixed, the growth after one epoch falls as alpha rises: 0, then 30."""
    adversary = build(tiny, epsilon=1e3, dual_rate=1e-9)
    params, step = tiny.predictor.init(jax.random.PRNGKey(0)), quick.jit(adversary.ascend)
    keys = jax.random.split(jax.random.PRNGKey(0))
    growth = []
    for alpha in (0.0, 30.0):
        state = adversary.init(nominal)._replace(alpha=jnp.asarray(alpha))
        growth.append(step(keys[0], state, nominal, params, keys[1])[1]["growth"])
    assert growth[1] < 0.5 * growth[0]


def test_budget_is_enforced_on_draws_the_ascent_never_sees(tiny, nominal):
    """Growth on a third, fresh sample is within the limit as far as both samples can tell."""
    state, rows = ascend(
        tiny, nominal, epochs=8, epsilon=0.02, learning_rate=3e-3, audit_draws=4096
    )
    objective = eps_mse(tiny.sde, hi=float(tiny.grid.times[tiny.grid.fine]))
    draws = objective.draw(jax.random.PRNGKey(123), nominal.windows, 20_000)
    terms = robust.growth_of(tiny.model, objective, nominal.theta, draws)(state.theta)
    error = np.hypot(rows[-1]["growth_se"], float(terms.std()) / np.sqrt(20_000))
    assert rows[-1]["growth"] <= 1.1 * 0.02 * (1 + 1e-5)
    assert float(terms.mean()) < 1.1 * 0.02 + 4 * error
    assert error < 0.02  # the comparison has power
