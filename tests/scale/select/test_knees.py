"""Curvatures and distances of curves of which both are known."""

import jax
import numpy as np
import pytest

from lpo.scale.select import knees
from lpo.scale.select.front import along
from tests.quick import jit

chord_distance = jit(knees.chord_distance)
curvature_of = jit(knees.curvature)


def curvature(x, along=None):
    return np.asarray(curvature_of(x, along))


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def uneven(low, high, size=400, seed=0):
    """Between even and four times as far apart as even."""
    steps = np.random.default_rng(seed).uniform(0.25, 1.0, size).cumsum()
    return low + (high - low) * (steps - steps[0]) / (steps[-1] - steps[0])


def tilted(x, y, z=0.0):
    """In no plane of the axes."""
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    return turn @ np.stack(np.broadcast_arrays(x, y, z))


@pytest.mark.parametrize("by_length", [False, True])
@pytest.mark.parametrize("radius", [0.1, 1.0, 30.0])
def test_a_circle_has_one_over_its_radius(radius, by_length):
    angle = uneven(0.3, 2.0)
    x = tilted(radius * np.cos(angle), radius * np.sin(angle))
    found = curvature(x, None if by_length else angle)
    np.testing.assert_allclose(found[1:-1], 1.0 / radius, rtol=1e-4)
    assert found[0] == found[-1] == 0.0


def test_a_finer_grid_comes_closer():
    errors = []
    for size in (50, 100, 200):
        angle = uneven(0.3, 2.0, size, seed=2)
        x = tilted(np.cos(angle), np.sin(angle))
        errors.append(np.abs(curvature(x, angle)[1:-1] - 1.0).max())
    assert errors[0] > 3.0 * errors[1] > 9.0 * errors[2]  # by squares of the steps


def test_a_helix_bends_out_of_the_plane():
    angle = uneven(0.0, 9.0, 2000)
    x = tilted(2.0 * np.cos(angle), 2.0 * np.sin(angle), 0.5 * angle)
    found = curvature(x, angle)
    np.testing.assert_allclose(found[1:-1], 2.0 / (4.0 + 0.25), rtol=1e-3)


@pytest.mark.parametrize("by_length", [False, True])
def test_a_line_does_not_bend(by_length):
    at = uneven(0.0, 1.0)
    x = tilted(3.0 * at, 1.0 - at, 2.0 * at)
    found = curvature(x, None if by_length else at)
    np.testing.assert_allclose(found, 0.0, atol=1e-9)


def test_the_linear_law_bends_as_its_accuracy_does():
    # kappa = s |A''| / (s^2 + A'^2)^(3/2), s the length of the slopes of cost and time
    k = np.arange(1.0, 60.0, 0.25)
    accuracy = 1.0 - np.exp(-0.1 * k)
    first, second = 0.1 * np.exp(-0.1 * k), -0.01 * np.exp(-0.1 * k)
    s = np.hypot(0.01, 0.02)
    wanted = s * np.abs(second) / (s**2 + first**2) ** 1.5
    x = np.stack([0.01 * k, 0.02 * k, accuracy])
    np.testing.assert_allclose(curvature(x, k)[1:-1], wanted[1:-1], rtol=1e-3)


def test_a_curve_that_stays_or_turns_back_has_finite_curvature():
    stays = tilted(np.array([0.0, 1.0, 1.0, 1.0, 2.0]), np.array([0.0, 0.0, 0.0, 0.0, 1.0]))
    back = tilted(np.array([0.0, 1.0, 0.0]), 0.0)
    k = np.arange(5.0)
    for found in (curvature(stays, k), curvature(stays), curvature(back, k[:3]), curvature(back)):
        assert np.isfinite(found).all()
    assert list(curvature(np.ones((3, 2)))) == [0.0, 0.0]


def test_the_distance_of_a_half_circle_from_its_chord_is_its_height():
    angle = uneven(0.0, np.pi)
    found = chord_distance(tilted(5.0 * np.cos(angle), 5.0 * np.sin(angle)))
    np.testing.assert_allclose(found, 5.0 * np.sin(angle), atol=1e-12)


def test_where_both_ends_are_one_point_the_distance_is_from_it():
    found = chord_distance(tilted(np.array([1.0, 4.0, 1.0]), np.array([0.0, 4.0, 0.0])))
    np.testing.assert_allclose(found, [0.0, 5.0, 0.0], atol=1e-12)


def test_the_way_along_a_front():
    way = jit(along)
    order, last = way(np.array([False, True, False, True, True, False]))
    assert order.tolist() == [1, 3, 4, 4, 4, 4] and last == 4
    assert way(np.zeros(6, bool))[1] == -1
