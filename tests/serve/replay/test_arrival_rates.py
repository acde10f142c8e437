"""Rates by windows: every arrival counts once, and nothing is known before it happens."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve.replay import measured_rates, window_counts, window_edges


def test_windows_cover_the_time_and_the_last_may_be_shorter():
    assert window_edges(25.0, 10.0).tolist() == [0.0, 10.0, 20.0, 25.0]
    assert window_edges(0.3, 0.1) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert window_edges(3.0, 10.0).tolist() == [0.0, 3.0]
    with pytest.raises(InputError, match="`window_s`"):
        window_edges(3.0, 0.0)


def test_every_arrival_is_counted_once():
    time_s = np.array([0.0, 9.9, 10.0, 19.0, 25.0])
    counts = window_counts(time_s, np.array([0, 1, 1, 0, 1]), 2, np.array([0.0, 10.0, 20.0, 25.0]))
    assert counts.tolist() == [[1, 1], [1, 1], [0, 1]]


def test_the_average_is_exponentially_weighted():
    counts = np.array([[10, 0], [20, 0], [5, 5]])
    rates = measured_rates(counts, 10.0, np.array([3.0, 1.0]), weight=0.25, least=0.0)
    assert rates[0] == pytest.approx([3.0, 1.0])
    assert rates[1] == pytest.approx([0.75 * 3.0 + 0.25, 0.75])
    assert rates[2] == pytest.approx([0.75 * 2.5 + 0.5, 0.5625])


def test_a_rate_knows_nothing_of_its_own_window_or_later_ones():
    counts = np.random.default_rng(0).poisson(5.0, (6, 3))
    rates = measured_rates(counts, 10.0, np.ones(3))
    for k in range(6):
        other = counts.copy()
        other[k:] += 7
        assert np.array_equal(measured_rates(other, 10.0, np.ones(3))[: k + 1], rates[: k + 1])
        assert k == 5 or not np.array_equal(measured_rates(other, 10.0, np.ones(3)), rates)


def test_a_class_that_does_not_come_is_still_reckoned_with():
    rates = measured_rates(np.zeros((50, 1), int), 10.0, np.array([2.0]), weight=1.0, least=0.5)
    assert rates[1:] == pytest.approx(np.full((49, 1), 0.05))
    with pytest.raises(InputError, match="`weight`"):
        measured_rates(np.zeros((1, 1)), 10.0, np.ones(1), weight=0.0)
