"""Exact means of the nine models under the mean law, by sums instead of the package's integrals."""

import numpy as np
import pytest
from scipy.special import log_ndtr

from lpo.scale.curves import Curves, Estimate, Limits

SCENARIOS = Limits(
    np.array([0.05, 0.50, 2.00]), np.array([30.0, 60.0, 600.0]), np.array([0.90, 0.90, 0.95])
)


def estimate(mean):
    return Estimate(mean, 0.1 * mean, 0.0)


@pytest.fixture(scope="session")
def linear_curves(reference_models) -> Curves:
    """[9, 2, 200] on 4 and 8 slots: cost k c, time k t / P, accuracy of the best of k."""
    models = reference_models.models
    k, parallel = np.arange(1, 201), np.array([4, 8])
    cost = models.input_price * models.prompt + models.output_price * models.output
    time = models.input_s * models.prompt + models.output_s * models.output
    x = np.linspace(0.0, 1.0, 4001)
    z = (x - models.accuracy[:, None]) / models.accuracy_sd[:, None]
    best = np.trapezoid(-np.expm1(k[:, None, None] * log_ndtr(z)), x).T
    shape = (9, 2, 200)
    return Curves(
        k,
        parallel,
        estimate(np.broadcast_to(cost[:, None, None] * k, shape)),
        estimate(time[:, None, None] * k / parallel[:, None]),
        estimate(np.broadcast_to(best[:, None], shape)),
    )


@pytest.fixture(scope="session")
def scenarios() -> Limits:
    return SCENARIOS
