"""When passes arrive, and how long they are."""

import numpy as np
import pytest

from lpo.scale.passes import make_pairs
from lpo.scale.under_load.bursts import Lengths, bursts, long_tokens, query_times

LENGTHS = Lengths(1000.0, 50.0, 2000.0, 100.0)


def test_passes_up_to_p_come_with_their_query():
    found = bursts(LENGTHS, 2.0, 500.0, 3, 4, [0, 0])
    times = query_times(2.0, 500.0, [0, 0])
    assert abs(len(times) - 1000) < 4 * np.sqrt(1000)
    np.testing.assert_array_equal(found.requests.arrival_s, np.repeat(times, 3))
    np.testing.assert_array_equal(found.size, 3)
    np.testing.assert_array_equal(found.wave, np.repeat(np.arange(len(times)), 3))


def test_waves_after_the_first_come_as_often_at_times_of_their_own():
    found = bursts(LENGTHS, 2.0, 500.0, 11, 4, [0, 0])
    times = query_times(2.0, 500.0, [0, 0])
    assert len(found.wave) == 11 * len(times)
    assert sorted(set(found.size.tolist())) == [3, 4]
    assert (found.size == 4).sum() == 2 * len(times)
    at = np.full(len(found.size), np.nan)
    at[found.wave] = found.requests.arrival_s
    np.testing.assert_array_equal(found.requests.arrival_s, at[found.wave])  # of a wave together
    np.testing.assert_array_equal(at[: len(times)], times)
    first, second = at[: len(times)], at[len(times) : 2 * len(times)]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.15
    assert (np.diff(found.requests.arrival_s) >= 0.0).all()
    halves = np.histogram(second, [0.0, 250.0, 500.0])[0]
    assert abs(halves[0] - halves[1]) < 4 * np.sqrt(len(times))


def test_a_pass_is_as_long_whatever_k_is():
    few, many = (bursts(LENGTHS, 1.0, 100.0, k, 8, [1, 2]) for k in (2, 5))
    rows = [one.requests.decode.reshape(-1, k) for one, k in ((few, 2), (many, 5))]
    np.testing.assert_array_equal(rows[0], rows[1][:, :2])
    assert (few.requests.arrival_s[::2] == many.requests.arrival_s[::5]).all()
    other = bursts(LENGTHS, 1.0, 100.0, 2, 8, [1, 3])
    assert not np.array_equal(other.requests.arrival_s, few.requests.arrival_s)


def test_lengths():
    drawn = bursts(LENGTHS, 100.0, 100.0, 1, 1, [0]).requests
    assert drawn.prompt.mean() == pytest.approx(1000.0, abs=2.5)
    assert drawn.decode.std() == pytest.approx(100.0, rel=0.05)
    clipped = bursts(Lengths(2.0, 5.0, 60.0, 50.0), 100.0, 100.0, 1, 1, [0]).requests
    assert clipped.prompt.min() == 1 and clipped.prompt.max() <= 32
    assert (clipped.decode <= 16 * clipped.prompt + 8).all()  # rounded after the clip
    pairs = make_pairs([5.0, 9.0], [0.0, 70.0], [1.0, 3.0])
    drawn = bursts(Lengths(1.0, 0.0, 1.0, 0.0, pairs), 100.0, 100.0, 1, 1, [0]).requests
    assert set(zip(drawn.prompt.tolist(), drawn.decode.tolist(), strict=True)) == {(5, 1), (9, 70)}
    assert (drawn.prompt == 9).mean() == pytest.approx(0.75, abs=0.03)


def test_long_tokens():
    assert long_tokens(LENGTHS) == (1155, 2309)
    rare = make_pairs([5.0, 9.0, 7.0], [10.0, 700.0, 90.0], [0.5, 0.0005, 0.4995])
    assert long_tokens(Lengths(1.0, 0.0, 1.0, 0.0, rare)) == (7, 90)
