"""Alignment and dimensions against their definitions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import sqrtm

from lpo.bandit import Certificate, Offline, alignment, effective_dimension, remaining_dimension
from tests import quick


def root(matrix: Any) -> Any:
    return np.real(sqrtm(matrix))


@pytest.mark.parametrize(("m", "g"), [(1, 1), (2, 3)])
def test_alignment_is_the_greatest_norm_of_its_definition(m, g):
    rng, c, lam = np.random.default_rng(m), 3, 0.6
    half = rng.normal(size=(m, g, c, c))
    Q = half @ half.swapaxes(-1, -2)
    z = rng.normal(size=(g, 20, c))
    G = z.swapaxes(1, 2) @ z
    with jax.enable_x64(True):
        log = Offline(jnp.asarray(G), jnp.zeros((g, c)), jnp.zeros(g))
        found = float(quick.jit(alignment)(Certificate(jnp.asarray(Q)), log, lam))
    each = np.zeros((m, g))
    for j in range(m):
        for k in range(g):
            inverse = np.linalg.inv(root(lam * np.eye(c) + G[k]))
            each[j, k] = np.linalg.norm(root(Q[j, k]) @ G[k] @ inverse, 2)
    np.testing.assert_allclose(found, each.sum(0).max(), rtol=1e-9)


def test_dimensions():
    rng, lam, g, c, T = np.random.default_rng(0), 0.5, 2, 3, 100
    x, z = rng.normal(size=(g, T, c)), rng.normal(size=(g, 40, c))
    length = np.linalg.norm(x, axis=-1).max()
    gram, G = (part.swapaxes(1, 2) @ part for part in (x, z))
    with jax.enable_x64(True):
        log = Offline(jnp.asarray(G), jnp.zeros((g, c)), jnp.zeros(g))
        left = float(quick.jit(remaining_dimension)(jnp.asarray(gram), log, lam))
    before = G + lam * np.eye(c)
    expected = sum(np.trace(S @ np.linalg.inv(S + W)) for S, W in zip(gram, before, strict=True))
    np.testing.assert_allclose(left, expected, rtol=1e-9)
    grown = np.linalg.slogdet(gram + before)[1] - np.linalg.slogdet(before)[1]
    unit = np.log(1 + g * T * length**2 / (g * c * lam))
    found = effective_dimension(grown.sum(), g * T, g * c, lam, length)
    np.testing.assert_allclose(found, grown.sum() / unit, rtol=1e-5)
    # without a log it is at most d, whatever is played
    grown = np.linalg.slogdet(gram + lam * np.eye(c))[1] - c * np.log(lam)
    assert 0 < effective_dimension(grown.sum(), g * T, g * c, lam, length) <= g * c
