import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from lpo.diffusion.sde import VPSDE, diffuse, root_spaced_times

TIMES = np.array([1e-3, 0.05, 0.2232, 0.6, 1.0])


def test_integral_is_the_integral_of_beta():
    sde = VPSDE()
    for t in TIMES:
        assert sde.integral_beta(t) == pytest.approx(quad(sde.beta, 0.0, t)[0], rel=1e-10)
    assert sde.integral_beta(1.0) == pytest.approx(10.05)


@pytest.mark.parametrize(
    "sde", [VPSDE(), VPSDE(beta_min=3.0, beta_max=3.0)], ids=["linear", "flat"]
)
def test_inverse_integral(sde):
    np.testing.assert_allclose(sde.inverse_integral(sde.integral_beta(TIMES)), TIMES, rtol=1e-12)


def test_forward_law_solves_the_moment_equations(x64):
    """d mean / dt = -beta mean / 2 and d var / dt = beta (1 - var), from x_0 = 1 known."""
    sde = VPSDE()
    truth = solve_ivp(
        lambda t, y: [-0.5 * sde.beta(t) * y[0], sde.beta(t) * (1.0 - y[1])],
        (0.0, 1.0),
        [1.0, 0.0],
        t_eval=TIMES,
        rtol=1e-10,
        atol=1e-12,
    ).y
    np.testing.assert_allclose(sde.mean_coef(TIMES), truth[0], rtol=1e-7)
    np.testing.assert_allclose(sde.variance(TIMES), truth[1], rtol=1e-7)


def test_diffused_data_has_the_marginal_moments(gaussian):
    n, t = 20_000, 0.3
    keys = jax.random.split(jax.random.PRNGKey(0))
    x0 = jnp.asarray(gaussian.mean + gaussian.sd * np.asarray(jax.random.normal(keys[0], (n, 3))))
    x = diffuse(gaussian.sde, x0, jnp.full((n,), t), jax.random.normal(keys[1], (n, 3)))
    variance = gaussian.marginal_variance(t)
    mean = np.exp(-0.5 * gaussian.sde.integral_beta(t)) * gaussian.mean
    assert np.all(np.abs(x.mean(axis=0) - mean) < 4 * np.sqrt(variance / n))
    assert np.all(np.abs(x.var(axis=0) / variance - 1) < 4 * np.sqrt(2 / n))


def test_log_snr_has_slope_minus_beta_over_variance(x64):
    sde = VPSDE()
    slope = jax.vmap(jax.grad(sde.log_snr))(jnp.asarray(TIMES))
    np.testing.assert_allclose(slope, -sde.beta(TIMES) / sde.variance(TIMES), rtol=1e-9)
    np.testing.assert_allclose(sde.inverse_log_snr(sde.log_snr(TIMES)), TIMES, rtol=1e-9)


def test_root_spaced_times():
    sde = VPSDE()
    times = root_spaced_times(sde, sde.t0, 1.0, 20)
    assert times[0] == sde.t0 and times[-1] == 1.0 and len(times) == 21
    steps = np.diff(np.sqrt(sde.integral_beta(times)))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
