"""What is known of choices, by hand."""

import numpy as np

from lpo.scale.curves import Curves, Estimate, Limits
from lpo.scale.select import Place, choices, places


def test_choices_by_hand():
    cost = np.arange(12.0).reshape(2, 1, 6)  # the same for every number of slots
    time = np.arange(24.0).reshape(2, 2, 6)
    accuracy = np.arange(24.0).reshape(2, 2, 6) / 30.0
    curves = Curves(
        np.arange(2, 14, 2),
        np.array([1, 8]),
        Estimate(cost, 2.0 * cost, 0.0),
        Estimate(time, 0.5 * time, 0.25, time - 1.0, time + 1.0),
        Estimate(accuracy, accuracy, 0.0),
    )
    limits = Limits(np.array([5.0, 50.0]), np.array([20.0, 30.0]), np.array([0.5, 0.7]))
    at = np.array([[[0, 3], [-1, 5]], [[1, -1], [2, 4]]])
    found = choices(curves, limits, places(at))
    for s, m, p in np.ndindex(2, 2, 2):
        i, place = at[s, m, p], (s, m, p)
        if i < 0:
            assert found.k[place] == found.parallel[place] == -1
            numbers = (found.cost.mean, found.time.low, found.pass_cost, found.slack.accuracy)
            assert all(np.isnan(each[place]) for each in numbers)
            continue
        k = 2 * (i + 1)
        assert (found.k[place], found.parallel[place]) == (k, (1, 8)[p])
        assert found.cost.mean[place] == cost[m, 0, i]
        assert found.cost.sd[place] == 2.0 * cost[m, 0, i] and found.cost.sem[place] == 0.0
        assert found.cost.low is None and found.time.sem[place] == 0.25
        assert found.time.high[place] == time[m, p, i] + 1.0
        assert found.pass_cost[place] == cost[m, 0, i] / k
        assert found.pass_time[place] == time[m, p, i] / k
        assert found.slack.cost[place] == limits.cost[s] - cost[m, 0, i]
        assert found.slack.time[place] == limits.time[s] - time[m, p, i]
        assert found.slack.accuracy[place] == accuracy[m, p, i] - limits.accuracy[s]
    # a list of places instead of a grid
    few = choices(curves, limits, Place(np.array([[1], [0]]), np.array([[1], [0]]), at[:, 0, :1]))
    np.testing.assert_array_equal(few.time.mean, [[18.0], [1.0]])
    np.testing.assert_array_equal(few.slack.time, [[2.0], [29.0]])
