"""Arrays to logs, and every refusal with its place."""

from typing import Any

import numpy as np
import pytest

from lpo.bandit.ope.log import make_log
from lpo.errors import InputError

GIVEN: dict[str, Any] = {
    "contexts": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
    "actions": [0, 2, 0],
    "rewards": [0.5, -1.0, 2.0],
    "propensities": [0.5, 1.0, 0.1],
}


def test_names_are_numbers_unless_given():
    log = make_log(**GIVEN)
    assert log.action_names == ("0", "1", "2")
    assert log.context_names == ("x0", "x1")
    assert log.actions.dtype == np.int64
    named = make_log(**GIVEN, action_names=list("abcd"), context_names=["u", "v"])
    assert (named.action_names, named.context_names) == (("a", "b", "c", "d"), ("u", "v"))


def test_a_log_may_have_no_context():
    given: dict[str, Any] = GIVEN | {"contexts": [[], [], []]}
    assert make_log(**given).contexts.shape == (3, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contexts": [1.0, 2.0, 3.0]}, "`contexts` must be [n, c] with n at least 1, got (3,)."),
        ({"contexts": np.empty((0, 2))}, "`contexts` must be [n, c] with n at least 1, got (0, 2)"),
        ({"contexts": [["a"]]}, "`contexts` must be an array of numbers."),
        ({"actions": [0, 1]}, "`actions` must be [3], a row of contexts each, got (2,)."),
        ({"rewards": [[1.0]] * 3}, "`rewards` must be [3], a row of contexts each, got (3, 1)."),
        ({"contexts": [[1, 2], [3, np.nan], [5, 6]]}, "`contexts[1, 1]`: must be finite, got nan."),
        ({"rewards": [1.0, 2.0, np.inf]}, "`rewards[2]`: must be finite, got inf."),
        (
            {"propensities": [0.5, 0.0, 1.0]},
            "`propensities[1]`: must be above 0 and at most 1, got 0.",
        ),
        ({"propensities": [0.5, 0.5, np.nan]}, "`propensities[2]`: must be above 0 and at most 1"),
        ({"propensities": [1.0001, 0.5, 0.5]}, "at most 1, got 1.0001."),
        ({"propensities": [-0.1, 0.5, 0.5]}, "at most 1, got -0.1."),
        ({"actions": [0, 1.5, 0]}, "`actions[1]`: must be a whole number of at least 0, got 1.5."),
        ({"actions": ["a", "b", "a"]}, "`actions` must be whole numbers"),
        (
            {"action_names": ["a", "b"]},
            "`actions[1]`: must be a whole number of 0 to 1, got 2.",
        ),
        ({"action_names": ["a", "b", "a"]}, "`action_names`: 'a' appears more than once."),
        ({"context_names": ["u"]}, "`context_names` must be 2 names, got 1."),
    ],
)
def test_refusals(change, message):
    with pytest.raises(InputError) as error:
        make_log(**GIVEN | change)
    assert message in str(error.value)
