"""Control variates on totals whose mean is known."""

import numpy as np
import pytest

from lpo.serve import paper_two_class, service_rates
from lpo.serve.measures import batch_means, control_variate, flow_variate, rewards
from lpo.serve.totals import Occupancy, Totals

INSTANCE, GPUS = paper_two_class(), 50
MEAN = GPUS * INSTANCE.arrival


def totals_of(completing, waiting, arrivals):
    """[seeds, windows, I] per second, in windows of 10 s."""
    zero = np.zeros_like(completing)
    stages = Occupancy(10.0 * waiting, zero, zero, zero, zero)
    return Totals(
        seconds=np.full(completing.shape[:2], 10.0),
        arrivals=10.0 * arrivals,
        left_prefill=zero,
        prefilled=zero,
        left_decode=zero,
        completed=zero,
        time=stages,
        completing=10.0 * completing,
        begin=stages,
        end=stages,
    )


def noise(seed, shape=(4, 10, 2)):
    return np.random.default_rng(seed).normal(0.0, 1.0, shape)


def test_what_everybody_pays_is_known_where_everybody_is_served():
    """Completions differ from arrivals by chance only: their mean is that of the arrivals."""
    t = totals_of(MEAN + noise(0), 0.0 * noise(0), MEAN + noise(1))
    earned = rewards(t, INSTANCE, "bundled")
    found = flow_variate(t, earned, INSTANCE, GPUS)
    assert found.mean == pytest.approx(MEAN @ service_rates(INSTANCE).w)
    assert found.error < 1e-6 * batch_means(t, lambda t: (earned, t.seconds)).error


def test_requests_that_give_up_count_as_leaving():
    gone = 3.0 + 0.3 * noise(2)
    t = totals_of(MEAN - gone + noise(0), gone / INSTANCE.patience, MEAN + noise(1))
    earned = rewards(t, INSTANCE, "bundled")
    found = flow_variate(t, earned, INSTANCE, GPUS)
    plain = batch_means(t, lambda t: (earned, t.seconds))
    assert abs(found.mean - (MEAN - 3.0) @ service_rates(INSTANCE).w) < 4.0 * found.error
    assert found.error < 0.6 * plain.error


def test_it_covers_the_mean_as_often_as_it_says():
    truth, far = MEAN @ service_rates(INSTANCE).w, []
    for seed in range(300):
        shown = noise(3 * seed)
        t = totals_of(MEAN + shown, 0.0 * shown, MEAN + 0.8 * shown + 0.6 * noise(3 * seed + 1))
        extra = 50.0 * noise(3 * seed + 2, (4, 10))
        earned = rewards(t, INSTANCE, "bundled") + 10.0 * extra
        for each in (
            flow_variate(t, earned, INSTANCE, GPUS),
            control_variate(t, earned, MEAN),
        ):
            far.append(abs(each.mean - truth) / each.error)
    # t with 3 degrees of freedom: 2.4 standard errors hold 90 %
    assert 0.05 < np.mean(np.array(far) > 2.353) < 0.17


def test_classes_that_never_abandon_and_few_windows_leave_the_mean_as_it_is():
    forever = INSTANCE._replace(patience=np.zeros(2))
    t = totals_of(MEAN - 5.0 + noise(0), 0.0 * noise(0), MEAN + noise(1))
    earned = rewards(t, forever, "bundled")
    plain = batch_means(t, lambda t: (earned, t.seconds))
    assert flow_variate(t, earned, forever, GPUS).mean == pytest.approx(plain.mean)
    short = totals_of(*(MEAN + noise(seed, (1, 5, 2)) for seed in range(3)))
    few = rewards(short, INSTANCE, "bundled")
    plain = batch_means(short, lambda t: (few, t.seconds))
    assert flow_variate(short, few, INSTANCE, GPUS) == plain
