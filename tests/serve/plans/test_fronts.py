"""Fronts of revenue and service: concave, with the prices of the limits as slopes."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.serve import Infeasible, Penalised, ServiceLevels, paper_two_class, paper_two_class_x2
from lpo.serve.plans.fronts import level_front

LIMITS = {
    "prefill_fairness": [0.0, 0.05, 0.12, 0.16, 0.175, 0.3],
    "decode_fairness": [0.0, 1.0, 3.3, 3.7, 6.0],
    "kv_tokens": [5e3, 1.2e4, 1.8e4, 2.4e4, 2.9e4, 3.2e4],
}


@pytest.mark.parametrize("level", LIMITS)
def test_tangents_lie_above_a_front_whose_limit_is_a_right_side(level):
    """A linear program is concave in its right sides, and its duals are supergradients."""
    front = level_front(paper_two_class(), level, LIMITS[level])
    step = front.limits[None, :] - front.limits[:, None]
    tangent = front.value[:, None] + front.slope[:, None] * step
    assert np.all(tangent >= front.value[None, :] * (1.0 - 1e-8))
    secants = np.diff(front.value) / np.diff(front.limits)
    assert np.all(secants <= front.slope[:-1] + 1e-6) and np.all(secants >= front.slope[1:] - 1e-6)
    assert np.all(front.value <= front.free * (1 + 1e-9))
    assert front.value[-1] == pytest.approx(front.free) and front.slope[-1] == 0.0


@pytest.mark.parametrize(
    ("level", "limit"), [("tpot_s", 0.0235), ("ttft_s", 3.0), ("service_share", 0.3)]
)
def test_slopes_are_differences(level, limit):
    """Of a level of every class, when the limits of all classes move together."""
    step = 1e-4 * limit
    front = level_front(paper_two_class_x2(), level, [limit - step, limit, limit + step])
    difference = (front.value[2] - front.value[0]) / (2.0 * step)
    assert front.slope[1] == pytest.approx(difference, rel=1e-5)
    assert front.slope[1] != 0.0


def test_limits_that_no_plan_keeps():
    front = level_front(paper_two_class_x2(), "service_share", [0.3, 0.9])
    assert np.isfinite(front.value).tolist() == [True, False]
    assert front.plans[0] is not None and front.plans[1] is None
    assert np.isnan(front.slope[1])


def test_other_levels_stay_and_an_own_limit_does_not_count():
    levels = ServiceLevels(kv_tokens=2e4, decode_fairness=Penalised(0.1, 1.0))
    front = level_front(paper_two_class(), "decode_fairness", [0.0, 8.0], levels)
    alone = level_front(paper_two_class(), "kv_tokens", [2e4])
    assert front.free == pytest.approx(alone.value[0])
    assert front.value[0] < front.value[1] <= front.free * (1 + 1e-9)


def test_refused():
    instance = paper_two_class()
    with pytest.raises(InputError, match="`level`"):
        level_front(instance, "least_share_price", [1.0])
    with pytest.raises(InputError, match="`limits`"):
        level_front(instance, "kv_tokens", [])
    with pytest.raises(InputError, match="service_share"):
        level_front(instance, "service_share", [1.5])
    levels = ServiceLevels(service_share=1.0)
    with pytest.raises(Infeasible):
        level_front(paper_two_class_x2(), "tpot_s", [0.03], levels)
