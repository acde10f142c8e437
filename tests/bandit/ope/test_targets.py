"""Tables of target policies."""

import numpy as np
import pytest

from lpo.bandit.ope.log import make_log
from lpo.bandit.ope.targets import (
    always,
    check_policy,
    epsilon_greedy,
    greedy,
    linear_greedy,
    softmax,
    uniform,
)
from lpo.errors import InputError

VALUES = [[0.0, 2.0, 1.0], [3.0, 3.0, 0.0]]
LOG = make_log([[1.0, 0.0], [0.5, 2.0]], [0, 1], [0, 0], [1, 1], action_names=["a", "b", "7"])


def test_tables():
    np.testing.assert_array_equal(always(LOG, "b"), [[0, 1, 0]] * 2)
    np.testing.assert_array_equal(always(LOG, 7), [[0, 0, 1]] * 2)
    np.testing.assert_array_equal(uniform(LOG), np.full((2, 3), 1 / 3))
    np.testing.assert_array_equal(greedy(VALUES), [[0, 1, 0], [1, 0, 0]])  # the first of equals
    mixed = [[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]]
    np.testing.assert_allclose(epsilon_greedy(VALUES, 0.3), mixed)
    odds = softmax(VALUES, 0.5)
    np.testing.assert_allclose(odds.sum(1), 1.0)
    assert np.log(odds[0, 1] / odds[0, 2]) == pytest.approx((2.0 - 1.0) / 0.5)
    theta = [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    np.testing.assert_array_equal(linear_greedy(LOG, theta), [[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: always(LOG, "c"), "`action` must be one of a, b, 7, got 'c'."),
        (lambda: greedy([[np.nan, 1.0]]), "`values` must be [n, K] without NaN"),
        (lambda: epsilon_greedy(VALUES, 1.5), "`epsilon` must be between 0 and 1, got 1.5."),
        (lambda: softmax(VALUES, 0.0), "`temperature` must be above 0, got 0.0."),
        (lambda: linear_greedy(LOG, np.ones((2, 3))), "`theta` must be [3, 2], got (2, 3)."),
        (lambda: check_policy(LOG, "p", np.ones((2, 2))), "a column for each of a, b, 7; got (2"),
        (
            lambda: check_policy(LOG, "p", [[1, 0, 0], [1.5, -0.5, 0]]),
            "policy `p`, [1, 0]: must be a probability, got 1.5.",
        ),
        (
            lambda: check_policy(LOG, "p", [[1, 0, 0], [0.5, 0.4, 0]]),
            "policy `p`, row 1: must sum to 1, sums to 0.9.",
        ),
        (lambda: check_policy(LOG, "p", np.full((2, 3), np.nan)), "must be a probability, got nan"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert message in str(error.value)
