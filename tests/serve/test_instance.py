"""What an instance may be, and what is refused in one line."""

from typing import Any

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import (
    INSTANCES,
    hardware_notes,
    make_hardware,
    make_instance,
    paper_two_class,
    solve_plan,
)

GPU: dict[str, Any] = {
    "batch": 16,
    "chunk": 256,
    "alpha": 0.0174,
    "beta": 6.2e-5,
    "tau_solo": 0.022,
}
CLASSES: dict[str, Any] = {
    "arrival": [0.5, 0.25],
    "prompt": [300, 3000],
    "decode": 400,
    "patience": [0.1, 0.0],
    "price_prompt": 0.1,
    "price_decode": 0.2,
}


def gpu(**changed: Any):
    return make_hardware(**(GPU | changed))


def test_one_number_counts_for_all_classes():
    instance = make_instance(hardware=gpu(), **CLASSES)
    np.testing.assert_array_equal(instance.decode, [400.0, 400.0])
    np.testing.assert_array_equal(instance.prompt, [300.0, 3000.0])
    assert instance.hardware == gpu()
    assert instance.prompt.dtype == np.float64


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"arrival": []}, "`arrival` must be a list of at least one class"),
        ({"arrival": 0.5}, "`arrival` must be a list"),
        ({"arrival": [0.5, -0.1]}, r"`arrival\[1\]` must be at least 0 .*, got -0.1"),
        ({"arrival": [0.5, np.nan]}, r"`arrival\[1\]`"),
        ({"prompt": [300, 0]}, r"`prompt\[1\]` must be positive"),
        ({"prompt": [300, 1, 2]}, r"`prompt` must be one number or one a class, shape \(2,\)"),
        ({"decode": np.inf}, r"`decode\[0\]`"),
        ({"decode": "many"}, "`decode` must be numbers"),
        ({"patience": [[0.1], [0.1, 0.2]]}, "`patience` must be numbers"),
        ({"price_decode": -1.0}, "`price_decode` must be at least 0"),
        ({"price_prompt": [0.1, 0.2]}, "`price_prompt` must be one number"),
    ],
)
def test_what_no_instance_can_be_is_refused(changed, message):
    with pytest.raises(InputError, match=message) as error:
        make_instance(hardware=gpu(), **(CLASSES | changed))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch": 0}, "`batch` must be a whole number of at least 1, got 0"),
        ({"chunk": 2.5}, "`chunk` must be a whole number"),
        ({"alpha": np.nan}, "`alpha` must be one finite number"),
        ({"alpha": "fast"}, "`alpha` must be numbers"),
        ({"alpha": -1.0}, "`alpha` must make alpha"),
        ({"beta": -1e-5}, "`beta` must be at least 0"),
        ({"tau_solo": 0.0}, "`tau_solo` must be positive"),
    ],
)
def test_what_no_hardware_can_be_is_refused(changed, message):
    with pytest.raises(InputError, match=message):
        gpu(**changed)


def test_where_theory_does_not_reach_is_noted_and_goes_into_the_plan():
    assert hardware_notes(gpu()) == ()
    (note,) = hardware_notes(gpu(tau_solo=0.04))
    assert "below (batch - 1) / batch = 0.938" in note
    (note,) = hardware_notes(gpu(tau_solo=0.034))
    assert "`chunk` = 256 is shorter" in note
    slow = paper_two_class()
    slow = slow._replace(hardware=slow.hardware._replace(tau_solo=0.04))
    assert solve_plan(slow).notes == hardware_notes(slow.hardware)


def test_named_instances_are_made_anew_each_time():
    for make in INSTANCES.values():
        first, second = make(), make()
        assert first.arrival is not second.arrival
        np.testing.assert_array_equal(first.arrival, second.arrival)
