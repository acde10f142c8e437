"""Selections against loops, what must not change them, and what has no answer."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.curves import Limits
from lpo.scale.select import (
    Points,
    Selections,
    allowed_grid,
    cubes,
    feasible_by_mean,
    fronts,
    make_options,
    points_of,
    select,
    selections,
)
from tests.quick import jit
from tests.scale.select.brute_force import METHODS, best_of, front_of, scores_of

RANGE, BUDGET = make_options(), make_options(scale="budget", cube="feasible")
S, M, P, K = 2, 6, 2, 30
LIMITS = Limits(np.array([0.7, 0.9]), np.array([30.0, 26.0]), np.array([0.3, 0.2]))


def random_points():
    """Growing curves with noise, gaps and repeated values, [M, P, K], and an uneven k."""
    rng = np.random.default_rng(0)
    shape = (M, P, K)
    k = np.cumsum(rng.integers(1, 5, K))
    cost = 0.01 * k * rng.uniform(0.5, 1.5, (M, P, 1)) * rng.uniform(0.7, 1.3, shape)
    time = 0.3 * k * rng.uniform(0.5, 1.5, (M, P, 1)) * rng.uniform(0.7, 1.3, shape)
    accuracy = 1.0 - 0.8 / (1.0 + 0.1 * k) + rng.normal(0.0, 0.02, shape)
    accuracy[1::2] = accuracy[1::2].round(2)
    cost[2::2] = cost[2::2].round(1)
    points = Points(cost, time, accuracy.clip(0.0, 1.0))
    feasible = rng.random((S, M, P, K)) < 0.8
    feasible[0, 0] = False
    feasible[1, 1, 0, 1:] = False
    for axis, limit in zip(points[:2], LIMITS[:2], strict=True):
        feasible &= axis <= limit[:, None, None, None]
    return points, feasible, k


@pytest.mark.parametrize("options", [RANGE, BUDGET], ids=["range", "budget"])
def test_every_selection_is_that_of_loops(options):
    points, feasible, k = random_points()
    found = select(options, points, feasible, LIMITS, k=k)
    on_front = fronts(points, feasible)
    volumes = cubes(options, points, LIMITS)
    sizes = []
    for place in np.ndindex(S, M, P):
        mine = list(zip(*(axis[place[1:]] for axis in points), strict=True))
        limits = [limit[place[0]] for limit in LIMITS]
        wanted = scores_of(mine, feasible[place], limits, k, *options)
        front = front_of(mine, feasible[place])
        assert list(np.flatnonzero(on_front[place])) == front
        sizes.append(len(front))
        for method in METHODS:
            one = getattr(found, method)
            at, score = int(one.at[place]), one.score[place]
            best = best_of(method, wanted[method])
            np.testing.assert_allclose(score, best, rtol=1e-9, atol=1e-13, err_msg=method)
            assert (at == -1) == (not wanted[method])
            if at >= 0:  # and it is the score of what was chosen
                assert wanted[method][at] == pytest.approx(best, rel=1e-9, abs=1e-13)
        for i, volume in wanted["max_cube"].items():
            assert volumes[(*place, i)] == pytest.approx(volume, abs=1e-15)
    assert min(sizes) == 0 and sizes.count(1) >= 1 and max(sizes) > 8


def test_traced_programs_choose_alike():
    points, feasible, k = random_points()
    wanted = select(RANGE, points, feasible, LIMITS, k=k)

    def one(points, feasible, limits):
        return select(RANGE, points, feasible, limits, k=k)

    over_slots = jax.vmap(one, in_axes=(0, 0, None))
    over_models = jax.vmap(over_slots, in_axes=(0, 0, None))
    over_scenarios = jit(jax.vmap(over_models, in_axes=(None, 0, 0)))
    with jax.enable_x64(True):
        found = over_scenarios(*jax.tree.map(jnp.asarray, (points, feasible, LIMITS)))
    for mine, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_one_program_serves_all_data():
    points, feasible, k = random_points()
    compiled: Any = selections._choose_compiled
    select(RANGE, points, feasible, LIMITS, k=k)
    before = compiled._cache_size()
    select(RANGE, Points(*(2.0 * axis for axis in points)), ~feasible, LIMITS, k=k + 1)
    assert compiled._cache_size() == before


def test_a_front_may_be_given():
    points, feasible, k = random_points()
    limits = Limits(*(limit[0] for limit in LIMITS))
    front = fronts(points, feasible[0])
    wanted = select(RANGE, points, feasible, LIMITS, k=k)
    found = select(RANGE, points, feasible[0], limits, k=k, front=front)
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mine.at, theirs.at[0])


def nine(linear_curves, scenarios):
    """Points, what is feasible [3, 9, 2, 200] and k of exact means."""
    allowed = allowed_grid(linear_curves.k, linear_curves.parallel)
    feasible = feasible_by_mean(linear_curves, scenarios, allowed)
    return points_of(linear_curves), feasible, linear_curves.k


def test_of_one_model_with_exact_means_every_feasible_k_is_on_the_front(linear_curves, scenarios):
    points, feasible, _ = nine(linear_curves, scenarios)
    assert feasible.sum() > 2000
    np.testing.assert_array_equal(fronts(points, feasible), feasible)


def test_range_scaled_choices_do_not_depend_on_units(linear_curves, scenarios):
    points, feasible, k = nine(linear_curves, scenarios)
    wanted = select(RANGE, points, feasible, scenarios, k=k)
    moved = Points(3.0 + 1e3 * points.cost, 1e-2 * points.time - 5.0, 0.2 + 0.5 * points.accuracy)
    found = select(RANGE, moved, feasible, scenarios, k=2.5 * k + 7.0)
    for method in ("utopia", "knee_curvature", "knee_chord"):
        mine, theirs = getattr(found, method), getattr(wanted, method)
        np.testing.assert_array_equal(mine.at, theirs.at)
        np.testing.assert_allclose(mine.score, theirs.score, rtol=1e-7)


def test_the_chord_knee_of_the_linear_law_does_not_depend_on_the_scale(linear_curves, scenarios):
    points, feasible, k = nine(linear_curves, scenarios)
    by_range = select(RANGE, points, feasible, scenarios, k=k)
    by_budget = select(BUDGET, points, feasible, scenarios, k=k)
    np.testing.assert_array_equal(by_range.knee_chord.at, by_budget.knee_chord.at)
    assert (by_range.knee_curvature.at != by_budget.knee_curvature.at).any()
    # the tangent is parallel to the chord: the last step that is steeper than it
    for place in np.ndindex(feasible.shape[:-1]):
        at = np.flatnonzero(feasible[place])
        if len(at) > 2:
            accuracy = points.accuracy[place[1:]][at]
            slope = (accuracy[-1] - accuracy[0]) / (len(at) - 1)
            wanted = at[np.flatnonzero(np.diff(accuracy) > slope)[-1] + 1]
            assert by_range.knee_chord.at[place] == wanted


def test_equals_are_decided_for_the_smallest_k():
    k = np.arange(1, 7)
    tied = np.array([0.5, 0.9, 0.9, 0.9 + 1e-16, 0.9 - 1e-16, 0.7])
    points = Points(0.01 * k, 1.0 * k, tied)
    found = select(RANGE, points, np.ones(6, bool), Limits(1.0, 10.0, 0.0), k=k)
    assert found.accuracy_max.at == 1
    assert list(fronts(points, np.ones(6, bool))) == [True, True] + [False] * 4


def test_infeasible_is_a_value():
    points = Points(np.arange(1.0, 7.0), np.full(6, np.nan), np.full(6, 0.5))
    found = select(RANGE, points, np.zeros(6, bool), Limits(1.0, 10.0, 0.9))
    for one in found:
        assert one.at.dtype == np.int32 and one.at == -1 and np.isnan(one.score)


def test_knees_need_three_points():
    points = Points(np.arange(1.0, 7.0), np.arange(1.0, 7.0), np.arange(1.0, 7.0) / 10.0)
    feasible = np.array([False, True, False, False, True, False])
    found = select(RANGE, points, feasible, Limits(10.0, 10.0, 0.0))
    assert [int(one.at) for one in found] == [4, 1, 1, -1, -1]
    assert found.utopia.score == pytest.approx(1.0)
    assert np.isnan(found.knee_curvature.score) and np.isnan(found.knee_chord.score)


@pytest.mark.parametrize("options", [RANGE, BUDGET], ids=["range", "budget"])
@pytest.mark.parametrize("fixed", ["cost", "time", "both", "accuracy", "all"])
def test_axes_without_width_are_left_out(options, fixed):
    k = np.arange(1, 7)
    grows = 1.0 * k
    cost = np.zeros(6) if fixed in ("cost", "both", "all") else 0.01 * grows
    time = np.full(6, 2.0) if fixed in ("time", "both", "all") else grows
    accuracy = np.full(6, 0.8) if fixed in ("accuracy", "all") else 1.0 - 0.5 / grows
    if fixed == "accuracy":
        time = time[::-1].copy()  # dear and quick, or cheap and slow
    found = select(options, Points(cost, time, accuracy), np.ones(6, bool), Limits(0.1, 9.0, 0.4))
    size = {"both": 1, "accuracy": 6, "all": 6}.get(fixed, 6)
    assert fronts(Points(cost, time, accuracy), np.ones(6, bool)).sum() == size
    for method, one in found._asdict().items():
        there = size > 2 or not method.startswith("knee")
        assert (one.at >= 0) == there and np.isfinite(one.score) == there
    assert found.utopia.score == 0.0 or options == BUDGET or size == 6


def test_limits_of_nothing_and_of_everything():
    accuracy = np.array([0.5, 0.9, 1.0, 1.0, 0.6, 0.7])
    points = Points(np.zeros(6), np.arange(1.0, 7.0), accuracy)
    free = select(BUDGET, points, np.ones(6, bool), Limits(0.0, np.inf, 1.0))
    # without a limit of time the front is a line along accuracy: it bends nowhere
    assert [int(one.at) for one in free] == [2, 0, 2, 1, 1]
    assert free.knee_curvature.score == 0.0 and free.knee_chord.score == 0.0
    assert free.max_cube.score == 0.0  # no room above an accuracy of 1
    assert free.utopia.score == 0.0


def test_names_of_methods():
    assert Selections._fields == METHODS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feasible": np.ones((2, 0), bool)}, "`feasible`"),
        ({"feasible": np.array(True)}, "`feasible`"),
        ({"points": Points(np.ones(4), np.ones(5), np.ones(5))}, "`points` must fit"),
        ({"limits": Limits(np.ones(3), 1.0, 0.5)}, "`limits.cost` must fit"),
        ({"limits": Limits(1.0, np.ones((2, 5)), 0.5)}, "`limits.time` must fit"),
        ({"k": np.arange(4)}, "`k` must fit"),
        ({"front": np.ones(4, bool)}, "`front` must fit"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, message):
    ones = np.ones(5)
    given = {
        "points": Points(ones, ones, ones),
        "feasible": np.ones((2, 5), bool),
        "limits": Limits(1.0, 1.0, 0.5),
    } | change
    with pytest.raises(InputError, match=message):
        select(RANGE, **given)


@pytest.mark.parametrize("name", ["scale", "cube"])
def test_unknown_options_are_refused(name):
    with pytest.raises(InputError, match=f"`{name}` must be one of"):
        make_options(**{name: "other"})
