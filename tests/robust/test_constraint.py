"""The budget: growth of the matching error, the dual variable and the step back into the budget."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.diffusion import VPSDE, ScoreModel, eps_mse, likelihood_loss
from lpo.robust import dual_step, growth_of, step_back

SDE = VPSDE()


def exact(x, t):
    """Noise prediction of standard normal data, for which eps = sqrt(s2) x."""
    b = 0.1 * t + 9.95 * t**2
    return jnp.sqrt(-jnp.expm1(-b))[:, None] * x


SHIFTED = ScoreModel(lambda key: jnp.zeros(()), lambda theta, x, t: exact(x, t) + theta)


@pytest.mark.parametrize("budget", [eps_mse, likelihood_loss])
def test_growth_of_the_nominal_model_is_exactly_zero(budget):
    objective = budget(SDE, hi=0.2232)
    data = jax.random.normal(jax.random.PRNGKey(0), (500, 4))
    draws = objective.draw(jax.random.PRNGKey(1), data, 256)
    growth = growth_of(SHIFTED, objective, jnp.zeros(()), draws)
    assert np.all(growth(jnp.zeros(())) == 0.0)


def test_growth_of_a_constant_shift_is_its_square():
    """E|e - eps - c|^2/d - E|e - eps|^2/d = c^2 for the exact eps: the residual has mean zero."""
    objective = eps_mse(SDE, hi=0.2232)
    data = jax.random.normal(jax.random.PRNGKey(0), (200_000, 2))
    draws = objective.draw(jax.random.PRNGKey(1), data, 200_000)
    growth = growth_of(SHIFTED, objective, jnp.zeros(()), draws)
    assert growth(jnp.asarray(0.3)).mean() == pytest.approx(0.09, abs=2e-3)


def test_likelihood_growth_is_the_weighted_time_integral():
    """c^2 d / 2 int beta / s2 dt, by quadrature in t itself: the code samples log-SNR instead."""
    objective = likelihood_loss(SDE, hi=0.2232)
    data = jax.random.normal(jax.random.PRNGKey(0), (200_000, 2))
    draws = objective.draw(jax.random.PRNGKey(1), data, 200_000)
    growth = growth_of(SHIFTED, objective, jnp.zeros(()), draws)
    t = np.geomspace(1e-3, 0.2232, 200_001)
    integrand = (0.1 + 19.9 * t) / -np.expm1(-(0.1 * t + 9.95 * t**2))
    expected = 0.3**2 * 2 / 2 * np.trapezoid(integrand, t)
    assert growth(jnp.asarray(0.3)).mean() == pytest.approx(expected, rel=0.03)


def test_multiplier_rises_when_violated_falls_inside_and_stays_in_range():
    assert dual_step(jnp.asarray(1.0), jnp.asarray(0.06), 0.03, 0.1, 10.0) == pytest.approx(1.1)
    assert dual_step(jnp.asarray(1.0), jnp.asarray(0.0), 0.03, 0.1, 10.0) == pytest.approx(0.9)
    assert dual_step(jnp.asarray(0.05), jnp.asarray(0.0), 0.03, 0.1, 10.0) == 0.0
    assert dual_step(jnp.asarray(9.9), jnp.asarray(9.0), 0.03, 0.1, 10.0) == 10.0


def test_step_back_keeps_a_feasible_point():
    theta, fraction = step_back(jnp.zeros(3), jnp.ones(3), lambda x: jnp.sum(x**2), limit=4.0)
    assert fraction == 1.0 and np.all(theta == 1.0)


def test_step_back_finds_the_boundary():
    # growth(c * (10, 0)) = 100 c^2 <= 4 at c = .2; seven halvings leave at most 1/128 below it
    theta, fraction = step_back(
        jnp.zeros(2), jnp.array([10.0, 0.0]), lambda x: jnp.sum(x**2), limit=4.0
    )
    assert 0.2 - 1 / 128 <= fraction <= 0.2
    assert jnp.sum(theta**2) <= 4.0
