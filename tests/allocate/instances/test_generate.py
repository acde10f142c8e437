"""Published instances bit for bit, the presets' differences, and sizes that must be feasible."""

import numpy as np
import pytest

from lpo.allocate.allocation import Allocation
from lpo.allocate.instances import presets
from lpo.allocate.instances.enlarge import witness
from lpo.allocate.instances.generate import PRESET_NAMES, generate
from lpo.allocate.options import make_options
from lpo.allocate.uncertainty import budget
from lpo.allocate.validate.audit import audit
from lpo.errors import InputError

FIELDS = generate().data._fields


def differ(one, other) -> set[str]:
    """Fields of two instances' data that are not the same bit for bit."""
    return {f for f in FIELDS if not np.array_equal(getattr(one.data, f), getattr(other.data, f))}


def test_the_legacy_stream_gives_the_published_instance_bit_for_bit(rodiu_cases):
    published = rodiu_cases("default")[0].instance
    instance = generate("robust", 42, legacy_stream=True)
    # published without impact factors
    assert differ(instance, published) == {"impact_delay", "impact_error"}
    assert instance[1:7] == published[1:7]  # names, degrees, uncertainty budgets


def test_a_published_cut_is_a_part_of_the_legacy_instance(rodiu_cases):
    cut = rodiu_cases("small")[0].instance
    whole = generate("robust", 42, legacy_stream=True)
    i = [whole.query_types.index(name) for name in cut.query_types]
    j = [whole.models.index(name) for name in cut.models]
    k = [whole.tiers.index(name) for name in cut.tiers]
    for field in ("delay_ms_per_token", "delay_deviation", "error_rate", "error_deviation"):
        part = getattr(whole.data, field)[np.ix_(i, j, k)]
        np.testing.assert_array_equal(part, getattr(cut.data, field))
    np.testing.assert_array_equal(whole.data.unmet_usd[i], cut.data.unmet_usd)
    np.testing.assert_array_equal(whole.data.price_usd_per_hour[k], cut.data.price_usd_per_hour)


def test_numbers_that_were_published_for_seed_42():
    data = generate("robust", 42, legacy_stream=True).data
    np.testing.assert_array_equal(data.arrivals_per_hour, [118, 88, 114, 47, 40, 16])
    prices = [0.636, 0.546, 2.459, 0.607, 0.300, 0.371, 0.987, 1.307, 2.351, 2.001]
    np.testing.assert_allclose(data.price_usd_per_hour, prices, atol=5e-4)
    assert data.storage_usd_per_gb_hour == pytest.approx(0.00497, abs=5e-6)


def test_presets_differ_only_where_the_published_sources_do():
    robust, det, paper = (generate(name, 7, legacy_stream=True) for name in presets.PRESETS)
    settings = {"budget_usd", "delay_limit_ms", "error_limit", "delay_usd_per_ms", "unmet_usd"}
    tierless = {"delay_ms_per_token", "delay_deviation", "error_rate", "error_deviation"}
    assert differ(robust, paper) == settings
    assert differ(det, paper) == {"error_limit", "unmet_cap", "storage_gb"} | tierless
    assert (robust.gamma_delay, det.gamma_delay, paper.gamma_delay) == (50.0, 0.0, 10.0)
    # Without the tier, delay and error are those of the first tier in FP16.
    first = np.broadcast_to(paper.data.delay_ms_per_token[:, :, :1], (6, 6, 10))
    np.testing.assert_allclose(det.data.delay_ms_per_token, first)
    np.testing.assert_allclose(10 * robust.data.unmet_usd, paper.data.unmet_usd)


def test_speed_and_precision_of_a_tier_by_hand():
    data = generate("robust", 3).data
    delay, error = data.delay_ms_per_token, data.error_rate
    np.testing.assert_allclose(delay[:, :, 0] / delay[:, :, 9], 1483.5 / 40.7)
    np.testing.assert_allclose(error[:, :, 2] / error[:, :, 0], 1.35)
    for deviation, nominal in ((data.delay_deviation, delay), (data.error_deviation, error)):
        assert np.all((deviation / nominal >= 0.1) & (deviation / nominal <= 0.25))


@pytest.mark.parametrize("legacy", [False, True])
def test_a_generator_is_private(legacy):
    np.random.seed(5)  # noqa: NPY002 - the state that must stay
    before = np.random.random(), np.random.seed(5)  # noqa: NPY002
    one = generate("robust", 1, legacy_stream=legacy)
    generate("paper", 2, legacy_stream=legacy)
    again = generate("robust", 1, legacy_stream=legacy)
    assert np.random.random() == before[0]  # noqa: NPY002
    assert not differ(one, again)
    assert "arrivals_per_hour" in differ(one, generate("robust", 2, legacy_stream=legacy))


@pytest.mark.parametrize("preset", presets.PRESETS)
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 3, 4), (6, 6, 10), (40, 4, 3), (100, 30, 60)])
def test_every_size_has_a_plan_that_the_audit_accepts(preset, size):
    instance = generate(preset, 11, size=size)
    assert instance.shape == (*size, 4)
    plan = witness(instance.data)
    replicas = np.zeros(instance.shape[1:], np.int64)
    replicas[:, :, -1] = plan.share > 0
    share = np.zeros(instance.shape)
    share[..., -1] = plan.share
    allocation = Allocation(replicas, share, np.zeros(size[0]))
    boxes = budget(np.inf, np.inf)
    report = audit(instance, allocation, make_options(), boxes)
    assert report.ok, report.violated[:3]


def test_the_published_size_keeps_the_published_tables():
    instance = generate("robust", 4, size=(6, 6, 10))
    np.testing.assert_array_equal(instance.data.memory_gb, [row.memory_gb for row in presets.TIERS])
    assert instance.models == tuple(row.name for row in presets.MODELS)


def test_copies_vary_around_their_row():
    instance = generate("robust", 4, size=(13, 13, 21))
    data = instance.data
    assert instance.query_types[12] == "Summarization_3"
    assert instance.tiers[20] == "A6000_3_FP16"
    assert 0.75 <= data.memory_gb[20] / 48 <= 1.25
    np.testing.assert_allclose(data.memory_gb[20] / 48, data.compute_tflops[20] / 40.7)
    np.testing.assert_allclose(data.weights_gb[12] / 2, data.kv_gb_per_token[12] / 0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "roboust"}, f"one of {', '.join(PRESET_NAMES)}, got 'roboust'"),
        ({"seed": -1}, "`seed` must be"),
        ({"size": (0, 3, 3)}, "at least 1"),
        ({"size": (3, 3, 3), "legacy_stream": True}, "`legacy_stream`"),
        ({"preset": "catalog", "legacy_stream": True}, "`legacy_stream`"),
        ({"preset": "catalog", "size": (3, 3, 3)}, "`size`"),
    ],
)
def test_what_cannot_be_generated_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        generate(**arguments)
