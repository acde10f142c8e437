from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.diffusion import (
    VPSDE,
    calibrate,
    first_steps,
    make_coefficients,
    make_grid,
    mean_shift,
    reverse_mean,
    sample,
    sample_coarse,
    sample_fine,
    trajectory_eps,
)
from lpo.errors import InputError

SDE = VPSDE()
GRID = make_grid(SDE)
COEFS = make_coefficients(SDE, GRID.times)


def test_grid_has_its_two_parts_equally_spaced_in_root_b():
    assert GRID.times.shape == (61,) and GRID.fine == 10
    assert GRID.times[0] == SDE.t0 and GRID.times[10] == 0.2232 and GRID.times[60] == 1.0
    steps = np.diff(np.sqrt(SDE.integral_beta(GRID.times)))
    np.testing.assert_allclose(steps[:10], steps[0], rtol=1e-9)
    np.testing.assert_allclose(steps[10:], steps[10], rtol=1e-9)


@pytest.mark.parametrize(
    ("given", "named"),
    [({"fine": 0}, "fine"), ({"fine": 60}, "fine"), ({"t_fine": 1.0}, "t_fine")],
)
def test_bad_grid_is_refused_by_name(given, named):
    with pytest.raises(InputError, match=f"`{named}`"):
        make_grid(SDE, **given)


def test_kernel_is_the_ddpm_step_on_the_reference_schedule(x64):
    """Linear betas .05 to .1 of a 500-step DDPM, as far as B(1) reaches: its steps 1 to 167."""
    betas = np.linspace(0.05, 0.1, 500)
    survival = np.cumprod(1.0 - betas)
    reach = int(np.sum(-np.log(survival) <= SDE.integral_beta(1.0)))
    assert reach == 167
    assert survival[9] == pytest.approx(0.596, abs=5e-4)
    assert SDE.inverse_integral(-np.log(survival[9])) == pytest.approx(0.2232, abs=1e-4)

    betas, survival = betas[:reach], survival[:reach]
    before = np.concatenate([[1.0], survival[:-1]])
    coefs = make_coefficients(SDE, SDE.inverse_integral(-np.log(np.append(1.0, survival))))
    np.testing.assert_allclose(np.square(coefs.mean_ratio), 1.0 - betas, rtol=1e-12)
    np.testing.assert_allclose(
        np.square(coefs.sigma), betas * (1.0 - before) / (1.0 - survival), rtol=1e-10, atol=1e-14
    )
    x, eps = jnp.asarray(np.random.default_rng(0).standard_normal((2, reach)))
    ddpm_mean = (x - betas / np.sqrt(1.0 - survival) * eps) / np.sqrt(1.0 - betas)
    np.testing.assert_allclose(reverse_mean(eps, x, coefs), ddpm_mean, rtol=1e-10, atol=1e-12)


def test_kernel_is_the_conditional_law_of_x_s_given_x_t_and_x_0(x64):
    """Gaussian conditioning of (x_s, x_t) given x_0, with eps the noise that is in x_t."""
    b = SDE.integral_beta(GRID.times)
    m, s2 = np.exp(-0.5 * b), -np.expm1(-b)
    ratio = m[1:] / m[:-1]
    x0, eps = 0.7, jnp.full(60, -1.3)
    x_t = m[1:] * x0 + np.sqrt(s2[1:]) * eps
    gain = ratio * s2[:-1] / s2[1:]  # cov(x_s, x_t) / var(x_t)
    mean = m[:-1] * x0 + gain * (x_t - m[1:] * x0)
    np.testing.assert_allclose(reverse_mean(eps, jnp.asarray(x_t), COEFS), mean, rtol=1e-9)
    np.testing.assert_allclose(np.square(COEFS.sigma), s2[:-1] - gain * ratio * s2[:-1], rtol=1e-6)


