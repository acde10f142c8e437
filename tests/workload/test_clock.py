"""The time of day of bins, by the calendar of the standard library."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from lpo.workload.clock import second_of_day
from lpo.workload.series import Series


def series(start, bins=4_000, bin_s=60.0):
    return Series("x", np.ones(bins), bin_s, start, None)


@pytest.mark.parametrize("start", ["2024-06-01T00:00:00", "2023-11-16T18:15:45"])
@pytest.mark.parametrize("bin_s", [5.0, 60.0, 0.5])
def test_seconds_are_those_of_the_calendar(start, bin_s):
    mine = series(start, bin_s=bin_s)
    found = second_of_day(mine, mine)
    for i in (0, 1, 1_339, 3_999):
        moment = datetime.fromisoformat(start) + timedelta(seconds=i * bin_s)
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        assert found[i] == (moment - midnight).total_seconds()


def test_a_reference_without_a_start_counts_from_its_first_bin():
    mine = series(None)
    found = second_of_day(mine, mine)
    assert found[0] == 0 and found[59] == 59 * 60
    np.testing.assert_array_equal(found[1_440:], found[:-1_440])  # a day apart, the same hour


@pytest.mark.parametrize(
    ("start", "reference", "known"),
    [
        ("2024-06-01T12:00:00", "2023-01-01T00:00:00", True),
        ("2024-06-01T12:00:00Z", "2023-01-01T00:00:00Z", True),
        ("2024-06-01T12:00:00Z", "2023-01-01T00:00:00", False),
        ("2024-06-01T12:00:00", None, False),
        (None, "2023-01-01T00:00:00", False),
        (None, None, False),
    ],
)
def test_another_series_needs_a_clock_that_can_be_compared(start, reference, known):
    found = second_of_day(series(start), series(reference))
    assert np.isnan(found).all() != known
    assert not known or found[0] == 12 * 3600
