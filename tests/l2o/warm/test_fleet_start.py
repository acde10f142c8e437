"""Learned starts of exact fleet plans, end to end, and their repair from anything."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lpo import provision
from lpo.errors import InputError
from lpo.l2o.warm import Settings, fleet_start
from lpo.l2o.warm import fleet as module
from lpo.l2o.warm.fleet_repair import covering_fleet, whole_fleet
from tests.solvers import BACKENDS

H, K, GAP = 3, 3, 1e-3
FLEET = provision.make_fleet([10.0, 7.0, 25.0], [1.0, 0.8, 2.2], [0.01, 0.0, 0.02], 0.5, 2.0)
SMALL = Settings(levels=2, count=2, training=100, batch=32, width=32)


def plenty(demand, capacity, *rest):
    """A relaxation in closed form: the last configuration serves all, and a tenth more."""
    return (jnp.zeros((H, K)).at[:, 2].set(1.1 * demand / capacity[2]),)


TASK = provision.fleet_task(FLEET, H, backend=plenty)
DEMAND = np.lib.stride_tricks.sliding_window_view(
    100.0 + 40.0 * np.sin(np.arange(200) / 9.0) + np.random.default_rng(0).normal(0, 5, 200), H
)


KINDS = ("none", "nearest", "regression", "diffusion")
RUNNING = FLEET._replace(initial=np.array([0.0, 0.0, 5.0]))


@pytest.fixture(scope="module")
def starts():
    return {
        kind: fleet_start(TASK, DEMAND, predictor=kind, problems=120, settings=SMALL)
        for kind in KINDS
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", BACKENDS)
def test_the_optimum_is_that_of_a_cold_search(starts, solver, kind):
    for demand in (DEMAND[50], 3.0 * DEMAND[9]):
        cold = provision.exact_plan(RUNNING, demand, solver=solver, gap=GAP)
        warm = provision.exact_plan(RUNNING, demand, solver=solver, gap=GAP, start=starts[kind])
        assert warm.objective == pytest.approx(cold.objective, rel=2 * GAP)
        assert warm.gap <= GAP


@pytest.mark.parametrize("kind", KINDS[1:])
def test_starts_of_problems_as_in_training_pass_the_guard_and_are_near(starts, kind):
    found = [starts[kind].begin(RUNNING, demand) for demand in DEMAND[5::20]]
    assert np.mean([each.fell_back for each in found]) < 0.3
    for demand, each in zip(DEMAND[5::20], found, strict=True):
        if each.fell_back:
            continue
        n = each.replicas
        assert np.array_equal(n, np.rint(n)) and (n >= 0).all()
        usd = float(provision.fleet_cost(RUNNING, n, demand).total)
        assert usd < 1.3 * provision.exact_plan(RUNNING, demand, solver="highs").objective


@pytest.mark.parametrize("kind", KINDS[1:])
def test_the_guard_refuses_demand_that_was_never_seen(starts, kind):
    for strange in (5.0 * DEMAND[0], 0.0 * DEMAND[0], DEMAND[0] * np.array([1.0, 3.0, 0.2])):
        assert starts[kind].begin(FLEET, strange).fell_back
        assert starts[kind](FLEET, strange) is None


@pytest.mark.parametrize("number", [0.0, 3.0, 50.0, np.nan])
def test_the_guard_refuses_what_costs_more_than_the_mean_plan(monkeypatch, number):
    monkeypatch.setattr(
        module, "fitted_point", lambda *_: lambda p, k: (jnp.full(H * K, number), 0)
    )
    start = fleet_start(TASK, DEMAND, predictor="nearest", problems=len(DEMAND), commit=1)
    demand = DEMAND[50]
    mean = np.zeros((H, K))
    mean[:, 2] = 1.1 * DEMAND.mean(0) / 25.0
    up = np.ceil(covering_fleet(RUNNING, mean, demand))
    own = whole_fleet(RUNNING, np.full((H, K), number), demand, RUNNING.initial)
    usd, most = (float(provision.fleet_cost(RUNNING, n, demand).total) for n in (own, up))
    assert start.begin(RUNNING, demand).fell_back or usd <= most * (1 + 1e-6)
    # where the search cannot help, what is dearer is refused
    monkeypatch.setattr(module, "whole_fleet", lambda fleet, n, wanted, running: up + 1.0)
    assert start.begin(RUNNING, demand).fell_back


numbers = st.floats(-1e3, 1e3) | st.sampled_from([np.nan, np.inf, -np.inf, 1e30])


@settings(max_examples=60, deadline=None)
@given(
    n=arrays(float, (H, K), elements=numbers),
    demand=arrays(float, H, elements=st.floats(0, 200)),
    running=arrays(float, K, elements=st.integers(0, 9)),
)
def test_any_numbers_become_whole_replicas_that_cover_the_demand(n, demand, running):
    dear = FLEET._replace(unserved=np.float64(1e6), initial=running)
    fraction = covering_fleet(dear, n, demand)
    assert (fraction >= 0).all() and (demand - fraction @ dear.capacity < 1e-9).all()
    whole = whole_fleet(dear, n, demand, running)
    assert np.array_equal(whole, np.rint(whole)) and (whole >= 0).all()
    assert (demand - whole @ dear.capacity < 1e-6).all()
    # a limit is kept, and what it leaves unserved is all that is
    few = dear._replace(limit=np.array([2.0, 0.0, 1.0]))
    fraction = covering_fleet(few, n, demand)
    assert (fraction <= few.limit).all()
    served = np.minimum(demand, 45.0)
    np.testing.assert_array_less(served - 1e-9, np.minimum(demand, fraction @ few.capacity) + 1e-9)
    whole = whole_fleet(few, n, demand, np.minimum(running, few.limit))
    assert (whole <= few.limit).all()


def test_a_fleet_that_covers_stays_as_it_is():
    n = np.array([[1.5, 0.0, 3.25], [0.0, 4.0, 2.0], [0.5, 0.5, 3.0]])
    demand = n @ FLEET.capacity - np.array([0.0, 5.0, 1.0])
    np.testing.assert_array_equal(covering_fleet(FLEET, n, demand), n)


def test_configurations_that_cost_more_than_unserved_tokens_add_nothing():
    dear = FLEET._replace(energy=np.array([9.0, 9.0, 9.0]))
    found = covering_fleet(dear, np.zeros((H, K)), np.full(H, 50.0))
    np.testing.assert_array_equal(found, 0.0)


def test_without_a_predictor_nothing_is_learned():
    start = fleet_start(TASK, DEMAND)
    assert start.family is None and start(FLEET, DEMAND[0]) is None


def test_bad_arguments(starts):
    with pytest.raises(InputError, match="predictor"):
        fleet_start(TASK, DEMAND, predictor="oracle")
    with pytest.raises(InputError, match="demand"):
        fleet_start(TASK, DEMAND[:, :2], predictor="nearest")
    with pytest.raises(InputError, match="problems"):
        fleet_start(TASK, DEMAND, predictor="nearest", problems=0)
    with pytest.raises(InputError, match="price"):
        starts["nearest"](FLEET._replace(price=2.0 * FLEET.price), DEMAND[0])
