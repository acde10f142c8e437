"""Evenly spaced windows, against their definition."""

import numpy as np
import pytest

from lpo.workload.cutting import Cutting, evenly, scored_windows, target_clock
from lpo.workload.windows import Layout, cut, pairs


@pytest.mark.parametrize("most", [1, 2, 3, 7, 99, 100])
def test_evenly_spaced_places_are_distinct_and_symmetric(most):
    places = evenly(100, most)
    assert len(places) == most and places[0] >= 0 and places[-1] < 100
    steps = np.diff(places)
    assert most == 1 or (steps.min() >= 1 and steps.max() - steps.min() <= 1)
    # the middles of equal parts: as much is left before the first as after the last
    assert abs(places[0] - (99 - places[-1])) <= 1


@pytest.mark.parametrize("most", [None, 10, 11])
def test_few_places_are_all_taken(most):
    np.testing.assert_array_equal(evenly(10, most), np.arange(10))
    assert len(evenly(0, most)) == 0


def test_capped_windows_are_some_of_all_and_clocks_are_of_the_same_targets():
    bins, layout = np.arange(500.0), Layout(window=9, context=4, lead=3, horizon=2)
    cutting = Cutting(layout, stride=2, most=20)
    windows, every = scored_windows(bins, cutting), cut(bins, layout, 2)
    np.testing.assert_array_equal(windows, every[evenly(len(every), 20)])
    clock = target_clock(10 * bins, cutting)
    np.testing.assert_array_equal(clock, 10 * pairs(windows, layout)[1])
    assert clock.shape == (20, 2, 2)
