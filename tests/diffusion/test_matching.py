from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.integrate import quad

from lpo.diffusion import (
    VPSDE,
    ScoreModel,
    eps_mse,
    likelihood_loss,
    make_coefficients,
    make_grid,
    make_score_training,
    matching_loss,
    sample,
    score_network,
    stratified_times,
)
from lpo.optim.training import adam, run, seed_keys

SDE = VPSDE()
KEY = jax.random.PRNGKey(0)


def gaussian_rows(gaussian, n):
    z = np.random.default_rng(0).standard_normal((n, 3))
    return jnp.asarray(gaussian.mean + gaussian.sd * z, jnp.float32)


def test_times_have_one_in_each_stratum():
    t = np.asarray(stratified_times(KEY, 50, 0.2, 0.7))
    np.testing.assert_array_equal(np.floor((t - 0.2) / 0.01 + 1e-4), np.arange(50))


def test_likelihood_times_have_one_in_each_stratum_of_log_snr(gaussian):
    t = likelihood_loss(SDE, hi=0.2232).draw(KEY, gaussian_rows(gaussian, 10), 50).t
    lo, hi = float(SDE.log_snr(0.2232)), float(SDE.log_snr(SDE.t0))
    place = (np.asarray(SDE.log_snr(t)) - lo) / (hi - lo) * 50
    np.testing.assert_array_equal(np.floor(place + 1e-3), np.arange(50))


@pytest.mark.parametrize("t", [0.05, 0.2232, 0.8])
def test_loss_of_the_exact_score_is_the_posterior_variance_of_the_noise(gaussian, t):
    """E |e - E[e | x_t]|^2 = 1 - s2 / V = m^2 sd^2 / V in each dimension, V the variance of x_t."""
    n = 20_000
    x0, noise = gaussian_rows(gaussian, n), jax.random.normal(KEY, (n, 3))
    loss = np.asarray(matching_loss(gaussian.eps, x0, jnp.full((n,), t), noise, SDE))
    m2 = np.exp(-SDE.integral_beta(t))
    expected = np.mean(m2 * gaussian.sd**2 / gaussian.marginal_variance(t))
    assert abs(loss.mean() - expected) < 4 * loss.std() / np.sqrt(n)


@pytest.mark.parametrize("objective", [eps_mse, likelihood_loss])
def test_loss_is_least_at_the_exact_score(gaussian, objective):
    objective = objective(SDE)
    draws = objective.draw(KEY, gaussian_rows(gaussian, 20_000), 4096)

    def risk(eps_fn):
        return float(jnp.mean(objective.loss(eps_fn, draws)))

    best = risk(gaussian.eps)
    for c in (-0.2, 0.2):
        assert risk(lambda x, t, c=c: (1.0 + c) * gaussian.eps(x, t)) > best
        assert risk(lambda x, t, c=c: gaussian.eps(x, t) + c) > best
    assert risk(lambda x, t: jnp.zeros_like(x)) > best


def test_likelihood_loss_is_the_beta_over_variance_weighted_integral(gaussian):
    """1/2 int beta / s2 E |e - eps|^2 dt by quadrature in t, for the exact score."""

    def integrand(t):
        b, v = SDE.integral_beta(t), gaussian.marginal_variance(t)
        return 0.5 * SDE.beta(t) / -np.expm1(-b) * np.sum(np.exp(-b) * gaussian.sd**2 / v)

    expected = quad(integrand, SDE.t0, 0.2232, epsabs=1e-9)[0]
    objective = likelihood_loss(SDE, hi=0.2232)
    draws = objective.draw(KEY, gaussian_rows(gaussian, 20_000), 20_000)
    loss = np.asarray(objective.loss(gaussian.eps, draws))
    assert abs(loss.mean() - expected) < 4 * loss.std() / np.sqrt(len(loss))


def test_kept_draws_make_the_loss_deterministic(gaussian):
    objective = eps_mse(SDE, hi=0.2232)
    rows = gaussian_rows(gaussian, 100)
    draws, other = (objective.draw(jax.random.PRNGKey(k), rows, 64) for k in (1, 2))
    first = objective.loss(gaussian.eps, draws)
    np.testing.assert_array_equal(first, objective.loss(gaussian.eps, draws))
    assert not np.allclose(first, objective.loss(gaussian.eps, other))


def test_average_follows_the_parameters_and_warms_up(gaussian):
    model = ScoreModel(lambda key: jax.random.normal(key, (3, 3)), lambda w, x, t: x @ w)
    training = make_score_training(model, SDE, optax.sgd(0.1), batch=16, decay=0.5)
    state = jax.jit(training.init)(KEY)
    expected = state.params
    update, rows, metrics = jax.jit(training.update), gaussian_rows(gaussian, 50), {}
    for step in range(12):
        state, metrics = update(jax.random.fold_in(KEY, step), state, rows)
        kept = min(0.5, (1 + step) / (10 + step))
        expected = jax.tree.map(lambda a, p, c=kept: c * a + (1 - c) * p, expected, state.params)
    assert int(state.step) == 12 and set(metrics) == {"loss", "grad_norm"}
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), state.average, expected)


class Mixture:
    """Half of the mass at +2 and half at -2 (1, 1), each with sd 0.3; exact noise prediction."""

    centre, sd = 2.0, 0.3

    def rows(self, n):
        rng = np.random.default_rng(1)
        sign = rng.choice([-1.0, 1.0], (n, 1))
        return jnp.asarray(self.centre * sign + self.sd * rng.standard_normal((n, 2)), jnp.float32)

    def eps(self, x, t):
        m, s2 = SDE.mean_coef(t)[:, None], SDE.variance(t)[:, None]
        variance = m**2 * self.sd**2 + s2
        sign = jnp.tanh(m * self.centre * jnp.sum(x, axis=-1, keepdims=True) / variance)
        return jnp.sqrt(s2) * (x - m * self.centre * sign) / variance


def test_training_learns_a_mixture_for_every_seed():
    mixture, steps = Mixture(), 500
    model = score_network(2, width=32, blocks=2, embed=16)
    training = make_score_training(model, SDE, adam(5e-3, steps), batch=256)
    keys = seed_keys(0, 2)
    state = jax.jit(jax.vmap(training.init))(keys)
    *_, last = run(training, keys, state, mixture.rows(4000), steps=steps, segment_steps=steps)

    objective = eps_mse(SDE)
    draws = objective.draw(jax.random.PRNGKey(9), mixture.rows(8000)[4000:], 4000)
    optimum = float(jnp.mean(objective.loss(mixture.eps, draws)))
    nothing = float(jnp.mean(objective.loss(lambda x, t: jnp.zeros_like(x), draws)))
    learned = jax.vmap(
        lambda params: jnp.mean(objective.loss(partial(model.apply, params), draws))
    )(last.state.average)
    assert optimum < 0.5 * nothing
    assert np.all(np.asarray(learned) - optimum < 0.05 * (nothing - optimum))

    grid = make_grid(SDE)
    coefs = make_coefficients(SDE, grid.times)
    x = np.asarray(
        jax.jit(
            jax.vmap(
                lambda key, params: sample(key, partial(model.apply, params), 500, 2, grid, coefs)
            )
        )(keys, last.state.average)
    )
    share = np.mean(x.sum(axis=-1) > 0, axis=1)
    np.testing.assert_allclose(share, 0.5, atol=4 * 0.5 / np.sqrt(500) + 0.05)
    assert np.mean(np.abs(np.abs(x) - mixture.centre) < 4 * mixture.sd) > 0.98
