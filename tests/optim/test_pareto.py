"""Fronts against every pair of points, moocore and pymoo, and by hand."""

import moocore
import numpy as np
import pytest
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

from lpo.errors import InputError
from lpo.optim.pareto import additive_epsilon, crowding_distance, efficient, ideal, nadir


def sets(d):
    rng = np.random.default_rng(d)
    shell = np.abs(rng.normal(size=(200, d)))
    return [
        rng.random((300, d)),
        rng.integers(0, 4, (300, d)).astype(float),  # many equal coordinates and points
        1.0 - shell / np.linalg.norm(shell, axis=1, keepdims=True),
        rng.random((1, d)),
    ]


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
def test_every_pair_and_another_library_agree(d):
    for points in sets(d):
        as_good = (points[:, None] <= points).all(-1)
        better = (points[:, None] < points).any(-1)
        wanted = ~(as_good & better).any(0)
        found = efficient(points)
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(found, moocore.is_nondominated(points, keep_weakly=True))


def test_many_blocks_of_efficient_points():
    rng = np.random.default_rng(0)
    shell = np.abs(rng.normal(size=(3000, 3)))
    shell = 1.0 - shell / np.linalg.norm(shell, axis=1, keepdims=True)
    points = rng.permutation(np.concatenate([shell, shell + 0.001 * rng.random(shell.shape)]))
    np.testing.assert_array_equal(
        efficient(points), moocore.is_nondominated(points, keep_weakly=True)
    )


def test_the_order_of_points_and_objectives_does_not_matter():
    rng = np.random.default_rng(1)
    points = rng.integers(0, 6, (100, 4)).astype(float)
    order, axes = rng.permutation(100), rng.permutation(4)
    np.testing.assert_array_equal(efficient(points)[order], efficient(points[order][:, axes]))


def test_senses():
    rng = np.random.default_rng(2)
    points = rng.random((100, 3))
    signs = np.array([1.0, -1.0, 1.0])
    np.testing.assert_array_equal(efficient(points, (-1, 1, -1)), efficient(points * signs))
    np.testing.assert_array_equal(
        efficient(points, (1, 1, 1)),
        moocore.is_nondominated(points, maximise=True, keep_weakly=True),
    )


def test_equal_points_are_all_kept():
    points = [[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [2.0, 2.0], [-0.0, 9.0], [0.0, 9.0]]
    assert list(efficient(points)) == [True, True, True, False, True, True]


def test_infinite_values_are_values():
    assert list(efficient([[0.0, np.inf], [np.inf, 0.0], [np.inf, 1.0]])) == [True, True, False]


def test_no_points():
    assert efficient(np.zeros((0, 3))).shape == (0,)


def test_ideal_and_nadir():
    points = [[1.0, 4.0], [2.0, 2.0], [4.0, 1.0], [9.0, 9.0]]
    assert list(ideal(points)) == [1.0, 1.0]
    assert list(nadir(points)) == [4.0, 4.0]
    assert list(ideal(points, (1, -1))) == [9.0, 1.0]
    assert list(nadir(points, (1, -1))) == [4.0, 9.0]


def test_crowding_against_pymoo():
    rng = np.random.default_rng(3)
    for d in (2, 3, 4):
        points = rng.random((50, d))
        # pymoo takes the mean over objectives
        wanted = calc_crowding_distance(points) * d
        np.testing.assert_allclose(crowding_distance(points), wanted)


def test_crowding_by_hand():
    points = np.array([[0.0, 3.0, 7.0], [1.0, 1.0, 7.0], [4.0, 0.0, 7.0]])
    np.testing.assert_allclose(crowding_distance(points), [np.inf, 2.0, np.inf])
    assert list(crowding_distance([[1.0, 1.0], [1.0, 1.0]])) == [0.0, 0.0]


def test_additive_epsilon_against_moocore():
    rng = np.random.default_rng(4)
    for d in (2, 3, 5):
        ours, theirs = rng.random((30, d)), rng.random((40, d))
        wanted = moocore.epsilon_additive(ours, ref=theirs)
        assert additive_epsilon(ours, theirs) == pytest.approx(wanted, abs=1e-14)
        assert additive_epsilon(ours, ours) == 0.0
        assert additive_epsilon(ours + 0.25, ours) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: efficient([1.0, 2.0]), "`points` must be numbers"),
        (lambda: efficient(np.zeros((3, 0))), "`points` must be numbers"),
        (lambda: efficient([[1.0, np.nan]]), "holds a NaN"),
        (lambda: efficient([[1.0, 2.0]], (1, 0)), "`senses`"),
        (lambda: efficient([[1.0, 2.0]], (1,)), "`senses`"),
        (lambda: ideal(np.zeros((0, 2))), "`points` must be at least one"),
        (lambda: nadir(np.zeros((0, 2))), "`points` must be at least one"),
        (lambda: additive_epsilon([[1.0]], np.zeros((0, 1))), "`others` must be at least one"),
        (lambda: additive_epsilon([[1.0]], [[1.0, 2.0]]), "equally many objectives"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
