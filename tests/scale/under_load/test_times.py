"""Times that were not over when the run ended."""

import numpy as np
import pytest

from lpo.scale.under_load.times import Times, law_of, longest_of_waves, moments_of


def test_complete_times_have_their_own_moments():
    seconds = np.random.default_rng(0).exponential(size=300)
    found = moments_of(Times(seconds, np.ones(300, bool)))
    assert found == pytest.approx((seconds.mean(), seconds.std()), rel=1e-12)


def test_the_product_limit_by_hand():
    """1 known of 5 at risk; 3 cut off; 4 known of 3 at risk; what is left is put on the longest."""
    seconds = np.array([4.0, 1.0, 6.0, 3.0, 5.0])
    law = law_of(Times(seconds, np.array([True, True, False, False, False])))
    np.testing.assert_allclose(law.output, [1.0, 4.0, 6.0])
    np.testing.assert_allclose(law.weight, [1 / 5, 4 / 15, 8 / 15])
    assert (law.prompt == 0.0).all()


def test_times_that_are_cut_off_do_not_shift_the_mean():
    rng = np.random.default_rng(1)
    times, cut = rng.uniform(0.0, 2.0, 40_000), rng.uniform(0.0, 4.0, 40_000)
    known = times <= cut
    assert known.mean() < 0.8
    mean, sd = moments_of(Times(np.minimum(times, cut), known))
    assert mean == pytest.approx(1.0, rel=0.01)
    assert sd == pytest.approx(2.0 / np.sqrt(12.0), rel=0.01)


def test_nothing_has_no_mean():
    assert np.isnan(moments_of(Times(np.zeros(0), np.zeros(0, bool)))).all()


def test_a_wave_takes_as_long_as_its_longest_pass():
    seconds = np.array([1.0, 5.0, 2.0, 3.0, 4.0])
    known = np.array([True, True, True, False, True])
    found = longest_of_waves(Times(seconds, known), np.array([0, 1, 0, 2, 2]), np.array([2, 1, 2]))
    np.testing.assert_array_equal(found.seconds, [2.0, 5.0, 4.0])
    np.testing.assert_array_equal(found.known, [True, True, False])
