"""Every number of an instance is checked, and the message says where it is wrong."""

import numpy as np
import pytest

from lpo.allocate.instance import RULES, InstanceData, check_instance
from lpo.errors import InputError


def test_arrays_become_float64_of_the_right_shape(tiny):
    instance = tiny[0]
    shapes = dict(zip("IJK", instance.shape, strict=False))
    assert set(RULES) == set(InstanceData._fields)
    for field, values in zip(InstanceData._fields, instance.data, strict=True):
        assert values.dtype == np.float64
        assert values.shape == tuple(shapes[axis] for axis in RULES[field][0])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("memory_gb", [10.0, -1.0], "`memory_gb`[1] (new) must be positive and finite, got -1."),
        ("memory_gb", [10.0], "`memory_gb` must be numbers of shape (2,) (K), got shape (1,)."),
        ("memory_gb", ["a", "b"], "`memory_gb` must be numbers of shape (2,) (K), got something"),
        ("memory_gb", [[1.0], [1.0, 2.0]], "`memory_gb` must be numbers of shape (2,)"),
        ("memory_gb", [True, True], "`memory_gb` must be numbers of shape (2,)"),
        ("arrivals_per_hour", [1.0, np.nan], "[1] (code) must be finite and at least 0, got nan"),
        ("unmet_cap", [1.5, 0.0], "`unmet_cap`[0] (chat) must be in [0, 1], got 1.5."),
        ("tier_limit", [np.inf, -2.0], "`tier_limit`[1] (new) must be at least 0 (infinite:"),
        ("impact_error", [[0.0, 2.0], [0.0, 0.0]], "`impact_error`[0, 1] (small, new) must be"),
        ("budget_usd", 0.0, "`budget_usd` must be positive and finite, got 0."),
        ("budget_usd", [1.0], "`budget_usd` must be one number, got shape (1,)."),
        ("output_tokens", [-1.0, 0.0], "`output_tokens`[0] (chat) must be finite and at least 0"),
    ],
)
def test_a_wrong_number_is_named_with_its_place(tiny, field, value, message):
    instance = tiny[0]
    with pytest.raises(InputError) as error:
        check_instance(instance._replace(data=instance.data._replace(**{field: value})))
    assert message in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).startswith("Instance tiny: ")


def test_a_place_in_three_axes(tiny):
    delay = tiny[0].data.delay_ms_per_token.copy()
    delay[1, 0, 1] = np.inf
    bad = tiny[0]._replace(data=tiny[0].data._replace(delay_ms_per_token=delay))
    with pytest.raises(InputError, match=r"\[1, 0, 1\] \(code, small, new\) must be finite"):
        check_instance(bad)


def test_a_query_needs_tokens(tiny):
    data = tiny[0].data._replace(input_tokens=[0.0, 1.0], output_tokens=[0.0, 1.0])
    with pytest.raises(InputError, match=r"`output_tokens`\[0\] \(chat\) must be positive where"):
        check_instance(tiny[0]._replace(data=data))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_types": ("a", "a")}, "'a' more than once"),
        ({"models": ()}, "`models` must be a list of at least one name"),
        ({"tiers": ("", "b")}, "`tiers` must be a list of at least one name"),
        ({"tensor_parallel": (2, 1)}, "`tensor_parallel` must be ascending"),
        ({"tensor_parallel": (0, 1)}, "`tensor_parallel` must be ascending"),
        ({"tensor_parallel": (1.5,)}, "`tensor_parallel` must be ascending"),
        ({"tensor_parallel": ()}, "`tensor_parallel` must be ascending"),
        ({"gamma_delay": -1.0}, "`gamma_delay` must be at least 0"),
        ({"gamma_error": np.nan}, "`gamma_error` must be at least 0"),
    ],
)
def test_names_degrees_and_budgets_are_checked(tiny, change, message):
    with pytest.raises(InputError, match=message):
        check_instance(tiny[0]._replace(**change))