def kernel_moments(gaussian, steps):
    """Mean and variance [d] of the kernel's samples: its steps are affine for Gaussian data."""
    grid = make_grid(SDE, steps=steps, fine=steps // 6)
    coefs = make_coefficients(SDE, grid.times)
    mean, variance = np.zeros(3), np.ones(3)
    for k in reversed(range(steps)):
        b = SDE.integral_beta(coefs.t[k])
        slope = np.sqrt(-np.expm1(-b)) / gaussian.marginal_variance(coefs.t[k])
        factor = 1.0 / coefs.mean_ratio[k] - coefs.eps_coef[k] * slope
        mean = factor * mean + coefs.eps_coef[k] * slope * np.exp(-0.5 * b) * gaussian.mean
        variance = factor**2 * variance + coefs.sigma[k] ** 2
    return mean, variance


def test_samples_match_the_moments_of_the_data(gaussian):
    n = 4000
    draw = jax.jit(lambda key: sample(key, gaussian.eps, n, 3, GRID, COEFS))
    x = np.asarray(draw(jax.random.PRNGKey(0)))
    mean, variance = kernel_moments(gaussian, 60)
    # sampling error against the law of the chain; its own bias is bounded in the next test
    assert np.all(np.abs(x.mean(axis=0) - mean) < 4 * np.sqrt(variance / n))
    assert np.all(np.abs(x.var(axis=0) / variance - 1) < 4 * np.sqrt(2 / n))
    off_diagonal = np.corrcoef(x.T)[np.triu_indices(3, 1)]
    assert np.all(np.abs(off_diagonal) < 4 / np.sqrt(n))


def test_bias_of_the_chain_is_of_first_order_in_the_step(gaussian):
    """The DDPM posterior variance is that of x_s with x_0 known: too small while x_0 is not."""
    bias = []
    for steps in (60, 240, 960):
        mean, variance = kernel_moments(gaussian, steps)
        np.testing.assert_allclose(mean, gaussian.mean, atol=0.02)
        bias.append(variance / gaussian.sd**2 - 1.0)
    assert np.all(bias[0] < 0.0) and np.all(bias[0] > -0.2)
    np.testing.assert_allclose(np.log(bias[1] / bias[2]) / np.log(4.0), 1.0, atol=0.1)


def test_calibrated_variance_is_the_exact_one_of_isotropic_gaussian_data(gaussian):
    """Var(x_s | x_t) = V_s - (m_ts V_s)^2 / V_t, V the marginal variance; and then no bias."""
    data = gaussian._replace(mean=np.zeros(4), sd=np.full(4, 0.7))
    rows = jnp.asarray(0.7 * np.random.default_rng(0).standard_normal((20_000, 4)), jnp.float32)
    coefs = calibrate(jax.random.PRNGKey(6), data.eps, rows, COEFS, SDE, n=8192)
    variance = data.marginal_variance(GRID.times[:, None])[:, 0]
    exact = variance[:-1] - (COEFS.mean_ratio * variance[:-1]) ** 2 / variance[1:]
    np.testing.assert_allclose(np.square(coefs.sigma), exact, rtol=0.03)

    n = 4000
    draw = jax.jit(lambda key: sample(key, data.eps, n, 4, GRID, coefs))
    x = np.asarray(draw(jax.random.PRNGKey(7)))
    assert np.all(np.abs(x.var(axis=0) / 0.49 - 1) < 4 * np.sqrt(2 / n) + 0.01)


def test_sample_is_the_coarse_part_then_the_fine_part(gaussian):
    key = jax.random.PRNGKey(3)
    coarse_key, fine_key = jax.random.split(key)
    x_k = sample_coarse(coarse_key, gaussian.eps, 5, 3, GRID, COEFS)
    z = jax.random.normal(fine_key, (GRID.fine, 5, 3))
    x0, trajectory = sample_fine(gaussian.eps, x_k, z, COEFS)
    np.testing.assert_array_equal(sample(key, gaussian.eps, 5, 3, GRID, COEFS), x0)
    assert trajectory.shape == (GRID.fine + 1, 5, 3)
    np.testing.assert_array_equal(trajectory[-1], x_k)
    np.testing.assert_array_equal(trajectory[0], x0)


def test_trajectory_and_noise_belong_to_the_same_step(gaussian, x64):
    """x_k = mu(x_{k+1}) + sigma_k z_k with the index of the coefficients: no off-by-one."""
    keys = jax.random.split(jax.random.PRNGKey(1))
    z = jax.random.normal(keys[0], (GRID.fine, 4, 3))
    _, path = sample_fine(gaussian.eps, jax.random.normal(keys[1], (4, 3)), z, COEFS)
    eps = trajectory_eps(gaussian.eps, path, COEFS)
    for k in range(GRID.fine):
        t = GRID.times[k + 1]
        exact = gaussian.eps(path[k + 1], jnp.full((4,), t))
        np.testing.assert_allclose(eps[k], exact, rtol=1e-12)
        mean = path[k + 1] / COEFS.mean_ratio[k] - COEFS.eps_coef[k] * exact
        np.testing.assert_allclose((path[k] - mean) / COEFS.sigma[k], z[k], atol=1e-10)


def test_mean_shift_is_the_scaled_difference_of_means(x64):
    rng = np.random.default_rng(2)
    x, eps, old = rng.standard_normal((3, 10, 4, 3))
    fine = first_steps(COEFS, 10)
    spread = type(fine)(*(c[:, None, None] for c in fine))
    expected = (reverse_mean(eps, x, spread) - reverse_mean(old, x, spread)) / spread.sigma
    np.testing.assert_allclose(mean_shift(eps, old, fine), expected, rtol=1e-9)
    assert np.all(mean_shift(eps, eps, fine) == 0.0)


def test_fine_part_is_differentiable_in_the_model(gaussian, x64):
    keys = jax.random.split(jax.random.PRNGKey(4))
    z = jax.random.normal(keys[0], (GRID.fine, 6, 3))
    x_k = jax.random.normal(keys[1], (6, 3))

    def loss(theta):
        def eps_fn(x, t):
            return gaussian.eps(x, t) + theta * jnp.tanh(x)

        return jnp.mean(jnp.sin(sample_fine(eps_fn, x_k, z, COEFS)[0]))

    step = 1e-5
    central = (loss(0.3 + step) - loss(0.3 - step)) / (2 * step)
    assert float(jax.grad(loss)(0.3)) == pytest.approx(float(central), rel=1e-7)


def test_seeds_vmap(gaussian):
    keys = jax.random.split(jax.random.PRNGKey(5), 3)
    draw = partial(sample, eps_fn=gaussian.eps, n=4, dim=3, grid=GRID, coefs=COEFS)
    together = jax.vmap(draw)(keys)
    np.testing.assert_allclose(together[2], jax.jit(draw)(keys[2]), rtol=1e-4, atol=1e-5)
    assert not np.allclose(together[0], together[1])
