"""Random numbers of queries: in any order of work, and independent."""

import jax
import numpy as np
import pytest
from scipy import stats

from lpo.scale.laws import make_laws
from lpo.scale.monte_carlo.draws import BLOCK, draw
from tests.quick import jit

KEY = jax.random.key(8)
WEIGHTED = make_laws(rule="weighted", right_weight=1.5, wrong_weight=0.4)


def drawn(laws, k_max=10, first=0, blocks=2):
    with jax.enable_x64(True):
        draws = jit(lambda key: draw(key, laws[0], laws[1], k_max, first, blocks))(KEY)
    return [np.asarray(leaf) for leaf in draws if leaf is not None]


@pytest.fixture(scope="module")
def draws():
    return drawn(WEIGHTED)


def test_accelerators_draw_what_a_cpu_draws(draws, monkeypatch):
    """Side by side instead of one key after the other."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for ours, other in zip(draws, drawn(WEIGHTED), strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-6, atol=1e-6)


def test_blocks_and_passes_have_numbers_of_their_own(draws):
    alone = drawn(WEIGHTED, k_max=3, first=1, blocks=1)
    for ours, other in zip(draws[1:], alone[1:], strict=True):
        np.testing.assert_allclose(ours[:3, ..., BLOCK:], other, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(draws[0][BLOCK:], alone[0])


def test_numbers_are_independent(draws):
    """Of passes and of kinds: a prompt says nothing of the score, nor of the weight of a vote."""
    rows = [draws[0][None], *draws[1:4], draws[4][:, 0], draws[4][:, 1]]
    correlations = np.corrcoef(np.concatenate(rows))
    apart = correlations[~np.eye(len(correlations), dtype=bool)]
    assert np.abs(apart).max() < 5.0 / np.sqrt(2 * BLOCK)
    for each in draws[1:4]:
        assert stats.kstest(each.ravel(), "norm").pvalue > 1e-3
