"""The interval against its definition and its coverage."""

import numpy as np
import pytest
from scipy.stats import binom, norm

from lpo.allocate.validate.proportion import wilson
from lpo.errors import InputError


def test_ends_are_where_the_score_test_just_accepts():
    share, n = np.array([0.02, 0.3, 0.97]), 400
    z = norm.ppf(0.975)
    for end in wilson(share, n):
        assert np.abs(share - end) == pytest.approx(z * np.sqrt(end * (1 - end) / n))


def test_no_violation_in_n_leaves_room_and_all_likewise():
    low, high = wilson(np.array([0.0, 1.0]), 5000)
    z2 = norm.ppf(0.975) ** 2
    assert list(low) == pytest.approx([0.0, 5000 / (5000 + z2)])
    assert list(high) == pytest.approx([z2 / (5000 + z2), 1.0])


def test_it_covers_about_as_often_as_it_says():
    n, chance = 60, 0.13
    low, high = wilson(np.arange(n + 1) / n, n)
    covered = binom.pmf(np.arange(n + 1), n, chance)[(low <= chance) & (chance <= high)].sum()
    assert covered == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("share", "n"), [(-0.1, 5), (1.1, 5), (np.nan, 5), (0.5, 0)])
def test_bad_numbers_are_refused(share, n):
    with pytest.raises(InputError):
        wilson(np.array(share), n)
