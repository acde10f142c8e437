"""Random instances keep to their ranges; other loads and units of time are the same cluster."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import load, paper_two_class, service_rates, solve_plan
from lpo.serve.random_instances import (
    ALPHA_S,
    ARRIVAL_PER_S,
    BETA_S,
    GAMMA_PER_S,
    TOKENS,
    at_load,
    in_units_of,
    random_instances,
)

PAPER = paper_two_class()


def test_draws_are_in_their_ranges_and_those_refused_are_counted():
    found = random_instances(0, 60, 3, like=PAPER)
    assert len(found.instances) == 60
    assert found.draws == 60 + found.faster_mixed > 60
    for instance in found.instances:
        hardware = instance.hardware
        for numbers, (low, high) in (
            (hardware.alpha, ALPHA_S),
            (hardware.beta, BETA_S),
            (1.0 / hardware.tau_solo, GAMMA_PER_S),
            (instance.prompt, TOKENS),
            (instance.decode, TOKENS),
            (instance.arrival, ARRIVAL_PER_S),
        ):
            assert np.all((np.asarray(numbers) >= low) & (np.asarray(numbers) <= high))
        assert len(instance.arrival) == 3
        assert service_rates(instance).kappa >= 0.0
        assert hardware.batch == PAPER.hardware.batch and hardware.chunk == PAPER.hardware.chunk


def test_a_seed_is_its_instances_and_more_are_added_behind():
    few, many = random_instances(1, 3, 2, like=PAPER), random_instances(1, 5, 2, like=PAPER)
    for a, b in zip(few.instances, many.instances, strict=False):
        np.testing.assert_array_equal(a.arrival, b.arrival)
    other = random_instances(2, 1, 2, like=PAPER).instances[0]
    assert not np.array_equal(other.arrival, few.instances[0].arrival)


def test_where_all_are_refused_it_says_so():
    short = PAPER._replace(hardware=PAPER.hardware._replace(chunk=1))
    with pytest.raises(InputError, match="at chunk 1"):
        random_instances(0, 1, 2, like=short, most_draws=50)


@pytest.mark.parametrize("wanted", [0.5, 1.0, 3.0])
def test_a_load_is_reached(wanted):
    for instance in random_instances(0, 3, 2, like=PAPER).instances:
        scaled = at_load(instance, wanted)
        assert load(scaled) == pytest.approx(wanted)
        shares = scaled.arrival / scaled.arrival.sum()
        np.testing.assert_allclose(shares, instance.arrival / instance.arrival.sum())


def test_the_unit_of_time_changes_nothing_but_rates():
    slow, plan = in_units_of(PAPER, 20.0), solve_plan(PAPER)
    same = solve_plan(slow)
    assert load(slow) == pytest.approx(load(PAPER))
    assert same.value == pytest.approx(20.0 * plan.value)
    np.testing.assert_allclose(same.x, plan.x, atol=1e-8)
    np.testing.assert_allclose(same.q_p, plan.q_p, atol=1e-6)
    for name in ("mu_p", "mu_m", "mu_s"):
        np.testing.assert_allclose(
            getattr(service_rates(slow), name), 20.0 * getattr(service_rates(PAPER), name)
        )
