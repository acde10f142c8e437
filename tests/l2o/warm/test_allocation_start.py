"""Learned starts of allocation solves, end to end: they never change the optimum."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.allocate import Options, audit, budget, generate, solve_allocation
from lpo.errors import InputError
from lpo.l2o.families.allocation import Multipliers, at, multipliers
from lpo.l2o.warm import Kind, Settings, allocation_start
from tests.solvers import BACKENDS

BASE = generate("robust", 1, size=(3, 3, 4))
OPTIONS, SETS = Options(horizon_consistent=True), budget(np.inf, np.inf)
SMALL = Settings(levels=2, count=2, training=60, batch=32, width=32)
USUAL = at(BASE, Multipliers(jnp.array([1.2, 0.9, 1.1]), jnp.array([1.0, 1.1, 0.9, 1.0])))
MORE = at(BASE, Multipliers(jnp.array([4.0, 3.0, 4.0]), jnp.ones(4)))
GAP = 1e-3


@pytest.fixture(scope="module")
def start():
    return allocation_start(BASE, OPTIONS, SETS, relaxations=8, problems=40, settings=SMALL)


@pytest.mark.parametrize("solver", BACKENDS)
@pytest.mark.parametrize("now", [USUAL, MORE], ids=["usual", "more"])
def test_the_optimum_is_that_of_a_cold_search(start, solver, now):
    cold: Any = solve_allocation(now, OPTIONS, SETS, solver=solver, gap=GAP)
    warm: Any = solve_allocation(now, OPTIONS, SETS, solver=solver, gap=GAP, start=start)
    assert warm.objective == pytest.approx(cold.objective, rel=2 * GAP)
    assert warm.gap <= GAP and audit(now, warm.allocation, OPTIONS, SETS).ok
    assert not any("start" in note for note in warm.notes)  # it was taken, or there was none


def test_a_usual_hour_gets_a_plan_that_keeps_every_limit(start):
    assert start.predictor.kind is Kind.REGRESSION  # the best of what learns is the default
    begun = start.begin(multipliers(BASE, USUAL), USUAL)
    assert not begun.fell_back and audit(USUAL, begun.allocation, OPTIONS, SETS).ok
    np.testing.assert_array_equal(begun.allocation.replicas, start(USUAL).replicas)


def test_the_guard_refuses_demand_that_was_never_seen(start):
    assert start.begin(multipliers(BASE, MORE), MORE).fell_back and start(MORE) is None
    gone = BASE.data.arrivals_per_hour * np.array([1.0, 0.0, 1.0])
    none = BASE._replace(data=BASE.data._replace(arrivals_per_hour=gone))
    assert start(none) is None  # log 0


def test_multipliers_undo_at():
    p = Multipliers(jnp.array([0.5, 1.0, 2.0]), jnp.array([1.5, 1.0, 1.0, 0.25]))
    jax.tree.map(np.testing.assert_allclose, multipliers(BASE, at(BASE, p)), p)


def test_without_a_predictor_nothing_is_solved():
    start = allocation_start(BASE, predictor="none")
    assert start.predictor is None and start(USUAL) is None


def test_bad_arguments(start):
    with pytest.raises(InputError, match="predictor"):
        allocation_start(BASE, predictor="oracle")
    with pytest.raises(InputError, match="budget_usd"):
        start(BASE._replace(data=BASE.data._replace(budget_usd=1.0)))
    with pytest.raises(InputError, match="weights_gb"):
        start(generate("robust", 1, size=(3, 2, 4)))
    with pytest.raises(InputError, match="tensor_parallel"):
        start(BASE._replace(tensor_parallel=(1, 2, 4, 16)))
