"""Drawn lengths have the mean of their class and the law of the plans."""

import numpy as np
import pytest

from lpo.serve.replay import Trace, class_table, with_exponential_lengths


def test_means_stay_and_the_coefficient_of_variation_becomes_that_of_the_geometric_law():
    kinds = np.arange(40_000) % 2
    prompt, decode = np.where(kinds, 2000, 30), np.where(kinds, 1, 400)
    trace = Trace(np.arange(40_000.0), prompt, decode, 40_000.0)
    drawn = with_exponential_lengths(trace, kinds, seed=5)
    table = class_table(drawn, kinds, ["a", "b"])
    assert table.prompt == pytest.approx([30, 2000], rel=4 / np.sqrt(20_000))
    assert table.decode == pytest.approx([400, 1], rel=4 / np.sqrt(20_000))
    # of mean m: sqrt(1 - 1 / m)
    assert table.cv_prompt == pytest.approx(np.sqrt(1 - 1 / np.array([30, 2000])), rel=0.03)
    assert table.cv_decode[1] == 0.0
    assert drawn.prompt.min() >= 1
    assert np.array_equal(drawn.time_s, trace.time_s)
