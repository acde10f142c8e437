"""Fleets without meaning are refused in words."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.provision.fleet import check, make_fleet, normalise


def test_scalars_are_repeated_and_services_share_the_energy_price():
    fleet = make_fleet([[4.0, 0.0], [1.0, 2.0]], 1.0, [0.1, 0.2], 0.5, 3.0)
    assert fleet.price.shape == fleet.limit.shape == (2,) and fleet.unserved.shape == (2,)
    np.testing.assert_array_equal(fleet.energy, [[0.1, 0.2], [0.1, 0.2]])
    assert np.isinf(fleet.limit).all() and (fleet.gpus == 1).all() and (fleet.initial == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price": [1.0, np.nan]}, "`price` must be finite"),
        ({"startup": [-1.0, 0.0]}, "`startup` must be finite and not negative, got -1"),
        ({"limit": [np.nan, 1.0]}, "`limit` must be not negative"),
        ({"capacity": [1.0, 0.0]}, "Configuration 1 has no capacity"),
        ({"capacity": [[1.0, 1.0], [0.0, 0.0]]}, "No configuration serves service 1"),
        ({"capacity": 3.0}, "`capacity` must be"),
        ({"price": [1.0, 2.0, 3.0]}, r"`price` must have shape \(2,\)"),
        ({"gpus": [1.0, 0.0]}, "`gpus` must be positive"),
        ({"initial": [3.0, 0.0], "limit": 2.0}, "configuration 0 must be at most its limit 2"),
    ],
)
def test_numbers_without_meaning_are_refused(change, message):
    good = {"capacity": [1.0, 2.0], "price": 1.0, "energy": 0.1, "startup": 0.0, "unserved": 2.0}
    make_fleet(**good)
    with pytest.raises(InputError, match=message):
        make_fleet(**(good | change))


def test_check_wants_the_exact_shapes():
    fleet = make_fleet([1.0, 2.0], 1.0, 0.1, 0.0, 2.0)
    with pytest.raises(InputError, match=r"`energy` must have shape \(2,\)"):
        check(fleet._replace(energy=np.ones((1, 2))))
    assert check(fleet).capacity.dtype == np.float64


def test_normalised_numbers_are_of_order_one():
    fleet = make_fleet([3e5, 9e5], [0.02, 0.06], [1e-8, 2e-8], [0.01, 0.02], 1e-6)
    scaled, units = normalise(fleet, demand=3e6)
    assert scaled.capacity.mean() == pytest.approx(10.0)
    assert scaled.price.mean() == pytest.approx(1.0)
    assert 3e6 / units.tokens == pytest.approx(50.0)
    assert normalise(fleet)[1].replicas == 1.0
    with pytest.raises(InputError, match="`demand`"):
        normalise(fleet, demand=0.0)
    with pytest.raises(InputError, match="`price`"):
        normalise(fleet._replace(price=np.zeros(2)))
