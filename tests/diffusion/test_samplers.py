import jax
import numpy as np

from lpo.diffusion import flow_sample, reverse_sde_sample
from lpo.diffusion.sde import root_spaced_times


def euler_moments(gaussian, times):
    """Mean and variance [d] of Euler-Maruyama on the reverse SDE, affine for Gaussian data."""
    mean, variance = np.zeros(3), np.ones(3)
    for t, below in zip(times[:0:-1], times[-2::-1], strict=True):
        m, rate = np.exp(-0.5 * gaussian.sde.integral_beta(t)), gaussian.sde.beta(t)
        marginal = gaussian.marginal_variance(t)
        factor = 1.0 + (t - below) * rate * (0.5 - 1.0 / marginal)
        mean = factor * mean + (t - below) * rate * m * gaussian.mean / marginal
        variance = factor**2 * variance + (t - below) * rate
    return mean, variance


def test_reverse_sde_matches_the_moments_of_the_data(gaussian):
    n = 4000
    times = root_spaced_times(gaussian.sde, gaussian.sde.t0, 1.0, 100)
    x = np.asarray(
        jax.jit(lambda k: reverse_sde_sample(k, gaussian.eps, n, 3, gaussian.sde, times=times))(
            jax.random.PRNGKey(0)
        )
    )
    mean, variance = euler_moments(gaussian, times)
    assert np.all(np.abs(x.mean(axis=0) - mean) < 4 * np.sqrt(variance / n))
    assert np.all(np.abs(x.var(axis=0) / variance - 1) < 4 * np.sqrt(2 / n))
    # and the discretisation itself is close to the data
    np.testing.assert_allclose(mean, gaussian.mean, atol=0.02)
    np.testing.assert_allclose(variance, gaussian.sd**2, rtol=0.05)


def test_probability_flow_is_the_closed_form_map_sample_by_sample(gaussian, x64):
    """Gaussian marginals are carried by x(t) = m mu + sqrt(V(t) / V(1)) (x(1) - m(1) mu)."""
    key, sde = jax.random.PRNGKey(1), gaussian.sde
    x = flow_sample(key, gaussian.eps, 8, 3, sde, rtol=1e-7, atol=1e-7)
    start = jax.random.normal(key, (8, 3))
    m0, m1 = (np.exp(-0.5 * sde.integral_beta(t)) for t in (sde.t0, 1.0))
    stretch = np.sqrt(gaussian.marginal_variance(sde.t0) / gaussian.marginal_variance(1.0))
    expected = m0 * gaussian.mean + stretch * (start - m1 * gaussian.mean)
    np.testing.assert_allclose(x, expected, atol=1e-5)


def test_probability_flow_matches_the_moments_of_the_data(gaussian):
    n = 4000
    x = np.asarray(flow_sample(jax.random.PRNGKey(2), gaussian.eps, n, 3, gaussian.sde))
    # m(1) = .0066 of the mean and of the variance is missing from the prior N(0, I): below these
    assert np.all(np.abs(x.mean(axis=0) - gaussian.mean) < 4 * gaussian.sd / np.sqrt(n) + 0.01)
    assert np.all(np.abs(x.var(axis=0) / gaussian.sd**2 - 1) < 4 * np.sqrt(2 / n) + 1e-3)
