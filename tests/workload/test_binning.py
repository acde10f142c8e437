"""Binning against a dictionary filled row by row, and the refusals."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpo.errors import InputError
from lpo.workload import binning
from lpo.workload.binning import Rows, bin_length_ns, bin_rows, on_grid, since_midnight
from lpo.workload.cells import CellError

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


def batches(times, tokens, cuts=()):
    """The rows in pieces, cut before the given rows; pieces may be empty."""
    times, tokens = np.asarray(times, np.int64), np.asarray(tokens, np.float64)
    edges = [0, *sorted(cuts), len(times)]
    return [Rows(lo, times[lo:hi], tokens[lo:hi]) for lo, hi in pairwise(edges)]


def binned(times, tokens, bin_ns, cuts=()):
    return bin_rows(batches(times, tokens, cuts), bin_ns, column="t", origin=since_midnight)


@given(data=st.data())
def test_sums_equal_a_dictionary_filled_row_by_row_however_the_rows_are_batched(data):
    n = data.draw(st.integers(1, 60))
    gaps = data.draw(st.lists(st.integers(0, 40 * SECOND), min_size=n, max_size=n))
    first = data.draw(st.integers(-3 * DAY, 3 * DAY))
    tokens = data.draw(st.lists(st.integers(0, 10**6), min_size=n, max_size=n))
    cuts = data.draw(st.lists(st.integers(0, n), max_size=4))
    bin_ns = data.draw(st.sampled_from([SECOND // 4, SECOND, 5 * SECOND, 7 * SECOND, 60 * SECOND]))
    times = [first + sum(gaps[: i + 1]) for i in range(n)]

    sums = {}
    midnight = times[0] // DAY * DAY
    edge = midnight + (times[0] - midnight) // bin_ns * bin_ns
    for time, count in zip(times, tokens, strict=True):
        place = (time - edge) // bin_ns
        sums[place] = sums.get(place, 0) + count
    expected = [sums.get(place, 0) for place in range(max(sums) + 1)]

    result = binned(times, tokens, bin_ns, cuts)
    np.testing.assert_array_equal(result.tokens, expected)
    assert result.tokens.dtype == np.float64
    assert result.rows == n
    assert result.empty_bins == len(expected) - len(sums)
    assert result.start_ns == edge


def test_a_time_on_an_edge_opens_the_bin_to_its_right():
    result = binned([0, 5 * SECOND - 1, 5 * SECOND], [1, 2, 4], 5 * SECOND)
    np.testing.assert_array_equal(result.tokens, [3, 4])


def test_a_bin_of_requests_without_tokens_is_not_empty():
    result = binned([0, SECOND, 3 * SECOND], [5, 0, 5], SECOND)
    np.testing.assert_array_equal(result.tokens, [5, 0, 0, 5])
    assert result.empty_bins == 1


def test_bins_that_do_not_divide_a_day_are_counted_from_the_first_midnight():
    time = 3 * DAY + 20 * SECOND
    assert since_midnight(time, 7 * SECOND) == 3 * DAY + 14 * SECOND


def test_many_bins_grow_the_grid_without_losing_any():
    times = np.arange(5000) * 3 * SECOND
    result = binned(times, np.arange(5000), SECOND, cuts=[1, 2000, 2001])
    np.testing.assert_array_equal(result.tokens[::3], np.arange(5000))
    assert result.tokens.sum() == np.arange(5000).sum()
    assert result.empty_bins == 2 * 4999


@pytest.mark.parametrize("cuts", [(), (2,), (3,)])
def test_a_time_before_the_row_above_is_refused_also_across_batches(cuts):
    with pytest.raises(CellError, match="earlier than the row above") as error:
        binned([3, 5, 9, 8, 1], np.ones(5), SECOND, cuts)
    assert (error.value.row, error.value.column) == (3, "t")


def test_a_corrupted_year_is_refused_before_memory_is_asked_for():
    times = [0, SECOND, 100 * 365 * DAY]
    with pytest.raises(CellError, match="20,000,000 bins of 5 s") as error:
        binned(times, [1, 1, 1], 5 * SECOND)
    assert error.value.row == 2


def test_the_last_bin_allowed_is_filled_and_the_next_refused(monkeypatch):
    monkeypatch.setattr(binning, "MAX_BINS", 10)
    assert len(binned([0, 10 * SECOND - 1], [1, 1], SECOND).tokens) == 10
    with pytest.raises(CellError, match="10 bins"):
        binned([0, 10 * SECOND], [1, 1], SECOND)


def test_times_at_both_ends_of_the_calendar_are_refused_and_do_not_wrap():
    with pytest.raises(CellError, match="bins of 1 s"):
        binned([-9 * 10**18, 9 * 10**18], [1, 1], SECOND)


def test_the_first_of_two_faults_is_named():
    with pytest.raises(CellError, match="earlier") as error:
        binned([10, 5, 10**18], [1, 1, 1], SECOND)
    assert error.value.row == 1


@pytest.mark.parametrize("bin_s", [0.0, -5.0, float("nan"), float("inf"), 1e-9, 1e9])
def test_lengths_that_are_none_are_refused(bin_s):
    with pytest.raises(InputError, match="bin_s"):
        bin_length_ns(bin_s)


def test_a_tenth_of_a_second_is_exact():
    bin_ns = bin_length_ns(0.1)
    result = binned(np.rint(np.arange(1000) * 0.1 * SECOND), np.ones(1000), bin_ns)
    np.testing.assert_array_equal(result.tokens, np.ones(1000))


def regular(times, bin_ns, cuts=()):
    rows = on_grid(batches(times, np.ones(len(times)), cuts), bin_ns, column="t")
    return bin_rows(rows, bin_ns, column="t", origin=lambda first, _: first)


def test_a_gap_of_whole_bins_in_a_series_becomes_counted_zeros():
    result = regular([7, 12, 27], 5, cuts=[2])
    np.testing.assert_array_equal(result.tokens, [1, 1, 0, 0, 1])
    assert result.empty_bins == 2


@pytest.mark.parametrize(
    ("times", "row", "problem"),
    [
        ([0, 5, 5, 10], 2, "repeats"),
        ([0, 5, 11, 15], 2, "off the grid"),
        ([0, 5, 0, 5], 2, "earlier"),
        ([0, 60, 120], 1, "closest rows"),
    ],
)
@pytest.mark.parametrize("cuts", [(), (1,), (2,)])
def test_a_series_that_is_not_one_row_a_bin_is_refused(times, row, problem, cuts):
    with pytest.raises(CellError, match=problem) as error:
        regular(times, 5, cuts)
    assert error.value.row == row
