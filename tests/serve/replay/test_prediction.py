"""Wrong classes: how many, which, and that more mistakes contain fewer."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve.replay import mistaken

KINDS = np.arange(30_000) % 3


def test_nobody_and_everybody():
    assert np.array_equal(mistaken(KINDS, 3, 0.0), KINDS)
    assert not np.any(mistaken(KINDS, 3, 1.0) == KINDS)
    assert np.array_equal(mistaken(KINDS[:3] * 0, 1, 0.0), np.zeros(3))


def test_each_other_class_is_as_likely():
    seen = mistaken(KINDS, 3, 0.3, seed=1)
    share = np.histogram2d(KINDS, seen, bins=3)[0] / 10_000
    expected = np.where(np.eye(3) == 1, 0.7, 0.15)
    assert share == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 10_000))


def test_more_mistakes_contain_fewer():
    few, many = (mistaken(KINDS, 3, p, seed=2) for p in (0.1, 0.4))
    wrong = few != KINDS
    assert np.array_equal(many[wrong], few[wrong])
    assert np.array_equal(mistaken(KINDS, 3, 0.1, seed=2), few)


def test_probabilities_are_probabilities():
    with pytest.raises(InputError, match="between 0 and 1"):
        mistaken(KINDS, 3, 1.5)
    with pytest.raises(InputError, match="of one class"):
        mistaken(np.zeros(3, int), 1, 0.1)
