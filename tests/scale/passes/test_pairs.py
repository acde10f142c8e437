"""Observed lengths: what is kept of histograms and traces, and what is refused."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.passes import make_pairs, pairs_of_histograms, pairs_of_trace


def test_histograms_are_independent():
    pairs = pairs_of_histograms([100, 300], [1, 3], [10, 20, 40], [2, 1, 1])
    assert len(pairs.weight) == 6
    assert pairs.weight.sum() == pytest.approx(1.0)
    assert pairs.weight[(pairs.prompt == 300) & (pairs.output == 10)] == pytest.approx(0.375)
    mean = pairs.weight @ pairs.prompt, pairs.weight @ pairs.output
    assert mean == pytest.approx((250.0, 20.0))
    assert pairs.weight @ (pairs.prompt * pairs.output) == pytest.approx(250.0 * 20.0)


def test_a_short_trace_is_kept_with_its_counts():
    rng = np.random.default_rng(0)
    prompt, output = rng.integers(1, 20, 4000), rng.integers(1, 30, 4000)
    pairs = pairs_of_trace(prompt, output)
    assert len(pairs.weight) == len(set(zip(prompt, output, strict=True)))
    for p, o in ((3, 4), (19, 1)):
        share = ((prompt == p) & (output == o)).mean()
        assert pairs.weight[(pairs.prompt == p) & (pairs.output == o)].sum() == pytest.approx(share)
    assert pairs.weight @ pairs.prompt**2 == pytest.approx((prompt**2).mean())


def test_requests_stand_for_a_long_trace():
    rng = np.random.default_rng(1)
    output = rng.lognormal(5.0, 1.0, 50_000)
    prompt = output * rng.uniform(0.5, 2.0, 50_000)
    pairs = pairs_of_trace(prompt, output, most=2000)
    assert len(pairs.weight) == 2000
    assert pairs.weight.sum() == pytest.approx(1.0)
    drawn = set(zip(prompt, output, strict=True))
    assert drawn.issuperset(zip(pairs.prompt, pairs.output, strict=True))
    order = np.argsort(pairs.output)
    share = np.cumsum(pairs.weight[order])
    upto = np.searchsorted(np.sort(output), pairs.output[order], side="right") / 50_000
    assert np.abs(share - upto).max() <= 1.0 / 2000
    assert pairs.weight @ pairs.output == pytest.approx(output.mean(), rel=3e-3)
    # random, with the standard error of 2000 requests whose outputs are known
    ratio = pairs.weight @ (pairs.prompt / pairs.output)
    assert ratio == pytest.approx(1.25, abs=4.0 * np.sqrt(1.5**2 / 12.0 / 2000))


def test_equal_requests_weigh_as_often_as_they_come():
    prompt = np.repeat([10, 20, 30], [50, 30, 20])
    pairs = pairs_of_trace(prompt, prompt, most=2)
    assert pairs.prompt.tolist() == [10.0, 20.0]  # the requests 25 and 75 of 100
    assert pairs.weight.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([1.0, 2.0], [1.0]), "`output` must be 2 numbers, got 1"),
        (([], []), "`prompt` must be a list of numbers"),
        (([1.0], [np.nan]), "`output` must be finite"),
        (([-1.0], [1.0]), "`prompt` must be finite and at least 0"),
        (([1.0], [1.0], [0.0]), "`weight` must be positive somewhere"),
        (([1.0], [1.0], [1.0, 1.0]), "`weight` must be 1 numbers"),
    ],
)
def test_what_is_no_law_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        make_pairs(*given)


def test_no_pairs_are_too_few():
    with pytest.raises(InputError, match="`most` must be at least 1, got 0"):
        pairs_of_trace([1.0], [1.0], most=0)
