"""The catalogue instance: physical numbers by hand, and a plan that exists."""

import numpy as np
import pytest

from lpo.allocate.instances.generate import generate
from lpo.allocate.model.exact import solve_allocation
from lpo.allocate.options import make_options
from lpo.allocate.uncertainty import budget
from lpo.allocate.validate.audit import audit

INSTANCE = generate("catalog", 2)


def test_memory_cache_and_work_of_a_model_by_hand():
    data = INSTANCE.data
    large = INSTANCE.models.index("Llama-3.1-70B")
    assert data.weights_gb[large] == pytest.approx(141.2)
    assert data.kv_gb_per_token[large] == pytest.approx(80 * 8 * 128 * 2 * 2 / 1e9)
    assert data.weights_gb[INSTANCE.models.index("Llama-3.2-31B")] == pytest.approx(62.0)
    # 31 billion weights, a multiplication and an addition each, in teraflop per 1000 tokens
    assert data.tflop_per_kilotoken[3] == pytest.approx(62.0)
    a6000 = [INSTANCE.tiers.index(f"A6000_{mode}") for mode in ("FP16", "INT8", "INT4")]
    np.testing.assert_array_equal(data.memory_gb[a6000], 48.0)
    np.testing.assert_array_equal(data.price_usd_per_hour[a6000], 0.49)
    np.testing.assert_array_equal(data.compute_tflops[a6000], [154.8, 309.7, 154.8])


def test_delay_of_one_query_by_hand():
    # Translation, 128 + 128 tokens, of the 8B model on an H100 in FP16
    prefill_ms = 128 * 2 * 8.03e9 / (0.5 * 989.4e12) * 1e3
    decode_ms = 128 * 2 * 8.03e9 / (0.6 * 3350e9) * 1e3
    place = (2, INSTANCE.models.index("Llama-3.1-8B"), INSTANCE.tiers.index("H100_FP16"))
    delay = INSTANCE.data.delay_ms_per_token[place] * 256
    assert delay == pytest.approx(prefill_ms + decode_ms)
    assert INSTANCE.data.residency_h[place] == pytest.approx(delay / 3.6e6)


def test_a_lower_precision_answers_sooner_and_errs_more():
    data = INSTANCE.data
    for gpu in (0, 3):  # FP16, INT8, INT4 of one GPU
        assert np.all(np.diff(data.delay_ms_per_token[:, :, gpu : gpu + 3], axis=-1) < 0)
        assert np.all(np.diff(data.error_rate[:, :, gpu : gpu + 3], axis=-1) > 0)


def test_there_is_a_plan_that_no_simple_choice_gives():
    options = make_options(legacy_units=False, utilisation=0.5, horizon_consistent=True)
    solved = solve_allocation(INSTANCE, options, budget(0.0, 0.0), solver="highs", gap=0.02)
    assert solved.allocation is not None
    report = audit(INSTANCE, solved.allocation, options, budget(0.0, 0.0))
    assert report.ok
    # compute binds, several models run, and some type is split
    assert any(
        row.limit.startswith("compute") and row.left > 0.98 * row.right for row in report.rows
    )
    assert len({j for j, _, _ in np.argwhere(solved.allocation.replicas)}) >= 2
    assert np.any((solved.allocation.share > 0.01) & (solved.allocation.share < 0.99))
