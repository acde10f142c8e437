"""The fleet as a decision task: against Clarabel, against other fleets, by finite differences."""

from typing import Any

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.provision import regret
from lpo.provision.fleet import fleet_program, fleet_task, make_fleet, normalise, set_values

H, K = 4, 3
FLEET = make_fleet(
    [3e5, 5e5, 9e5],
    [0.010, 0.015, 0.030],
    [4e-9, 3e-9, 2e-9],
    [0.002, 0.006, 0.009],
    2e-7,
    initial=[1.0, 0.0, 0.0],
    gpus=[1.0, 2.0, 4.0],
)
RIDGES: dict[str, Any] = {"ridge_n": 1e-2, "ridge_other": 1e-4}
SCALE = 2e6  # tokens a slot
DEMAND = SCALE * np.array([[1.0, 0.6, 1.4, 0.9], [0.2, 0.5, 1.9, 1.1], [1.2, 1.1, 0.0, 0.7]])


@pytest.fixture(scope="module")
def task():
    return fleet_task(FLEET, H, demand_scale=SCALE, **RIDGES)


def by_clarabel(fleet, demand):
    """Replicas of the relaxation, solved in the task's units but without its code."""
    scaled, units = normalise(fleet, demand=SCALE)
    program = fleet_program(scaled, H, **RIDGES)
    set_values(program, scaled, demand / units.tokens)
    tight = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
    program.problem.solve(solver=cp.CLARABEL, **tight)
    assert program.n.value is not None
    return program.n.value * units.replicas


def test_decisions_are_those_of_clarabel(task):
    expected = np.stack([by_clarabel(FLEET, row) for row in DEMAND])
    n = task.decide(DEMAND)
    assert isinstance(n, np.ndarray) and n.dtype == np.float64
    np.testing.assert_allclose(n, expected, atol=1e-6)
    np.testing.assert_allclose(task.optimum(DEMAND), n, atol=1e-9)


def test_plans_begin_with_the_fleet_that_runs(task):
    running = np.array([[0.0, 0.0, 0.0], [0.0, 3.0, 0.0], [9.0, 9.0, 9.0]])
    n = task.plan(DEMAND[0], running)
    for row, before in zip(n, running, strict=True):
        fleet = FLEET._replace(initial=before)
        np.testing.assert_allclose(row, by_clarabel(fleet, DEMAND[0]), atol=1e-6)


def test_negative_forecasts_count_as_none(task):
    forecast = DEMAND.copy()
    forecast[:, 1] = -3e5
    np.testing.assert_allclose(
        task.decide(forecast), task.decide(np.maximum(forecast, 0)), atol=1e-9
    )


def test_leading_axes_and_shapes(task):
    n = task.decide(DEMAND[::-1, None, None])
    assert n.shape == (3, 1, 1, H, K)
    np.testing.assert_allclose(n[::-1, 0, 0], task.decide(DEMAND), atol=1e-9)
    for forecast, initial in ((np.ones(H + 1), np.ones(K)), (np.ones(H), np.ones(K + 1))):
        with pytest.raises(InputError, match=f"{H}.* slots"):
            task.plan(forecast, initial)


def test_optimum_is_within_its_ridges_of_the_cheapest_fleet(task):
    # n*(d) minimises cost + ridges: no fleet n costs less by more than ridges(n) - ridges(n*).
    rng = np.random.default_rng(0)
    scaled, units = normalise(FLEET, demand=SCALE)
    best, *others = task.decide(DEMAND[0] * [[1.0], [0.9], [1.1]])
    others += list(np.abs(best + rng.normal(0, 0.3, (5, H, K))))

    def ridges(n):
        found = fleet_program(scaled, H, **RIDGES)
        set_values(found, scaled, DEMAND[0] / units.tokens)
        fixed = cp.Problem(found.problem.objective, [*found.problem.constraints, found.n == n])
        value: Any = fixed.solve(solver=cp.CLARABEL)
        return value * units.usd - task.cost(n * units.replicas, DEMAND[0])

    part = ridges(best / units.replicas)
    for n in others:
        more = task.cost(n, DEMAND[0]) - task.cost(best, DEMAND[0])
        assert more >= part - ridges(n / units.replicas) - 1e-6 * part
        assert more >= -part


