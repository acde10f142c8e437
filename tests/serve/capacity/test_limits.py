"""Percentiles, groups, and limits that nothing can meet."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve.capacity import Experience, Limits, check_limits, check_reachable, measure, met

RUN = Experience(
    kind=np.array([0, 0, 0, 0, 1, 1]),
    ttft_s=np.array([1.0, 2.0, 3.0, 4.0, np.nan, 10.0]),
    tpot_s=np.array([0.1, 0.1, 0.1, 0.3, np.nan, 0.5]),
    left=np.array([False] * 4 + [True, False]),
)


def test_a_percentile_keeps_a_limit_exactly_if_that_share_of_the_requests_does():
    for percent, worst in ((20, 1.0), (40, 2.0), (41, 3.0), (80, 4.0), (81, 10.0), (100, 10.0)):
        found = measure(Limits(ttft_s=1.0, ttft_percentile=percent), RUN, 2)
        assert found.ttft_s.tolist() == [worst]


def test_means_shares_and_classes():
    overall = measure(Limits(tpot_s=1.0), RUN, 2)
    assert overall.tpot_s == pytest.approx([1.1 / 5])
    assert overall.abandonment == pytest.approx([1 / 6])
    each = measure(Limits(tpot_s=1.0, tpot_percentile=75, per_class=True), RUN, 3)
    assert each.tpot_s[:2] == pytest.approx([0.1, 0.5])
    assert each.abandonment[:2] == pytest.approx([0.0, 0.5])
    assert all(np.isnan(values[2]) for values in each)


def test_whoever_still_waits_has_an_infinite_wait():
    waiting = RUN._replace(ttft_s=np.array([1.0, 2.0, 3.0, np.inf, np.nan, np.inf]))
    assert measure(Limits(ttft_s=1.0, ttft_percentile=60), waiting, 2).ttft_s == [3.0]
    assert measure(Limits(ttft_s=1.0, ttft_percentile=61), waiting, 2).ttft_s == [np.inf]


def test_limits_are_met_together_or_not():
    assert met(Limits(abandonment=0.2), measure(Limits(abandonment=0.2), RUN, 2))
    for missed in (
        Limits(ttft_s=9.0, abandonment=0.2),
        Limits(ttft_s=10.0, tpot_s=0.2),
        Limits(abandonment=0.2, per_class=True),
    ):
        assert not met(missed, measure(missed, RUN, 2))
    empty = Limits(ttft_s=10.0, abandonment=0.5, per_class=True)  # class 2 has no requests
    assert met(empty, measure(empty, RUN, 3))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(), "at least one"),
        (Limits(ttft_s=0.0), "`ttft_s`"),
        (Limits(tpot_s=float("nan")), "`tpot_s`"),
        (Limits(ttft_s=1.0, ttft_percentile=0.0), "`ttft_percentile`"),
        (Limits(tpot_s=1.0, tpot_percentile=101.0), "`tpot_percentile`"),
        (Limits(abandonment=1.5), "`abandonment`"),
    ],
)
def test_limits_are_in_range(limits, words):
    with pytest.raises(InputError, match=words):
        check_limits(limits)


def test_what_a_request_alone_takes_cannot_be_undercut():
    kind, prefill_s = np.array([0] * 98 + [1, 1]), np.array([0.1] * 98 + [2.0, 2.0])
    check_reachable(Limits(ttft_s=1.0, ttft_percentile=98), kind, 2, prefill_s, 0.02)
    check_reachable(Limits(tpot_s=0.02), kind, 2, prefill_s, 0.02)
    with pytest.raises(InputError, match=r"below the 2 s that the prefills take .* percentile 99"):
        check_reachable(Limits(ttft_s=1.0), kind, 2, prefill_s, 0.02)
    with pytest.raises(InputError, match="the prefills of class 1"):
        check_reachable(
            Limits(ttft_s=1.0, ttft_percentile=98, per_class=True), kind, 2, prefill_s, 0.02
        )
    with pytest.raises(InputError, match=r"below the 0.02 s of a token"):
        check_reachable(Limits(tpot_s=0.019), kind, 2, prefill_s, 0.02)
