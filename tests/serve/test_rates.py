"""Rates against published numbers, and what follows from their definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.serve import paper_two_class, service_rates


def test_published_numbers():
    rates = service_rates(paper_two_class())
    assert rates.tau == pytest.approx(0.033272, abs=5e-7)
    assert rates.gamma * rates.tau == pytest.approx(1.5124, abs=5e-5)
    assert rates.kappa == pytest.approx(0.03593, abs=5e-6)
    np.testing.assert_allclose(rates.w / rates.size, [0.2275, 0.7483], atol=5e-5)


def test_solo_over_mixed_is_the_same_for_every_class(random_instance):
    rates = service_rates(random_instance(0, contention=False))
    np.testing.assert_allclose(rates.mu_s / rates.mu_m, rates.gamma * rates.tau, rtol=1e-14)


def test_jax_and_numpy_agree_and_jax_differentiates():
    instance = paper_two_class()
    point = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), instance)
    for ours, theirs in zip(service_rates(instance), service_rates(point), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-6)
    slope = jax.grad(lambda i: service_rates(i).tau)(point).hardware
    assert slope.alpha == 1.0
    assert slope.beta == 256.0