def test_regret_is_zero_at_a_perfect_forecast_and_positive_at_a_bad_one(task):
    np.testing.assert_allclose(regret(task, DEMAND, DEMAND), 0.0, atol=1e-12)
    assert (regret(task, 0.3 * DEMAND, DEMAND) > 0).all()
    assert (regret(task, 3.0 * DEMAND, DEMAND) > 0).all()


def test_gradient_of_regret_by_central_differences(task):
    at = [DEMAND * 1.07, DEMAND * [[1.0], [0.93], [1.1]]]
    with jax.enable_x64(True):
        forecast, demand = map(jnp.asarray, at)
        total = lambda f, d: regret(task, f, d).sum()  # noqa: E731
        gradient = jax.grad(total, (0, 1))(forecast, demand)
    step = 1e-4 * SCALE
    for which, found in enumerate(gradient):
        # Rows are separate problems: one slot of all of them moves at a time.
        expected = np.zeros(DEMAND.shape)
        for t in range(H):
            ends = []
            for sign in (1, -1):
                moved = [each.copy() for each in at]
                moved[which][:, t] += sign * step
                ends.append(regret(task, *moved))
            expected[:, t] = (ends[0] - ends[1]) / (2 * step)
        # Without demand in a slot the forecast is at its clip, a kink.
        smooth = DEMAND > 0
        np.testing.assert_allclose(
            found[smooth], expected[smooth], atol=2e-4 * np.abs(expected).max()
        )
        assert np.isfinite(found).all()


def test_a_finite_limit_holds_and_an_infinite_one_does_not_bind():
    limited = FLEET._replace(limit=np.array([np.inf, 1.5, np.inf]))
    n = fleet_task(limited, H, demand_scale=SCALE, backend="generic", **RIDGES).decide(DEMAND[0])
    assert n[:, 1].max() <= 1.5 + 1e-6
    np.testing.assert_allclose(n, by_clarabel(limited, DEMAND[0]), atol=1e-6)


def test_any_function_that_solves_can_be_the_back_end():
    def all_on_one(demand, capacity, *_):
        n = jnp.zeros((H, K), demand.dtype).at[:, 0].set(demand / capacity[0])
        return (n,)

    task = fleet_task(FLEET, H, backend=all_on_one, demand_scale=SCALE)
    expected = DEMAND[..., None] / FLEET.capacity[0] * [1.0, 0.0, 0.0]
    np.testing.assert_allclose(task.decide(DEMAND), expected, atol=1e-9)
    single = jax.jit(task.decide)(jnp.asarray(DEMAND, jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5)


def test_an_unsolved_row_is_nan_where_asked():
    task = fleet_task(FLEET, H, backend="generic", demand_scale=SCALE, throw=False, **RIDGES)
    n = task.decide(np.stack([DEMAND[0], np.full(H, np.nan)]))
    np.testing.assert_allclose(n[0], by_clarabel(FLEET, DEMAND[0]), atol=1e-6)
    assert np.isnan(n[1]).all()


def test_numbers_that_are_not_finite_are_refused_where_it_throws(task):
    with pytest.raises(InputError, match="finite"):
        task.decide(np.full((1, H), np.inf))


def test_a_demand_known_when_compiling_is_solved_while_compiling(task):
    compiled = jax.jit(lambda forecast: regret(task, forecast, DEMAND))
    forecast = jnp.asarray(1.1 * DEMAND, jnp.float32)
    expected = regret(task, np.asarray(forecast, np.float64), DEMAND)
    np.testing.assert_allclose(compiled(forecast), expected, rtol=1e-3, atol=1e-6)


def test_several_services_are_refused():
    with pytest.raises(InputError, match="one service"):
        fleet_task(make_fleet([[1.0, 2.0]], 1.0, 0.1, 0.0, 1.0), H)
