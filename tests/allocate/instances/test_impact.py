"""Levels of impact factors by hand, ranges of the draws, spacing between levels."""

import numpy as np
import pytest

from lpo.allocate.instances.generate import generate
from lpo.allocate.instances.impact import (
    LEVEL_RANGES,
    delay_levels,
    draw_factors,
    error_levels,
    spaced_factors,
    with_spacing,
)
from lpo.errors import InputError


def test_levels_by_hand():
    # compute classes: 149 low, 150 and 399 medium, 400 high, 900 luxury
    tflops = [149, 150, 399, 400, 900]
    np.testing.assert_array_equal(delay_levels([0], tflops), [[1, 2, 2, 3, 3]])
    np.testing.assert_array_equal(delay_levels([2], tflops), [[0, 0, 0, 1, 2]])
    # (2 complexity + tier level) / 3 with the tier one up in FP16 and one down in INT4, cut at 0, 3
    low = error_levels([0], [40.7, 40.7, 989], ["FP16", "INT4", "FP16"])
    np.testing.assert_array_equal(low, [[0, 0, 1]])  # 1/3, 0, 1
    high = error_levels([2], [40.7, 40.7, 468, 989], ["FP16", "INT4", "INT8", "INT8"])
    np.testing.assert_array_equal(high, [[2, 1, 2, 3]])  # 5/3, 4/3, 2, 7/3


def test_draws_lie_in_the_range_of_their_level():
    levels = np.arange(4).repeat(50).reshape(4, 50)
    factors = draw_factors(levels, np.random.default_rng(0))
    for row, (low, high) in zip(factors, LEVEL_RANGES, strict=True):
        assert low <= row.min() < row.max() <= high


def test_generated_instances_carry_factors_of_their_levels():
    data = generate("robust", 1).data
    # 1B on H100_INT8 (luxury compute, low complexity): luxury. 70B on A6000_INT4: low.
    assert 0.80 <= data.impact_delay[0, 9] <= 0.85
    assert 0.20 <= data.impact_delay[3, 2] <= 0.25
    assert 0.80 <= data.impact_error[3, 9] <= 0.85  # (4 + 3) / 3
    assert 0.20 <= data.impact_error[0, 2] <= 0.25


@pytest.mark.parametrize("preset", ["robust", "catalog"])
def test_spacing_uses_the_levels_of_the_drawn_factors(preset):
    instance = generate(preset, 1)
    spaced = with_spacing(instance, 0.2, 0.15).data
    drawn = instance.data
    # ranges of the draws begin 0.2 apart, so levels can be read off both
    np.testing.assert_allclose(spaced.impact_delay, 0.2 + 0.2 * (drawn.impact_delay // 0.2 - 1))
    np.testing.assert_allclose(spaced.impact_error, 0.2 + 0.15 * (drawn.impact_error // 0.2 - 1))


def test_factors_stop_at_one_and_bad_spacing_is_refused():
    np.testing.assert_allclose(spaced_factors(np.arange(4), 0.3), [0.2, 0.5, 0.8, 1.0])
    for bad in (-0.1, np.nan, np.inf):
        with pytest.raises(InputError, match="`spacing`"):
            spaced_factors(np.arange(4), bad)
    with pytest.raises(InputError, match="`start`"):
        spaced_factors(np.arange(4), 0.1, start=1.5)


def test_a_tier_without_a_precision_in_its_name_is_refused(tiny):
    with pytest.raises(InputError, match="Precision must be one of INT4, INT8, FP16, got old"):
        with_spacing(tiny[0], 0.1, 0.1)
