"""Percentiles of waits, some of which are not over."""

import numpy as np
import pytest

from lpo.serve.requests import quantiles

LEVELS = (0.1, 0.5, 0.9, 0.99)


def test_plain_quantiles_where_everything_is_known():
    values = np.random.default_rng(0).exponential(size=501)
    expected = np.quantile(values, LEVELS, method="inverted_cdf")
    assert quantiles(values, np.zeros(501), LEVELS) == pytest.approx(expected, abs=0)
    with_others = np.append(values, np.full(100, np.nan))
    assert quantiles(with_others, np.zeros(601), LEVELS) == pytest.approx(expected, abs=0)
    assert np.isnan(quantiles(np.array([np.nan]), np.zeros(1), LEVELS)).all()


def test_the_product_limit_by_hand():
    # 1 known of 5 at risk; 3 cut off; 4 known of 3 at risk; the rest is cut off
    values = np.array([1.0, np.inf, 4.0, np.inf, np.inf])
    known_to = np.array([0.0, 3.0, 0.0, 5.0, 6.0])
    # above 1: 4/5; above 4: 4/5 2/3 = 8/15
    assert quantiles(values, known_to, (0.2, 0.4, 7 / 15, 0.5)).tolist() == [1.0, 4.0, 4.0, np.inf]


def test_waits_that_are_cut_off_do_not_shift_percentiles():
    rng = np.random.default_rng(1)
    values, cut = rng.exponential(size=(2, 40_000))
    cut *= 4.0
    seen = np.where(values <= cut, values, np.inf)
    assert np.isinf(seen).mean() > 0.15
    found = quantiles(seen, cut, (0.5, 0.9))
    assert found == pytest.approx(-np.log([0.5, 0.1]), rel=0.03)
