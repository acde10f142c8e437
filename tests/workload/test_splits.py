"""The temporal split: order, gaps, exact shares, and what is too short."""

import pytest

from lpo.errors import InputError
from lpo.workload.splits import temporal_split


@pytest.mark.parametrize(
    ("bins", "gap", "train", "validation", "test"),
    [
        (60_480, 28, (0, 36_288), (36_316, 48_356), (48_384, 60_480)),
        (5_040, 40, (0, 3_024), (3_064, 3_992), (4_032, 5_040)),
    ],
)
def test_train_and_test_keep_their_shares_and_validation_gives_the_gaps(
    bins, gap, train, validation, test
):
    split = temporal_split(bins, (0.6, 0.2), gap=gap, window=gap)
    assert split == (range(*train), range(*validation), range(*test))


@pytest.mark.parametrize("bins", [420, 421, 422, 423, 424, 1_000, 9_999])
def test_parts_are_disjoint_and_apart(bins):
    train, validation, test = temporal_split(bins, (0.6, 0.2), gap=28, window=28)
    assert validation.start - train.stop == 28
    assert test.start - validation.stop == 28
    assert (train.start, test.stop) == (0, bins)


def test_rounding_of_shares_does_not_lose_a_bin():
    assert 0.7 + 0.1 < 0.8  # what the split must not trip over
    assert temporal_split(10, (0.7, 0.1), gap=0, window=1).test == range(8, 10)


@pytest.mark.parametrize(("gap", "window"), [(28, 28), (40, 40), (0, 784)])
def test_the_message_names_the_least_length_that_works(gap, window):
    with pytest.raises(InputError, match=r"need (\d+) bins") as error:
        temporal_split(50, (0.6, 0.2), gap=gap, window=window)
    needed = int(str(error.value).split("need ")[1].split()[0])
    split = temporal_split(needed, (0.6, 0.2), gap=gap, window=window)
    assert min(map(len, split)) >= window
    with pytest.raises(InputError):
        temporal_split(needed - 1, (0.6, 0.2), gap=gap, window=window)


@pytest.mark.parametrize("fractions", [(0.8, 0.2), (0.0, 0.5), (0.6, -0.1), (0.9, 0.3)])
def test_shares_must_leave_something_for_every_part(fractions):
    with pytest.raises(InputError, match="fractions"):
        temporal_split(1_000, fractions, gap=0, window=1)
