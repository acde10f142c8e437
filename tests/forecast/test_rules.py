"""Rules against closed forms, brute force and hand-made examples."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.forecast.rules import RULES, best_factor, exp_smoothing, fit_rules, refined_minimum

FRACTILE = 10 / 11
NAMES = [
    "oracle", "last", "mean7", "max7", "mean7_tuned", "max7_tuned",
    "constant", "constant_mean", "exp_smoothing",
]  # fmt: skip


def newsvendor_cost(capacity, demand):
    return np.where(capacity > demand, capacity - demand, 10.0 * (demand - capacity))


def fit(history, target):
    rules = fit_rules(history, target, cost=newsvendor_cost, decide=lambda forecast: forecast)
    return {rule.name: rule.predict for rule in rules}


def weighted_quantile(values, weights, level):
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    return values[order][np.searchsorted(share, level)]


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    history = rng.lognormal(10.0, 0.7, (401, 3, 9))
    history[rng.random(history.shape) < 0.3] = 0.0
    history[0] = 0.0
    return history, rng.lognormal(10.0, 0.9, (401, 3))


def test_names_are_complete_and_in_order(sample):
    assert list(fit(*sample)) == NAMES


def test_untuned_rules_on_a_hand_made_window(sample):
    rules = fit(*sample)
    history, target = np.array([[100.0, 1, 2, 3, 4, 5, 6, 7]]), np.array([42.0])
    expected = {"oracle": 42.0, "last": 7.0, "mean7": 4.0, "max7": 7.0}
    for name, value in expected.items():
        np.testing.assert_allclose(rules[name](history, target), [value])
    np.testing.assert_allclose(rules["constant_mean"](history, target), [sample[1].mean()])


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("mean7_tuned", lambda history: history[..., -7:].mean(-1)),
        ("max7_tuned", lambda history: history[..., -7:].max(-1)),
        ("constant", lambda history: np.ones(history.shape[:-1])),
    ],
)
def test_tuned_factor_is_the_weighted_quantile_of_ratios_under_newsvendor(sample, name, base):
    history, target = sample
    weights = base(history).ravel()
    used = weights > 0
    exact = weighted_quantile(target.ravel()[used] / weights[used], weights[used], FRACTILE)
    predict = fit(history, target)[name]
    # Both are minimisers of one piecewise-linear function; near its kink the cost differs less.
    np.testing.assert_allclose(predict(history, target), exact * base(history), rtol=1e-4)
    tuned_cost = newsvendor_cost(predict(history, target), target).sum()
    assert tuned_cost <= newsvendor_cost(exact * base(history), target).sum() * (1 + 1e-7)


def test_exponential_smoothing_is_the_recursion_and_its_rate_the_best_of_a_fine_grid(sample):
    history, target = sample
    level, weight = np.zeros(target.shape), 0.0
    for t in range(history.shape[-1]):
        level, weight = 0.75 * level + 0.25 * history[..., t], 0.75 * weight + 0.25
    np.testing.assert_allclose(exp_smoothing(0.25)(history, target), level / weight)
    np.testing.assert_array_equal(exp_smoothing(1.0)(history, target), history[..., -1])

    def total(predict):
        return newsvendor_cost(predict(history, target), target).sum()

    brute = min(total(exp_smoothing(rate)) for rate in np.linspace(0, 1, 1001))
    assert total(fit(history, target)["exp_smoothing"]) <= brute * (1 + 1e-9)


def test_only_the_oracle_reads_the_target(sample):
    history, target = sample
    for name, predict in fit(history, target).items():
        same = np.array_equal(predict(history, target), predict(history, 2 * target))
        assert same == (name != "oracle"), name


def test_search_finds_the_lower_of_two_valleys():
    def two_valleys(x):
        return min((x - 0.2) ** 2, (x - 0.8) ** 2 - 0.01)

    assert refined_minimum(two_valleys, np.linspace(0, 1, 33)) == pytest.approx(0.8, abs=1e-6)


def test_search_on_a_single_candidate_returns_it():
    ones = np.ones(5)
    assert best_factor(ones, 3 * ones, lambda x: float(np.abs(x - 3).sum())) == 3.0


@pytest.mark.parametrize(
    ("history", "target"),
    [
        (np.ones((4, 6)), np.ones(4)),
        (np.ones((4, 7)), np.ones(5)),
        (np.zeros((4, 7)), np.ones(4)),
        (np.ones((4, 7)), np.zeros(4)),
        (np.eye(1, 8).repeat(4, 0), np.ones(4)),
    ],
    ids=["short context", "shapes differ", "no input", "no demand", "last seven empty"],
)
def test_data_that_no_rule_can_use_is_refused(history, target):
    with pytest.raises(InputError):
        fit(history, target)


def test_with_slots_a_rule_says_the_same_for_each_and_tunes_on_all(sample):
    """Slots that are separate decisions: the tuned factor is that of the slots side by side."""
    history, _ = sample
    target = np.random.default_rng(3).lognormal(10.0, 0.9, (401, 3, 2))
    rules = fit(history, target)
    beside = fit(
        np.concatenate([history, history]), np.concatenate([target[..., 0], target[..., 1]])
    )
    for name in NAMES[1:]:
        forecast = rules[name](history, target)
        assert forecast.shape == target.shape
        np.testing.assert_array_equal(forecast[..., 0], forecast[..., 1])
        np.testing.assert_allclose(
            forecast[..., 0], beside[name](history, target[..., 0]), rtol=1e-5
        )
    np.testing.assert_array_equal(rules["oracle"](history, target), target)


def test_rows_that_need_a_fractile_or_a_clock_are_left_out_without(sample):
    history, target = sample
    clock = np.random.default_rng(4).uniform(0, 86_400, target.shape)

    def names(target=target, **known):
        rules = fit_rules(history, target, cost=newsvendor_cost, decide=lambda x: x, **known)
        return [rule.name for rule in rules]

    assert names(train_clock=clock) == NAMES
    assert names(fractile=FRACTILE) == [*NAMES, "linear_quantile"]
    assert names(fractile=FRACTILE, train_clock=clock) == list(RULES)
    slots = np.stack([target, target], axis=-1)
    clock = np.stack([clock, clock], axis=-1)
    assert names(slots, fractile=FRACTILE, train_clock=clock) == NAMES


def test_only_the_rule_by_time_of_day_reads_the_clock(sample):
    history, target = sample
    clock = np.random.default_rng(4).uniform(0, 86_400, target.shape)
    rules = fit_rules(
        history,
        target,
        cost=newsvendor_cost,
        decide=lambda forecast: forecast,
        fractile=FRACTILE,
        train_clock=clock,
    )
    for rule in rules:
        at, later = (rule.predict(history, target, x) for x in (clock, (clock + 7_200) % 86_400))
        assert at.shape == target.shape
        assert np.array_equal(at, later) == (rule.name != "time_of_day"), rule.name
    unknown = rules[-1].predict(history, target)
    assert np.all(unknown == np.quantile(target, FRACTILE, method="inverted_cdf"))


def test_a_clock_of_another_shape_is_refused(sample):
    history, target = sample
    with pytest.raises(InputError, match="train_clock"):
        fit_rules(
            history,
            target,
            cost=newsvendor_cost,
            decide=lambda forecast: forecast,
            train_clock=np.zeros(3),
        )
