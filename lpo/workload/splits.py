"""Train, validation and test parts of one series, in order of time, with a gap between them."""

import itertools
import math
from typing import NamedTuple

from lpo.errors import InputError


class Split(NamedTuple):
    """Bin numbers of the three parts; `tokens[part.start : part.stop]` is a part's demand."""

    train: range
    validation: range
    test: range


def temporal_split(bins: int, fractions: tuple[float, float], *, gap: int, window: int) -> Split:
    """Cut `bins` consecutive bins in time: the first share trains, the last tests.

    `fractions` are the shares of train and validation, the rest tests; `gap` bins are left between
    parts. Both gaps are taken from the validation part, so train and test are exactly the first and
    the last share of the series, whatever the gap.

    Raises `InputError` when a share is not positive, or when a part would not hold one window of
    `window` bins; the message says how many bins are needed.
    """
    if min(*fractions, 1.0 - sum(fractions)) < 1e-6:
        raise InputError(
            "`fractions` of train and validation must be positive and leave some for the test "
            f"part, got {fractions}."
        )
    split = _cut(bins, fractions, gap)
    if not _holds(split, window):
        needed = next(n for n in itertools.count(bins) if _holds(_cut(n, fractions, gap), window))
        raise InputError(
            f"a series of {bins} bins is too short to split: a window of {window} bins in every "
            f"part and gaps of {gap} bins between parts need {needed} bins."
        )
    return split


def _cut(bins: int, fractions: tuple[float, float], gap: int) -> Split:
    train_end, test_start = _share(bins, fractions[0]), _share(bins, sum(fractions))
    return Split(
        range(train_end), range(train_end + gap, test_start - gap), range(test_start, bins)
    )


def _share(bins: int, fraction: float) -> int:
    # The small term keeps 0.7 + 0.1 = 0.7999... of 10 bins at 8 bins.
    return math.floor(fraction * bins + 1e-9)


def _holds(split: Split, window: int) -> bool:
    return all(len(part) >= window for part in split)
