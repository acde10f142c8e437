"""What keeps limits, in the mean and by chance, by hand and by another formula."""

import numpy as np
import pytest
from scipy.optimize import brentq

from lpo.errors import InputError
from lpo.scale.curves import Curves, Estimate, Limits
from lpo.scale.select import allowed_grid, feasible_by_chance, feasible_by_mean


def curves(cost, time, accuracy, **more):
    cost, time, accuracy = (np.asarray(mean, float) for mean in (cost, time, accuracy))
    _, p, K = np.broadcast_shapes(cost.shape, time.shape, accuracy.shape)
    return Curves(
        np.arange(1, K + 1),
        np.arange(1, p + 1),
        Estimate(cost, 0.0, 0.0),
        Estimate(time, 0.0, 0.0),
        Estimate(accuracy, 0.0, 0.0),
        **more,
    )


def test_grids():
    k, parallel = np.arange(1, 9), [1, 3, 4]
    assert allowed_grid(k, parallel).shape == (3, 8) and allowed_grid(k, parallel).all()
    found = allowed_grid(k, parallel, "multiples_of_p")
    assert [list(k[row]) for row in found] == [list(k), [3, 6], [4, 8]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [0]), "`parallel` must be whole numbers >= 1"),
        (([0, 2], [1]), "`k` must be whole numbers >= 1"),
        ((3, [1]), "`k` must be whole numbers >= 1"),
        (([1], [1], "some"), "`grid` must be one of all, multiples_of_p"),
    ],
)
def test_grids_without_meaning_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        allowed_grid(*arguments)


def test_all_three_limits_are_kept_in_every_scenario():
    k = np.arange(1, 6)
    found = feasible_by_mean(
        curves([[1.0 * k]], [[6.0 - k, 0.5 * k]], [[0.1 * k]]),
        Limits(np.array([4.0, 9.0]), np.array([3.0, 9.0]), np.array([0.2, 0.5])),
        np.array([[True] * 5, [True, True, False, True, True]]),
    )
    assert found.shape == (2, 1, 2, 5)
    assert [list(k[row]) for row in found[0, 0]] == [[3, 4], [2, 4]]
    assert [list(k[row]) for row in found[1, 0]] == [[5], [5]]


def test_rounding_is_no_violation():
    assert 3 * 0.1 > 0.3
    found = feasible_by_mean(
        curves([[[0.1 * 3]]], [[[0.1 * 3]]], [[[0.3]]]), Limits(0.3, 0.3, 0.1 * 3), [[True]]
    )
    assert found.all()
    above = curves([[[0.3 + 1e-9]]], [[[0.1]]], [[[0.5]]])
    assert not feasible_by_mean(above, Limits(0.3, 0.3, 0.1), [[True]]).any()


def test_shares_of_trials_and_their_intervals():
    met = np.array([0, 90, 94, 95, 100]).reshape(1, 1, 1, 5)
    given = curves([[np.ones(5)]], [[np.ones(5)]], [[np.ones(5)]], trials=100, met=met)
    found = feasible_by_chance(given, 0.05)
    assert list(found.feasible[0, 0, 0]) == [False, False, False, True, True]
    np.testing.assert_allclose(found.share.ravel(), [0.0, 0.9, 0.94, 0.95, 1.0])
    # ends of the score interval are where the share is 1.96 standard deviations away
    z = 1.959963984540054
    for share, low, high in zip(found.share.flat, found.low.flat, found.high.flat, strict=True):

        def away(p, share=share):
            return (share - p) ** 2 - z**2 * p * (1.0 - p) / 100

        if share > 0.0:
            assert low == pytest.approx(brentq(away, 1e-12, share - 1e-9), abs=1e-9)
        if share < 1.0:
            assert high == pytest.approx(brentq(away, share + 1e-9, 1.0 - 1e-12), abs=1e-9)
    assert found.likeliest.tolist() == [[[4]]]
    allowed = np.array([[True, True, True, True, False]])
    assert not feasible_by_chance(given, 0.05, allowed).feasible[..., 4].any()
    assert feasible_by_chance(given, 0.05, allowed).likeliest.tolist() == [[[3]]]
    assert feasible_by_chance(given, 0.05, np.zeros((1, 5), bool)).likeliest.tolist() == [[[-1]]]


@pytest.mark.parametrize("eps", [0.01, 0.05, 0.1, 0.3])
def test_a_share_of_exactly_one_less_eps_is_enough(eps):
    trials = 1000
    met = np.array([round(trials * (1 - eps)) - 1, round(trials * (1 - eps))]).reshape(1, 1, 1, 2)
    given = curves([[np.ones(2)]], [[np.ones(2)]], [[np.ones(2)]], trials=trials, met=met)
    assert feasible_by_chance(given, eps).feasible.ravel().tolist() == [False, True]


@pytest.mark.parametrize(
    ("more", "eps", "message"),
    [
        ({}, 0.05, "count trials"),
        ({"trials": 10, "met": np.ones((1, 1, 1, 1))}, 0.0, "`eps` must be in"),
        ({"trials": 10, "met": np.ones((1, 1, 1, 1))}, 1.0, "`eps` must be in"),
    ],
)
def test_chances_without_meaning_are_refused(more, eps, message):
    with pytest.raises(InputError, match=message):
        feasible_by_chance(curves([[[1.0]]], [[[1.0]]], [[[1.0]]], **more), eps)
