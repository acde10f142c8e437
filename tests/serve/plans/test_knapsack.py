"""The closed form against the linear program, duals by hand, and the least fleet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpo.errors import InputError
from lpo.serve import (
    bundled_optimum,
    fractional_knapsack,
    load,
    minimum_fleet,
    paper_two_class,
    paper_two_class_x2,
    service_rates,
    solve_plan,
)


@pytest.mark.parametrize(
    ("make", "value", "its_load"),
    [(paper_two_class, 297.716, 1.04), (paper_two_class_x2, 429.943, 2.09)],
)
def test_published_optima(make, value, its_load):
    found = bundled_optimum(make())
    assert found.value == pytest.approx(value, abs=5e-4)
    assert load(make()) == pytest.approx(its_load, abs=5e-3)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6), load=st.floats(0.05, 4.0), classes=st.integers(1, 8))
def test_knapsack_is_the_linear_program_where_prefill_slots_are_left(
    random_instance, by_linprog, seed, load, classes
):
    instance = random_instance(seed, classes, load=load)
    knapsack, exact = fractional_knapsack(instance), by_linprog(instance)
    if knapsack.prefill_slots <= 1.0:
        assert knapsack.value == pytest.approx(exact, rel=1e-8)
    else:
        assert knapsack.value >= exact * (1 - 1e-9)
    assert bundled_optimum(instance).value == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("seed", range(8))
def test_both_rows_bind_where_prefill_is_slow(random_instance, by_linprog, seed):
    instance = random_instance(seed, 6, load=30.0)
    tau = service_rates(instance).tau
    hardware = instance.hardware._replace(batch=16, tau_solo=tau)
    instance = instance._replace(hardware=hardware, decode=instance.decode / 10.0)
    assert fractional_knapsack(instance).prefill_slots > 1.0
    found = bundled_optimum(instance)
    assert found.value == pytest.approx(by_linprog(instance), rel=1e-8)
    assert found.x.sum() <= 1.0 + 1e-9
    assert found.prefill_price > 0.0
    part = (found.completed > 1e-9) & (found.completed < instance.arrival - 1e-9)
    assert part.sum() <= 2
    plan = solve_plan(instance)
    assert plan.duals.arrival == pytest.approx(
        np.maximum(_reduced(instance, found), 0.0), rel=1e-6, abs=1e-6
    )


def _reduced(instance, found):
    rates = service_rates(instance)
    return rates.w - found.prefill_price / rates.mu_p - found.token_price * rates.size


@pytest.mark.parametrize("seed", range(5))
def test_any_price_of_a_token_bounds_the_optimum_and_the_marginal_one_meets_it(
    random_instance, seed
):
    """Weak duality by hand: b B gamma + sum lambda (w - b s)+ for every b >= 0."""
    instance = random_instance(seed, 5, load=1.5)
    rates, found = service_rates(instance), fractional_knapsack(instance)
    assert found.prefill_slots <= 1.0 and found.token_price > 0.0

    def bound(price):
        spare = np.maximum(rates.w - price * rates.size, 0.0)
        return price * instance.hardware.batch * rates.gamma + instance.arrival @ spare

    value = solve_plan(instance).value
    prices = np.linspace(0.0, 3.0, 50) * found.token_price
    assert min(bound(price) for price in prices) >= value * (1 - 1e-9)
    assert bound(found.token_price) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("load", [0.2, 1.0, 2.5])
def test_slots_and_queues_are_those_of_the_plan(random_instance, load):
    instance = random_instance(3, load=load)
    closed, plan = bundled_optimum(instance), solve_plan(instance)
    for name in ("x", "y_m", "y_s", "q_p", "completed"):
        np.testing.assert_allclose(
            getattr(closed, name), getattr(plan, name), rtol=1e-6, atol=1e-7, err_msg=name
        )


def test_where_decoding_beside_a_prefill_is_faster_there_is_no_closed_form():
    instance = paper_two_class()
    fast = instance._replace(hardware=instance.hardware._replace(tau_solo=0.04))
    with pytest.raises(InputError, match=r"\(batch - 1\) / batch, got 0.832"):
        bundled_optimum(fast)


def test_nothing_arrives():
    instance = paper_two_class()
    idle = instance._replace(arrival=np.zeros(2))
    assert bundled_optimum(idle).value == 0.0
    assert solve_plan(idle).value == 0.0
    assert minimum_fleet(idle).planned == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_least_fleet_serves_everything_and_a_smaller_one_does_not(
    random_instance, by_linprog, seed
):
    instance = random_instance(seed, contention=seed % 2 == 0)
    fleet, rates = minimum_fleet(instance, 50.0), service_rates(instance)
    assert fleet.least == pytest.approx(50.0 * load(instance))
    everything = 50.0 * rates.w @ instance.arrival
    for factor, enough in ((1.0 + 1e-6, True), (0.99, False)):
        gpus = factor * fleet.least
        value = gpus * by_linprog(instance._replace(arrival=50.0 * instance.arrival / gpus))
        assert (value >= everything * (1 - 1e-7)) == enough


def test_square_root_slack():
    instance = paper_two_class()
    plain, slack = minimum_fleet(instance, 100.0), minimum_fleet(instance, 100.0, slack=2.0)
    assert plain.planned == int(np.ceil(plain.least)) == 105
    assert slack.planned == int(np.ceil(plain.least + 2.0 * np.sqrt(plain.least)))
    with pytest.raises(InputError, match="`slack`"):
        minimum_fleet(instance, slack=-1.0)
