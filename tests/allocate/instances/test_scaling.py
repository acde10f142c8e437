"""Scales change their fields alone, and published names are the same scales."""

import numpy as np
import pytest

from lpo.allocate.instances.generate import generate
from lpo.allocate.instances.scaling import PUBLISHED_SCALES, SCALES, scaled
from lpo.errors import InputError

INSTANCE = generate("robust", 0)


@pytest.mark.parametrize("name", SCALES)
def test_a_scale_multiplies_its_fields_and_no_other(name):
    changed = scaled(INSTANCE, **{name: 3.0})
    for field, before, after in zip(
        INSTANCE.data._fields, INSTANCE.data, changed.data, strict=True
    ):
        factor = 3.0 if field in SCALES[name] else 1.0
        np.testing.assert_allclose(after, factor * before)


def test_published_names_and_combinations():
    for published, name in PUBLISHED_SCALES.items():
        one, other = scaled(INSTANCE, **{published: 0.4}), scaled(INSTANCE, **{name: 0.4})
        assert all(map(np.array_equal, one.data, other.data))
    both = scaled(INSTANCE, deviation=2.0, delay_deviation=3.0).data
    np.testing.assert_allclose(both.delay_deviation, 6.0 * INSTANCE.data.delay_deviation)
    np.testing.assert_allclose(both.error_deviation, 2.0 * INSTANCE.data.error_deviation)
    same = scaled(INSTANCE, price=1, budget=1)
    assert all(map(np.array_equal, same.data, INSTANCE.data))


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"prise": 2.0}, "Unknown scale `prise`; there are price"),
        ({"price": 0.0}, "`price` must be positive"),
        ({"psi_delay": -1.0}, "`psi_delay` must be positive"),
        ({"memory": np.nan}, "`memory` must be positive"),
        ({"memory": np.inf}, "`memory` must be positive"),
    ],
)
def test_bad_scales_are_refused(factors, message):
    with pytest.raises(InputError, match=message):
        scaled(INSTANCE, **factors)
