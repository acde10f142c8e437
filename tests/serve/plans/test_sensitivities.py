"""Derivatives of R* at many instances: what must hold of them, and the closed form."""

import jax
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import ServiceLevels, bundled_optimum, paper_two_class, paper_two_class_x2
from lpo.serve.instance import Instance
from lpo.serve.plans.sensitivities import Sensitivities, revenue_sensitivities

FIELDS = ("batch", "chunk", "alpha", "beta", "tau_solo")


@pytest.fixture(scope="module")
def instances() -> list[Instance]:
    """Both published instances and others of the same shape."""
    base = paper_two_class()
    slow = base.hardware._replace(beta=2e-4, batch=24)
    return [base, paper_two_class_x2(), base._replace(hardware=slow, price_prompt=0.3)]


@pytest.fixture(scope="module")
def found(instances) -> Sensitivities:
    return revenue_sensitivities(instances)


def test_values_are_those_of_the_closed_form(instances, found):
    expected = [bundled_optimum(each).value for each in instances]
    np.testing.assert_allclose(found.value, expected, rtol=1e-6)


@pytest.mark.parametrize("name", FIELDS)
def test_elasticities_are_relative_differences(instances, found, name):
    for k, instance in enumerate(instances):
        value = []
        for factor in (1.0 + 1e-5, 1.0 - 1e-5):
            moved = instance.hardware._replace(**{name: factor * getattr(instance.hardware, name)})
            value.append(np.log(bundled_optimum(instance._replace(hardware=moved)).value))
        expected = (value[0] - value[1]) / 2e-5
        assert getattr(found.elasticities.hardware, name)[k] == pytest.approx(
            expected, rel=1e-4, abs=1e-5
        )


def test_a_per_cent_of_both_prices_is_a_per_cent_of_revenue(found):
    total = found.elasticities.price_prompt + found.elasticities.price_decode
    np.testing.assert_allclose(total, 1.0, rtol=1e-5)


def test_the_unit_of_time_changes_the_revenue_per_second_alone(found):
    """R* (arrival / k, k times) = R* / k."""
    times = found.elasticities.hardware
    total = times.alpha + times.beta + times.tau_solo - found.elasticities.arrival.sum(axis=1)
    np.testing.assert_allclose(total, -1.0, rtol=1e-5)


def test_levels_that_cannot_be_kept_have_no_value(instances):
    found = revenue_sensitivities(instances[:2], ServiceLevels(service_share=0.9))
    assert np.isfinite(found.value).tolist() == [True, False]  # loads 1.04 and 2.09
    slopes = jax.tree.leaves(found.slopes) + jax.tree.leaves(found.elasticities)
    assert all(np.isnan(slope[1]).all() for slope in slopes)


def test_refused(instances):
    with pytest.raises(InputError, match="at least one"):
        revenue_sensitivities([])
    patient = instances[0]._replace(patience=np.array([0.1, 0.0]))
    with pytest.raises(InputError, match=r"instances\[1\]"):
        revenue_sensitivities([instances[0], patient])
