"""The synthetic workload against the statistics it states."""

import numpy as np
import pytest
from scipy import stats

from lpo.errors import InputError
from lpo.workload.synthetic import SERVICES, demand, length_classes, level, synthetic

BY_NAME = {service.name: service for service in SERVICES}


@pytest.fixture(scope="module")
def workload():
    return synthetic(seed=0)


def autocorrelation(x, lag):
    x = x - x.mean()
    return np.mean(x[lag:] * x[:-lag]) / np.mean(x**2)


def test_default_is_five_days_of_four_services(workload):
    assert workload.train == "chat"
    assert list(workload.series) == ["chat", "code", "agents", "chat_later"]
    for series in workload.series.values():
        assert series.tokens.shape == (86_400,) and series.bin_s == 5.0
        assert series.tokens.dtype == np.float64
        assert np.all(series.tokens >= 0) and np.all(series.tokens % 1 == 0)


def test_same_seed_same_numbers(workload):
    again, other = synthetic(seed=0), synthetic(seed=1)
    for name, series in workload.series.items():
        np.testing.assert_array_equal(series.tokens, again.series[name].tokens)
        assert np.any(series.tokens != other.series[name].tokens)


def test_services_are_independent_given_the_hour(workload):
    chat, code = (np.log1p(workload.series[name].tokens) for name in ("chat", "code"))
    steps = np.corrcoef(np.diff(chat), np.diff(code))[0, 1]
    assert abs(steps) < 0.02


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_long_run_mean_is_the_stated_one(service):
    # Whole weeks, and enough of them to average the drift: its mean over 56 days has sd 1 to 2 %.
    tokens = demand(service, np.random.default_rng(5), days=56, bin_s=60.0)
    assert tokens.mean() / 60.0 == pytest.approx(service.tokens_per_s, rel=0.06)


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_lengths_follow_the_log_normal_with_its_cap(service):
    length, share = length_classes(service)
    sigma, cap = service.length_sigma, service.length_max
    law = stats.lognorm(sigma, scale=service.length_mean * np.exp(-(sigma**2) / 2))
    assert share.sum() == pytest.approx(1.0)
    assert np.all(np.diff(length) >= 0) and length.max() == cap
    # E min(L, cap) of a log-normal, from the normal distribution function.
    z = (np.log(cap / service.length_mean) + sigma**2 / 2) / sigma
    capped = service.length_mean * stats.norm.cdf(z - sigma) + cap * law.sf(cap)
    assert share @ length == pytest.approx(capped, rel=0.01)
    # Medians and upper tail: the class law brackets the continuous one.
    above = np.cumsum(share[::-1])[::-1]
    for quantile in (0.5, 0.9, 0.99):
        first = np.searchsorted(length, law.ppf(quantile))
        if first + 1 < len(length):
            assert above[first + 1] <= 1 - quantile <= above[first - 1]


def test_chat_lengths_have_the_second_moment_of_the_2023_conversations():
    length, share = length_classes(BY_NAME["chat"])
    assert (share @ length**2) / (share @ length) ** 2 == pytest.approx(1.92, rel=0.03)


def test_demand_given_the_rate_is_compound_poisson():
    # No cycle, drift or burst: mean and variance are m and m E[L^2]/E[L].
    flat = BY_NAME["chat"]._replace(daily=0.0, weekend=1.0, drift=0.0, burst=0.0)
    tokens = demand(flat, np.random.default_rng(0), days=2, bin_s=5.0)
    length, share = length_classes(flat)
    mean = flat.tokens_per_s * 5.0
    variance = mean * (share @ length**2) / (share @ length)
    assert abs(tokens.mean() - mean) < 4 * np.sqrt(variance / len(tokens))
    assert tokens.var() == pytest.approx(variance, rel=0.05)


def test_level_has_its_daily_and_weekly_cycle():
    service = BY_NAME["code"]._replace(drift=0.0, burst=0.0)
    hourly = level(service, np.random.default_rng(0), 7 * 24, 3_600.0).reshape(7, 24)
    assert hourly.mean() == pytest.approx(1.0, abs=0.01)
    assert np.all(hourly[3:6].argmax(axis=1) == 17)  # the hour that ends at `peak_h` = 18
    days = hourly.mean(axis=1)
    assert days[:2].mean() / days[3:6].mean() == pytest.approx(service.weekend, abs=0.1)


def test_demand_repeats_daily(workload):
    hours = workload.series["chat"].tokens.reshape(-1, 720).sum(axis=1)
    assert autocorrelation(hours, 24) > 0.5
    assert autocorrelation(hours, 12) < 0


def test_demand_is_burstier_than_poisson_and_heavy_tailed(workload):
    for name, series in workload.series.items():
        minutes = series.tokens.reshape(-1, 12).sum(axis=1)
        rough = np.sqrt(np.diff(minutes).var() / 2) / minutes.mean()
        length, share = length_classes(BY_NAME[name])
        size = (share @ length**2) / (share @ length)
        assert rough > 1.3 * np.sqrt(size / minutes.mean())
    steps = np.diff(workload.series["agents"].tokens)
    assert stats.kurtosis(steps) > 1  # excess: 0 for a normal law


def test_chat_is_as_rough_as_azure_conversation_2024(workload):
    tokens = workload.series["chat"].tokens
    assert tokens.mean() == pytest.approx(383_000, rel=0.15)
    for group, measured in ((1, 0.091), (12, 0.056), (60, 0.038)):
        binned = tokens.reshape(-1, group).sum(axis=1)
        rough = np.sqrt(np.diff(binned).var() / 2) / binned.mean()
        assert rough == pytest.approx(measured, rel=0.3)


def test_services_differ_in_level_and_pattern(workload):
    means = {name: series.tokens.mean() for name, series in workload.series.items()}
    assert means["code"] < 0.6 * means["chat"] < 1.5 * means["chat"] < means["chat_later"]


def test_coarser_bins_and_shorter_spans_are_made_directly():
    workload = synthetic(seed=0, days=0.1, bin_s=60.0)
    assert all(series.tokens.shape == (144,) for series in workload.series.values())


@pytest.mark.parametrize(("days", "bin_s"), [(0.0, 5.0), (1.0, 0.0), (1e-6, 5.0), (1.0, -5.0)])
def test_no_bin_no_workload(days, bin_s):
    with pytest.raises(InputError, match="days"):
        synthetic(days=days, bin_s=bin_s)
