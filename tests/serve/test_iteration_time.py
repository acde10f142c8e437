"""Iteration times at and between what they were made of, in NumPy and in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.serve import Tabular, TwoRegime, TwoRegimeKV, hardware_of, service_rates
from lpo.serve.instance import paper_two_class

TWO = TwoRegime(alpha=0.0174, beta=6.2e-5, tau_solo=0.022)
WITH_KV = TwoRegimeKV(*TWO, k_kv=3.7e-7)
TABLE = Tabular(np.array([8.0, 32.0, 256.0, 512.0]), np.array([0.009, 0.0096, 0.018, 0.0336]))


def test_two_regimes():
    assert TWO.solo(16, 1e5) == 0.022
    assert TWO.mixed(256, 15) == pytest.approx(0.033272)
    assert TWO.mixed(10, 15) == 0.022  # below b0
    assert TWO.b0 == pytest.approx(74.19, abs=0.01)
    np.testing.assert_allclose(TWO.mixed(np.array([10, 256]), 15), [0.022, 0.033272])
    assert WITH_KV.solo(16, 32000) == pytest.approx(0.022 + 0.01184)
    assert WITH_KV.mixed(256, 15, 32000) == pytest.approx(0.033272 + 0.01184)


def test_a_table_holds_below_and_goes_on_above():
    assert TABLE.solo(4) == 0.009
    assert TABLE.solo(20) == pytest.approx(0.0093)
    assert TABLE.mixed(240, 16) == pytest.approx(0.018)
    assert TABLE.mixed(500, 268) == pytest.approx(0.0492)
    falling = Tabular(np.array([1.0, 2.0]), np.array([0.02, 0.01]))
    assert falling.solo(5) == 0.01


@pytest.mark.parametrize("model", [TWO, WITH_KV, TABLE], ids=lambda model: type(model).__name__)
def test_jax_agrees_and_compiles(model):
    chunks = np.array([10.0, 200.0, 600.0])
    times = jax.jit(lambda m, c: m.mixed(c, 15, 1000.0))(model, jnp.asarray(chunks))
    np.testing.assert_allclose(times, model.mixed(chunks, 15, 1000.0), rtol=1e-5)


def test_hardware_of_a_model_has_its_times():
    hardware = hardware_of(TWO, batch=16, chunk=256)
    expected = paper_two_class().hardware
    np.testing.assert_allclose(hardware, expected, rtol=1e-9)
    for model in (WITH_KV, TABLE):
        hardware = hardware_of(model, batch=32, chunk=300, kv_tokens=20000.0)
        rates = service_rates(paper_two_class()._replace(hardware=hardware))
        assert rates.tau == pytest.approx(model.mixed(300, 31, 20000.0))
        assert 1.0 / rates.gamma == pytest.approx(model.solo(32, 20000.0))
