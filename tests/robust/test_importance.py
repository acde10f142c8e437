"""The log ratio of diffusion paths: Girsanov's identities, both gradient estimators."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.diffusion import (
    VPSDE,
    make_coefficients,
    make_grid,
    reverse_mean,
    sample_fine,
    trajectory_eps,
)
from lpo.robust import clipped_surrogate, log_ratio
from lpo.robust.importance import advantage

SDE = VPSDE()
GRID = make_grid(SDE)
COEFS = make_coefficients(SDE, GRID.times)
MEAN, SD = 0.7, 0.8  # of the Gaussian data law whose exact noise prediction is used below


def exact_eps(x, t):
    """Noise prediction of N(MEAN, SD^2 I) data: sqrt(s2) (x - m mu) / (m^2 sd^2 + s2)."""
    b = 0.1 * t + 9.95 * t**2
    m, s2 = jnp.exp(-b / 2)[:, None], -jnp.expm1(-b)[:, None]
    return jnp.sqrt(s2) * (x - m * MEAN) / (m**2 * SD**2 + s2)


def shifted(theta):
    return lambda x, t: exact_eps(x, t) + theta


def bent(theta):
    """A change that depends on the state, so that it matters where along the path it is taken."""
    return lambda x, t: exact_eps(x, t) + theta * jnp.tanh(2 * x)


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def draw(key, count, dim):
    """Reverse paths under the exact model, from its own marginal at times[K]."""
    start_key, noise_key = jax.random.split(key)
    b = 0.1 * GRID.times[GRID.fine] + 9.95 * GRID.times[GRID.fine] ** 2
    sd = np.sqrt(np.exp(-b) * SD**2 - np.expm1(-b))
    x_k = np.exp(-b / 2) * MEAN + sd * jax.random.normal(start_key, (count, dim))
    noise = jax.random.normal(noise_key, (GRID.fine, count, dim))
    x0, path = sample_fine(exact_eps, x_k, noise, COEFS)
    return x_k, noise, x0, path


def test_ratio_of_a_model_to_itself_is_exactly_one():
    _, noise, _, path = draw(jax.random.PRNGKey(0), 64, 3)
    eps_old = trajectory_eps(exact_eps, path, COEFS)
    log_r, half_square = log_ratio(exact_eps, eps_old, path, noise, COEFS)
    assert np.all(log_r == 0.0) and np.all(half_square == 0.0)


def test_girsanov_form_equals_the_quadratic_form_of_the_paper(double):
    _, noise, _, path = draw(jax.random.PRNGKey(1), 32, 3)
    eps_old = trajectory_eps(exact_eps, path, COEFS)
    log_r, _ = log_ratio(bent(0.05), eps_old, path, noise, COEFS)

    def squares(eps_fn):
        total = 0.0
        for k in range(GRID.fine):
            coef = jax.tree.map(lambda c, k=k: c[k], COEFS)
            eps = eps_fn(path[k + 1], jnp.full(32, coef.t))
            mean = reverse_mean(eps, path[k + 1], coef)
            total += jnp.sum((path[k] - mean) ** 2, axis=-1) / (2 * coef.sigma**2)
        return total

    np.testing.assert_allclose(log_r, squares(exact_eps) - squares(bent(0.05)), atol=1e-4)


def test_ratio_has_mean_one_and_its_log_has_minus_the_path_divergence(double):
    count = 40_000
    _, noise, _, path = draw(jax.random.PRNGKey(2), count, 2)
    eps_old = trajectory_eps(exact_eps, path, COEFS)
    for changed in (bent(0.03), shifted(0.03)):
        log_r, half_square = log_ratio(changed, eps_old, path, noise, COEFS)
        ratio = np.exp(log_r)
        assert abs(ratio.mean() - 1.0) < 4 * ratio.std() / np.sqrt(count)
    noise_term = np.asarray(log_r + half_square)
    assert abs(noise_term.mean()) < 4 * noise_term.std() / np.sqrt(count)
    # a constant shift moves every path by the same amount, so the divergence is a plain sum
    k = GRID.fine
    divergence = 0.5 * 2 * np.sum((COEFS.eps_coef[:k] / COEFS.sigma[:k] * 0.03) ** 2)
    np.testing.assert_allclose(half_square, divergence, rtol=1e-10)


def analytic_slope():
    """d x_0 / d theta of eps = eps_exact + theta in d = 1: a linear recursion down the chain."""
    slope = 0.0
    for k in reversed(range(GRID.fine)):
        t, ratio, weight = COEFS.t[k], COEFS.mean_ratio[k], COEFS.eps_coef[k]
        b = 0.1 * t + 9.95 * t**2
        m2, s2 = np.exp(-b), -np.expm1(-b)
        slope = (1 / ratio - weight * np.sqrt(s2) / (m2 * SD**2 + s2)) * slope - weight
    return slope


def test_pathwise_gradient_is_the_analytic_one(double):
    x_k, noise, _, _ = draw(jax.random.PRNGKey(3), 16, 1)

    def mean_loss(theta):
        return jnp.mean(3.0 * sample_fine(shifted(theta), x_k, noise, COEFS)[0])

    np.testing.assert_allclose(jax.grad(mean_loss)(0.0), 3.0 * analytic_slope(), rtol=1e-9)


def test_importance_gradient_agrees_in_expectation(double):
    count = 200_000
    _, noise, x0, path = draw(jax.random.PRNGKey(4), count, 1)
    eps_old = trajectory_eps(exact_eps, path, COEFS)
    loss = 3.0 * (x0[:, 0] - x0.mean())

    def surrogate(theta):
        log_r, _ = log_ratio(shifted(theta), eps_old, path, noise, COEFS)
        return clipped_surrogate(log_r, loss, jnp.inf)

    gradient = jax.grad(surrogate)(0.0)
    # at theta = 0 each path contributes loss * d log r / d theta = -loss * sum_k (coef / sigma) z_k
    weight = (COEFS.eps_coef / COEFS.sigma)[: GRID.fine]
    each = -loss * jnp.einsum("k,kb->b", weight, noise[:, :, 0])
    error = float(jnp.std(each)) / np.sqrt(count)
    assert abs(gradient - 3.0 * analytic_slope()) < 4 * error
    assert error < 0.05 * abs(3.0 * analytic_slope())  # the comparison has power


def test_clipping_bounds_what_a_ratio_can_gain():
    log_r = jnp.log(jnp.array([0.1, 1.0, 5.0, 5.0]))
    weight = jnp.array([1.0, 1.0, 1.0, -1.0])
    # by hand, clip .4: min(.1, .6), min(1, 1), min(5, 1.4), min(-5, -1.4)
    assert clipped_surrogate(log_r, weight, 0.4) == pytest.approx((0.1 + 1 + 1.4 - 5) / 4)


def test_advantage_is_centred_and_survives_equal_losses():
    np.testing.assert_allclose(advantage(jnp.array([1.0, 2.0, 3.0])).mean(), 0.0, atol=1e-6)
    assert np.all(advantage(jnp.full(4, 2.0)) == 0.0)
