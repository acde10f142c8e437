"""The variance-preserving SDE: its schedule and its Gaussian transition law.

Forward time runs from data (t = 0) to noise (t = 1). Every quantity is a function of the integrated
schedule B(t); docs/diffusion.md, section 1.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array


class VPSDE(NamedTuple):
    """dx = -beta(t) x / 2 dt + sqrt(beta(t)) dW with a linear beta, on [t0, 1].

    beta_min, beta_max: beta at t = 0 and t = 1, per unit of diffusion time. t0: the time at which
    sampling stops and at which data is placed; the score is unbounded below it. The methods act
    elementwise on times of any shape.
    Reference: Song et al., Score-based generative modeling through SDEs, 2021, appendix B.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    t0: float = 1e-3

    def beta(self, t):
        """Noise rate beta(t); numpy or jax."""
        return self.beta_min + (self.beta_max - self.beta_min) * t

    def integral_beta(self, t):
        """B(t), the integral of beta over [0, t]; numpy or jax."""
        return self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t**2

    def inverse_integral(self, b):
        """The t >= 0 with B(t) = b >= 0; numpy or jax.

        Rationalised root: a small `b` loses no digits, and a constant beta is no special case.
        """
        root = (self.beta_min**2 + 2.0 * (self.beta_max - self.beta_min) * b) ** 0.5
        return 2.0 * b / (self.beta_min + root)

    def mean_coef(self, t) -> Array:
        """m(t) = exp(-B/2), the factor of x_0 in x_t."""
        return jnp.exp(-0.5 * self.integral_beta(t))

    def variance(self, t) -> Array:
        """s2(t) = 1 - exp(-B), the variance of the noise in x_t."""
        return -jnp.expm1(-self.integral_beta(t))

    def log_snr(self, t) -> Array:
        """lambda(t) = log(m^2 / s2) = -log(exp(B) - 1); it falls with slope -beta / s2."""
        return -jnp.log(jnp.expm1(self.integral_beta(t)))

    def inverse_log_snr(self, log_snr) -> Array:
        """The t with lambda(t) = `log_snr`."""
        return self.inverse_integral(jnp.log1p(jnp.exp(-log_snr)))


def diffuse(sde: VPSDE, x0: Array, t: Array, noise: Array) -> Array:
    """x_t = m(t) x_0 + sqrt(s2(t)) noise, for x0 [B, d], t [B], noise [B, d]."""
    return sde.mean_coef(t)[:, None] * x0 + jnp.sqrt(sde.variance(t))[:, None] * noise


def root_spaced_times(sde: VPSDE, lo: float, hi: float, steps: int) -> np.ndarray:
    """`steps` + 1 ascending times from `lo` to `hi`, equally spaced in sqrt(B); float64, host.

    sqrt(B) is the noise level to first order where there is little noise, so the steps shrink with
    it and the last ones, which shape the sample, are not starved.
    """
    ends = np.sqrt(sde.integral_beta(np.array([lo, hi], dtype=np.float64)))
    times = sde.inverse_integral(np.linspace(ends[0], ends[1], steps + 1) ** 2)
    times[[0, -1]] = lo, hi  # exactly the ends, not a rounding away from them
    return times
