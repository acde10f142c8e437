"""Choices on resampled means against loops."""

from collections import Counter

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.curves import Limits
from lpo.scale.select import Points, chosen_k_bootstrap, make_options
from tests.scale.select.brute_force import METHODS, scores_of

K = np.array([1, 2, 4, 5, 8, 9])
LIMITS = Limits(np.array([0.9, 0.1]), np.array([9.0, 9.0]), np.array([0.4, 0.9]))
ALLOWED = np.array([[True] * 6, [True, True, False, True, True, True]])


def resamples(draws=12):
    """[draws, 2, 2, 6] with a cost that does not depend on the slots."""
    rng = np.random.default_rng(0)
    cost = 0.1 * K * rng.uniform(0.8, 1.2, (draws, 2, 1, 1))
    time = K / np.array([[1.0], [2.0]]) * rng.uniform(0.8, 1.2, (draws, 2, 2, 1))
    accuracy = 1.0 - 0.7 * K**-0.5 + rng.normal(0.0, 0.02, (draws, 2, 2, 6))
    return Points(cost, time, accuracy)


def test_choices_and_their_frequencies_are_those_of_loops():
    means = resamples()
    found = chosen_k_bootstrap(make_options(), means, LIMITS, ALLOWED, K)
    assert found.k.shape == (12, 2, 2, 2, 5)
    axes = np.broadcast_arrays(*means)
    for place in np.ndindex(2, 2, 2):
        s, m, p = place
        limits = [limit[s] for limit in LIMITS]
        chosen = {method: [] for method in METHODS}
        for draw in range(12):
            points = list(zip(*(axis[draw, m, p] for axis in axes), strict=True))
            feasible = [
                bool(ALLOWED[p, i]) and c <= limits[0] and t <= limits[1] and a >= limits[2]
                for i, (c, t, a) in enumerate(points)
            ]
            scores = scores_of(points, feasible, limits, K, "range", "accuracy")
            for method, values in scores.items():
                pick = min if method == "utopia" else max
                best = K[pick(values, key=values.__getitem__)] if values else -1
                chosen[method].append(int(best))
        for rank, method in enumerate(METHODS):
            assert list(found.k[(slice(None), *place, rank)]) == chosen[method], (place, method)
            counts = Counter(chosen[method])
            most = max(counts.values())
            assert found.modal[(*place, rank)] == min(k for k in counts if counts[k] == most)
            assert found.frequency[(*place, rank)] == pytest.approx(most / 12)
    assert (found.modal[1] == -1).any() and (found.frequency < 1.0).any()


def test_what_is_feasible_may_be_given():
    means = resamples(3)
    feasible = np.zeros((3, 2, 2, 2, 6), bool)
    feasible[..., 2] = True
    found = chosen_k_bootstrap(make_options(), means, LIMITS, ALLOWED, K, feasible=feasible)
    assert (found.k[..., 0, 0] == 4).all() and (found.k[..., 1, :] == -1).all()


@pytest.mark.parametrize(
    ("change", "k"),
    [(lambda axis: axis[0], K), (lambda axis: axis[:0], K), (lambda axis: axis, K[:3])],
)
def test_shapes_that_do_not_fit_are_refused(change, k):
    means = Points(*(change(axis) for axis in np.broadcast_arrays(*resamples(2))))
    with pytest.raises(InputError, match=r"`means` must be \[draws, m, p, K\]"):
        chosen_k_bootstrap(make_options(), means, LIMITS, ALLOWED, k)
