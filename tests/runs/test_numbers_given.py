"""What an experiment varies: the numbers of `analysis.values`."""

from types import SimpleNamespace

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.runs.numbers_given import SHARES, WHOLE, numbers_given, numbers_or, only


def config(**values):
    return SimpleNamespace(analysis=SimpleNamespace(values=values))


def test_numbers_in_order_and_each_once():
    found = numbers_given(config(load=[2.0, 0.5, 2.0]), ("load", "seeds"))
    assert list(found) == ["load"]
    np.testing.assert_array_equal(found["load"], [0.5, 2.0])


def test_numbers_as_given_or_by_default():
    found = numbers_or(config(load=[2.0, 0.5, 2.0]), load=(1.0,), seeds=(4,))
    assert found == {"load": [2.0, 0.5, 2.0], "seeds": [4]}
    shares = {"share": SHARES, "count": WHOLE}
    assert numbers_or(config(share=[0.0]), shares, share=(0.5,), count=(1,))["share"] == [0.0]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"lod": [1.0]}, "analysis.values: lod given; allowed: load, count"),
        ({"load": []}, r"values.load: \[\] given; allowed: at least one number, each > 0"),
        ({"load": [0.0]}, r"values.load: \[0.0\] given; allowed: at least one number, each > 0"),
        ({"load": [np.inf]}, r"values.load: \[inf\] given; .* and finite"),
        ({"count": [1.5]}, r"values.count: \[1.5\] given; allowed: whole numbers >= 1"),
        ({"count": [np.nan]}, r"values.count: \[nan\] given; allowed: whole numbers >= 1"),
    ],
)
def test_numbers_that_mean_nothing(values, line):
    with pytest.raises(InputError, match=line):
        numbers_or(config(**values), {"count": WHOLE}, load=(1.0,), count=(1,))


def test_one_number_of_each_name():
    assert only({"load": [2.0], "seeds": [4.0]}) == {"load": 2.0, "seeds": 4.0}
    with pytest.raises(InputError, match=r"values.seeds: \[4.0, 5.0\] given; allowed: one number"):
        only({"load": [2.0], "seeds": [4.0, 5.0]})


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "analysis.values: nothing given; allowed: numbers of load"),
        ({"seeds": [1.0]}, "analysis.values: seeds given; allowed: load"),
        ({"load": [-1.0]}, r"\[-1.0\] given; allowed: at least one number, each >= 0 and finite"),
    ],
)
def test_numbers_that_must_be_given(values, line):
    with pytest.raises(InputError, match=line):
        numbers_given(config(**values), ("load",))
