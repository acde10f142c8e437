"""Programs as users compile them give what the other tests have tested, compiled quickly."""

import jax
import numpy as np
import pytest

from lpo.scale.accuracy import accuracy_moments
from lpo.scale.exact import exact_curves
from lpo.scale.laws import make_laws
from lpo.scale.monte_carlo import simulate

K, P = np.array([1, 3, 8]), [1, 4]


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly():
    """Not here."""


def exact(models):
    laws = make_laws(rule="verifier", latency="contended", contention=0.1)
    return exact_curves(*laws, models, K, P)


def accuracy(models):
    return accuracy_moments(*make_laws(correlation=0.3), models, K)


def simulated(models):
    return simulate(jax.random.key(0), *make_laws(), models, K, P, trials=500)


@pytest.mark.parametrize(("curves", "rtol"), [(exact, 1e-12), (accuracy, 1e-12), (simulated, 1e-6)])
def test_what_is_shipped_is_what_is_tested(reference_models, quickly, curves, rtol):
    shipped = curves(reference_models.models)
    with quickly():
        tested = curves(reference_models.models)
    for one, other in zip(jax.tree.leaves(shipped), jax.tree.leaves(tested), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol)
