import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from lpo.diffusion import VPSDE, log_likelihood
from lpo.errors import InputError


def test_gaussian_data_with_its_exact_score(gaussian, x64):
    """The model's density: N(0, I) pulled back through the closed-form affine flow map."""
    x0 = gaussian.mean + gaussian.sd * np.random.default_rng(0).standard_normal((6, 3))
    sde = gaussian.sde
    m0, m1 = (np.exp(-0.5 * sde.integral_beta(t)) for t in (sde.t0, 1.0))
    stretch = np.sqrt(gaussian.marginal_variance(1.0) / gaussian.marginal_variance(sde.t0))
    end = m1 * gaussian.mean + stretch * (x0 - m0 * gaussian.mean)
    truth = (norm.logpdf(end) + np.log(stretch)).sum(axis=1)
    np.testing.assert_allclose(log_likelihood(gaussian.eps, x0, sde), truth, atol=1e-4)


@pytest.mark.parametrize("double", [True, False])
def test_centred_data_has_its_own_density_to_a_thousandth_of_a_nat(gaussian, double):
    """The prior N(0, I) forgets m(1) mean = .0066 mean, so the data is centred, as ours is."""
    centred = gaussian._replace(mean=np.zeros(3))
    x0 = centred.sd * np.array([[0.5, -1.5, 1.0], [2.0, 0.0, -0.5]])
    truth = norm.logpdf(x0, 0.0, centred.sd).sum(axis=1)
    with jax.enable_x64(double):
        value = log_likelihood(centred.eps, jnp.asarray(x0), centred.sde)
    np.testing.assert_allclose(value, truth, atol=1e-3)


def test_density_of_any_model_integrates_to_one(x64):
    """Also for an eps that is no gradient of anything, nonlinear and time-dependent; d = 1."""

    def eps_fn(x, t):
        m, s2 = VPSDE().mean_coef(t)[:, None], VPSDE().variance(t)[:, None]
        return jnp.sqrt(s2) * (x + m * jnp.sin(2.0 * x + t[:, None]))

    grid = np.linspace(-8.0, 8.0, 801)
    density = np.exp(log_likelihood(eps_fn, grid[:, None], VPSDE()))
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-4)


def test_a_window_has_the_same_likelihood_in_any_batch(gaussian):
    """Step sizes are chosen window by window."""
    evaluate = jax.jit(lambda x0: log_likelihood(gaussian.eps, x0, gaussian.sde))
    window, near, far = jnp.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.4], [50.0, -50.0, 50.0]])
    first, second = (evaluate(jnp.stack([window, other])) for other in (near, far))
    assert float(first[0]) == pytest.approx(float(second[0]), abs=1e-5)


def test_windows_that_are_not_finite_are_refused(gaussian):
    x0 = np.zeros((4, 3))
    x0[2, 1] = np.nan
    with pytest.raises(InputError, match="row 2"):
        log_likelihood(gaussian.eps, x0, gaussian.sde)
    with pytest.raises(InputError, match="shape"):
        log_likelihood(gaussian.eps, np.zeros(3), gaussian.sde)


def test_a_diverged_model_raises_instead_of_returning_nan(gaussian):
    with pytest.raises(Exception, match=r"(?i)nan|max|step"):
        jax.block_until_ready(
            log_likelihood(lambda x, t: x * jnp.nan, np.zeros((2, 3)), gaussian.sde)
        )
