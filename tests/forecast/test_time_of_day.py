"""The quantile by time of day on series whose law of each hour is known."""

import numpy as np

from lpo.forecast.time_of_day import fit_time_of_day

LEVEL = 10 / 11
HOUR = 3600.0


def test_each_hour_has_the_quantile_of_its_own_targets():
    rng = np.random.default_rng(0)
    clock = np.floor(rng.uniform(0, 86_400, (700, 3)))
    target = rng.exponential(1 + clock // HOUR)
    predict = fit_time_of_day(clock, target, LEVEL)
    for hour in range(24):
        mine = np.sort(target[(clock >= hour * HOUR) & (clock < (hour + 1) * HOUR)])
        expected = mine[int(np.ceil(LEVEL * mine.size)) - 1]
        edges = np.array([hour * HOUR, (hour + 1) * HOUR - 1])
        np.testing.assert_array_equal(predict(edges), [expected, expected])


def test_no_other_number_an_hour_costs_less():
    rng = np.random.default_rng(1)
    clock = rng.uniform(0, 2 * HOUR, 401)
    target = np.round(rng.lognormal(3, 1, 401), 3)
    predict = fit_time_of_day(clock, target, LEVEL)
    for hour in (0, 1):
        mine = target[clock // HOUR == hour]

        def cost(capacity, mine=mine):
            return np.sum(np.maximum(capacity - mine, 0) + 10 * np.maximum(mine - capacity, 0))

        assert cost(predict(np.array(hour * HOUR))) <= min(map(cost, mine)) + 1e-9


def test_hours_without_data_and_unknown_times_get_the_quantile_of_all():
    target = np.arange(1.0, 23.0)
    clock = np.where(target <= 11, 0.0, HOUR)
    predict = fit_time_of_day(clock, target, LEVEL)
    found = predict(np.array([0.0, HOUR, 5 * HOUR, np.nan]))
    np.testing.assert_array_equal(found, [10, 21, 20, 20])


def test_training_targets_of_unknown_time_count_among_all_only():
    target = np.array([1.0, 2.0, 30.0, 40.0])
    predict = fit_time_of_day(np.array([0.0, 0.0, np.nan, np.nan]), target, 0.5)
    np.testing.assert_array_equal(predict(np.array([0.0, HOUR])), [1, 2])
