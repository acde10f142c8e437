"""The time of day of bins, on the clock of the series that is trained on."""

import numpy as np

from lpo.workload.series import Series, calendar
from lpo.workload.synthetic import DAY_S

MIDNIGHT = "2000-01-01"  # of any day


def second_of_day(series: Series, reference: Series) -> np.ndarray:
    """Second of day at which each bin of `series` begins on the clock of `reference`, [bins].

    A reference without a start takes its own first bin for midnight: hours get other names, and
    bins a day apart keep the same one. Of another series all is NaN where the two clocks cannot be
    compared: one of them has no start, or only one names its zone.
    """
    bins = np.arange(len(series.tokens))
    start = (series.start or MIDNIGHT) if series is reference else series.start
    if start is None or (series is not reference and not _same_zone(start, reference.start)):
        return np.full(len(bins), np.nan)
    moment, _ = calendar(start)
    first = (moment - moment.astype("datetime64[D]")) / np.timedelta64(1, "s")
    return (first + bins * series.bin_s) % DAY_S


def _same_zone(start: str, reference: str | None) -> bool:
    return reference is not None and calendar(start)[1] == calendar(reference)[1]
