"""The joint choice against loops over every model, number of slots and passes."""

import moocore
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.curves import Curves, Estimate, Limits
from lpo.scale.select import (
    Points,
    allowed_grid,
    choices,
    feasible_by_mean,
    joint,
    make_options,
    points_of,
    with_slots,
)
from tests.scale.select.brute_force import METHODS, best_of, front_of, scores_of

LIMITS = Limits(
    np.array([0.5, 0.2, 0.001]), np.array([40.0, 90.0, 90.0]), np.array([0.3, 0.6, 0.9])
)
PARALLEL = np.array([1, 2, 8])


def curves(rounded=False):
    """Passes in waves [4, 3, 12], so that more slots than passes change nothing."""
    rng = np.random.default_rng(0)
    k = np.arange(1, 13)
    cost = rng.uniform(0.005, 0.03, (4, 1, 1)) * k
    waves = -(-k // PARALLEL[:, None])
    time = (
        rng.uniform(3.0, 9.0, (4, 1, 1)) * waves * (1.0 + 0.02 * np.minimum(k, PARALLEL[:, None]))
    )
    accuracy = 1.0 - rng.uniform(0.3, 0.7, (4, 1, 1)) * k ** -rng.uniform(0.3, 0.9, (4, 1, 1))
    cost[3] = cost[2]  # two models that cost the same
    if rounded:
        cost, time, accuracy = cost.round(2), time.round(-1), accuracy.round(1)
    return of_means(*np.broadcast_arrays(cost, time, accuracy))


def of_means(cost, time, accuracy):
    k, parallel = np.arange(1, cost.shape[2] + 1), PARALLEL[: cost.shape[1]]
    parts = (Estimate(mean, 0.1 * mean, 0.0) for mean in (cost, time, accuracy))
    return Curves(k, parallel, next(parts), next(parts), next(parts))


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("slot_price", [0.0, 1e-3])
@pytest.mark.parametrize("scale", ["range", "budget"])
def test_every_joint_selection_is_that_of_loops(rounded, slot_price, scale):
    given, options = curves(rounded), make_options(scale=scale)
    allowed = allowed_grid(given.k, PARALLEL)
    found = joint(options, with_slots(given, slot_price), LIMITS, allowed)
    index = [tuple(map(int, place)) for place in np.ndindex(4, 3, 12)]
    means = {}
    for m, p, i in index:
        cost, time, accuracy = (
            each.mean[m, p, i] for each in (given.cost, given.time, given.accuracy)
        )
        means[m, p, i] = (cost + slot_price * PARALLEL[p] * time, time, accuracy)
    index.sort(key=lambda at: (*means[at][:2], at[2], at[1], at[0]))
    points = [means[at] for at in index]
    for s in range(3):
        limits = [limit[s] for limit in LIMITS]
        feasible = [c <= limits[0] and t <= limits[1] and a >= limits[2] for c, t, a in points]
        front = front_of(points, feasible)
        place = found.front[s]
        assert list(zip(*map(list, place), strict=True)) == [index[i] for i in front]
        first = {point: i for i, point in reversed(list(enumerate(points)))}  # of equals
        only = [i in front and first[point] == i for i, point in enumerate(points)]
        on_line = scores_of(points, only, limits, None, *options, METHODS[2:])
        everywhere = scores_of(points, feasible, limits, None, *options, METHODS[:2])
        for rank, method in enumerate(METHODS):
            wanted = (everywhere if rank < 2 else on_line)[method]
            one = getattr(found.selections, method)
            best = best_of(method, wanted)
            np.testing.assert_allclose(one.score[s], best, rtol=1e-9, atol=1e-13, err_msg=method)
            at = tuple(int(each[s, rank]) for each in found.place)
            assert (one.at[s] == -1) == (at == (-1, -1, -1)) == (not wanted)
            if wanted:
                assert one.at[s] == np.ravel_multi_index(at, (4, 3, 12))
                assert wanted[index.index(at)] == pytest.approx(best, rel=1e-9, abs=1e-13)
        inside = np.array([points[i] for i in front]).reshape(-1, 3)
        scaled = inside / (*limits[:2], 1.0) * (1.0, 1.0, -1.0) + (0.0, 0.0, 1.0)
        wanted = moocore.hypervolume(scaled, ref=(1.0, 1.0, 1.0 - limits[2])) if len(front) else 0.0
        assert found.hypervolume[s] == pytest.approx(wanted, abs=1e-13)
    sizes = [len(each.k) for each in found.front]
    assert sizes[2] == 0 and sizes[0] > 3


def test_the_cheapest_of_equals_wins():
    given = curves()
    flat = given._replace(accuracy=Estimate(np.full((4, 3, 12), 0.7), 0.0, 0.0))
    found = joint(make_options(), flat, LIMITS, allowed_grid(given.k, PARALLEL))
    cost = points_of(given).cost
    m, p, k = (int(each[0, 0]) for each in found.place)
    assert cost[m, p, k] == cost.min() and k == 0 and p == 0


def test_slots_beyond_a_cap_are_not_used():
    given, options = curves(), make_options()
    allowed = allowed_grid(given.k, PARALLEL)
    capped = joint(options, given, LIMITS, allowed, most_parallel=3)
    assert capped.feasible[:, :, :2].any() and not capped.feasible[:, :, 2].any()
    few = of_means(*(axis[:, :2] for axis in points_of(given)))
    wanted = joint(options, few, LIMITS, allowed[:2])
    for mine, theirs in zip(capped.place, wanted.place, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(capped.hypervolume, wanted.hypervolume)


def test_what_is_feasible_may_be_given():
    given, options = curves(), make_options()
    allowed = allowed_grid(given.k, PARALLEL)
    by_mean = feasible_by_mean(given, LIMITS, allowed)
    only = by_mean & (np.arange(4) == 1)[:, None, None]
    found = joint(options, given, LIMITS, allowed, feasible=only)
    assert set(found.place.model[:2].ravel()) <= {1, -1}
    np.testing.assert_array_equal(found.feasible, only)


def test_a_price_of_slots_is_part_of_the_cost():
    given = curves()
    priced = with_slots(given, 0.01)
    extra = 0.01 * PARALLEL[:, None] * given.time.mean
    np.testing.assert_allclose(priced.cost.mean, given.cost.mean + extra)
    assert np.isnan(priced.cost.sd).all() and (priced.cost.sem == 0.0).all()
    simulated = given._replace(time=given.time._replace(sem=0.1 + 0.0 * given.time.mean))
    assert np.isnan(with_slots(simulated, 0.01).cost.sem).all()
    assert with_slots(given, 0.0) is given


def test_under_the_mean_law_a_price_of_slots_does_not_depend_on_their_number(linear_curves):
    # P T is the work of all passes: the price is one of passes, and more slots stay better
    cost = with_slots(linear_curves, 1e-3).cost.mean
    np.testing.assert_allclose(cost[:, 0], cost[:, 1], rtol=1e-12)


def test_choices_describe_joint_places():
    given = curves()
    priced = with_slots(given, 1e-3)
    found = joint(make_options(), priced, LIMITS, allowed_grid(given.k, PARALLEL))
    described = choices(found.curves, LIMITS, found.place)
    assert described.k.shape == (3, 5)
    np.testing.assert_allclose(
        described.accuracy.mean[:2, 0], found.selections.accuracy_max.score[:2]
    )
    assert (described.slack.cost[:2] >= 0.0).all() and (described.k[2] == -1).all()


@pytest.mark.parametrize("slot_price", [-1.0, np.nan, np.inf])
def test_a_price_of_slots_that_means_nothing_is_refused(slot_price):
    with pytest.raises(InputError, match="`slot_price` must be finite"):
        with_slots(curves(), slot_price)


def test_a_cap_below_all_slots_is_refused():
    given, allowed = curves(), allowed_grid(np.arange(1, 13), PARALLEL)
    with pytest.raises(InputError, match="`most_parallel` must be at least the least"):
        joint(make_options(), given, LIMITS, allowed, most_parallel=0)


def test_points_keep_their_shape():
    given = curves()
    narrow = given._replace(cost=Estimate(given.cost.mean[:, :1], 0.0, 0.0))
    assert isinstance(points_of(narrow), Points)
    assert {axis.shape for axis in points_of(narrow)} == {(4, 3, 12)}
