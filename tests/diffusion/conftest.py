"""Gaussian data, for which every quantity of a diffusion has a closed form."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.diffusion import VPSDE


class Gaussian(NamedTuple):
    """Independent N(mean_j, sd_j^2) data and what a VP-SDE makes of it."""

    mean: np.ndarray
    sd: np.ndarray
    sde: VPSDE

    def marginal_variance(self, t):
        """Variance of x_t, [d]."""
        b = self.sde.integral_beta(t)
        return np.exp(-b) * self.sd**2 - np.expm1(-b)

    def eps(self, x, t):
        """The exact noise prediction E[e | x_t = x]: -sqrt(s2) times the exact score."""
        m, s2 = self.sde.mean_coef(t)[:, None], self.sde.variance(t)[:, None]
        mean, sd = jnp.asarray(self.mean, x.dtype), jnp.asarray(self.sd, x.dtype)
        return jnp.sqrt(s2) * (x - m * mean) / (m**2 * sd**2 + s2)


@pytest.fixture
def gaussian() -> Gaussian:
    return Gaussian(np.array([0.6, -0.3, 0.0]), np.array([0.7, 1.2, 1.0]), VPSDE())


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield
