"""Volumes against moocore and pymoo, by hand, and what must not change them."""

import moocore
import numpy as np
import pytest
from pymoo.indicators.hv import HV

from lpo.errors import InputError
from lpo.optim.hypervolume import hypervolume


def sets(d):
    rng = np.random.default_rng(d)
    shell = np.abs(rng.normal(size=(40, d)))
    return [
        1.2 * rng.random((60, d)),  # some beyond the reference
        rng.integers(0, 6, (60, d)) / 5.0,  # equal coordinates, points on the reference
        1.0 - shell / np.linalg.norm(shell, axis=1, keepdims=True),
    ]


@pytest.mark.parametrize("d", [2, 3, 4, 5])
def test_other_libraries_agree(d):
    reference = np.ones(d)
    for points in sets(d):
        found = hypervolume(points, reference)
        assert found == pytest.approx(moocore.hypervolume(points, ref=reference), abs=1e-13)
        assert found == pytest.approx(HV(ref_point=reference)(points), abs=1e-13)


@pytest.mark.parametrize("d", [2, 3, 4, 5])
def test_inclusion_and_exclusion_agrees(d):
    rng = np.random.default_rng(10 + d)
    points, reference = rng.random((7, d)), np.full(d, 1.1)
    wanted = 0.0
    for chosen in range(1, 2**7):
        members = points[[bool(chosen >> i & 1) for i in range(7)]]
        sign = -1.0 if len(members) % 2 == 0 else 1.0
        wanted += sign * np.prod(reference - members.max(0))
    assert hypervolume(points, reference) == pytest.approx(wanted, abs=1e-13)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
def test_the_order_of_points_and_objectives_does_not_matter(d):
    rng = np.random.default_rng(20 + d)
    points, reference = rng.random((30, d)), 1.0 + rng.random(d)
    found = hypervolume(points, reference)
    order, axes = rng.permutation(30), rng.permutation(d)
    assert hypervolume(points[order][:, axes], reference[axes]) == pytest.approx(found, rel=1e-13)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_points_that_are_dominated_or_beyond_the_reference_add_nothing(d):
    rng = np.random.default_rng(30 + d)
    points, reference = rng.random((20, d)), np.ones(d)
    found = hypervolume(points, reference)
    beyond = np.where(np.eye(d, dtype=bool), 1.0, -5.0)
    for more in (beyond, points + 0.001, points, np.full((1, d), np.inf)):
        assert hypervolume(np.concatenate([points, more]), reference) == pytest.approx(
            found, rel=1e-13
        )


def test_by_hand():
    assert hypervolume([[0.0, 0.5], [0.5, 0.0]], [1.0, 1.0]) == 0.75
    assert hypervolume([[0.25]], [1.0]) == 0.75
    assert hypervolume([[0.0, 0.0, 0.0, 0.0]], [1.0, 2.0, 3.0, 4.0]) == 24.0
    three = [[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]
    assert hypervolume(three, [1.0, 1.0, 1.0]) == pytest.approx(0.5)
    assert hypervolume([[2.0, 0.0]], [1.0, 1.0]) == 0.0
    assert hypervolume(np.zeros((0, 3)), [1.0, 1.0, 1.0]) == 0.0
    assert hypervolume([[-np.inf, 0.0], [0.0, 0.5]], [1.0, 1.0]) == np.inf


@pytest.mark.parametrize(
    ("points", "reference", "message"),
    [
        ([[1.0, np.nan]], [2.0, 2.0], "holds a NaN"),
        ([1.0, 2.0], [2.0, 2.0], "`points`"),
        ([[1.0, 2.0]], [2.0], "`reference` must be 2 finite"),
        ([[1.0, 2.0]], [2.0, np.inf], "`reference` must be 2 finite"),
    ],
)
def test_bad_input_is_refused(points, reference, message):
    with pytest.raises(InputError, match=message):
        hypervolume(points, reference)
