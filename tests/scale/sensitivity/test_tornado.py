"""Choices made again with one number lower and higher, where they follow from arithmetic."""

import numpy as np
import pytest

from lpo.scale.curves import Limits
from lpo.scale.laws import make_laws
from lpo.scale.models import Models
from lpo.scale.select import Options, Selections, allowed_grid
from lpo.scale.sensitivity import Tornado, tornado
from lpo.scale.sensitivity.tornado import arc_elasticity

K, P = np.arange(1, 129), np.array([2])
MODELS = Models(
    accuracy=np.array([0.6, 0.5]),
    accuracy_sd=np.array([0.05, 0.04]),
    prompt=np.array([1000.0, 1000.0]),
    prompt_sd=np.array([10.0, 10.0]),
    output=np.array([2000.0, 2000.0]),
    output_sd=np.array([20.0, 20.0]),
    input_price=np.array([1e-6, 2e-6]),
    output_price=np.array([2e-6, 4e-6]),
    input_s=np.array([1e-4, 1e-4]),
    output_s=np.array([1e-3, 1e-3]),
)
LIMITS = Limits(np.array([0.233, 9.0]), np.array([1e3, 45.7]), np.array([0.1, 0.1]))
"""The first is bound by cost alone, the second by time alone."""
PRICE = np.array([1.0, 2.0]) * 5e-3  # dollars a pass
SECONDS = 2.1


@pytest.fixture(scope="module")
def found() -> Tornado:
    laws, numbers = make_laws(latency="mean")
    allowed = allowed_grid(K, P)
    return tornado(Options(), laws, numbers, MODELS, K, P, LIMITS, allowed, 0.1)


def most(name: str, factor: float) -> np.ndarray:
    """The greatest k within the budgets, [s, m], by hand."""
    parts = {"prompt": 1.0, "output": 1.0, "input_price": 1.0, "output_price": 1.0}
    parts |= {"input_s": 1.0, "output_s": 1.0, "cost_limit": 1.0, "time_limit": 1.0}
    f = parts | {name: factor}
    prompts, outputs = 1000.0 * f["prompt"], 2000.0 * f["output"]
    cost = np.array([1.0, 2.0]) * 1e-6
    cost = cost * (prompts * f["input_price"] + 2.0 * outputs * f["output_price"])
    seconds = 1e-4 * prompts * f["input_s"] + 1e-3 * outputs * f["output_s"]
    by_cost = np.floor(0.233 * f["cost_limit"] / cost)
    by_time = np.floor(45.7 * f["time_limit"] / seconds * 2.0)
    return np.stack([by_cost, np.full(2, by_time)])


def test_the_most_accurate_choice_is_the_budget_over_the_price(found):
    at = Selections._fields.index("accuracy_max")
    np.testing.assert_array_equal(found.each.base.k[..., 0, at], most("", 1.0))
    np.testing.assert_array_equal(most("", 1.0), [np.floor(0.233 / PRICE), [43, 43]])
    assert {"output", "input_price", "output_s", "cost_limit", "time_limit"} <= set(found.names)
    for i, name in enumerate(found.names):
        for side, factor in enumerate((0.9, 1.1)):
            k = found.each.moved.k[i, side, ..., 0, at]
            np.testing.assert_array_equal(k, most(name, factor), err_msg=name)


def test_what_else_is_said_of_a_choice(found):
    i = found.names.index("output_price")
    k = found.each.moved.k[i, 1]
    price = PRICE * (0.2 + 0.8 * 1.1)
    np.testing.assert_allclose(found.each.moved.cost[i, 1], k * price[:, None, None], rtol=1e-9)
    np.testing.assert_allclose(found.each.moved.time[i, 1], k / 2 * SECONDS, rtol=1e-9)
    assert (found.each.moved.parallel == 2).all()
    assert (found.each.moved.model[..., 0, :, :] == 0).all()
    assert found.each.moved.k.shape == (len(found.names), 2, 2, 2, 1, 5)


def test_elasticity_of_the_chosen_k(found):
    at = Selections._fields.index("accuracy_max")
    low, high = most("cost_limit", 0.9)[0], most("cost_limit", 1.1)[0]
    expected = (high - low) / (0.5 * (high + low)) / 0.2
    i = found.names.index("cost_limit")
    np.testing.assert_allclose(found.each.elasticity[i, 0, :, 0, at], expected)
    np.testing.assert_allclose(
        expected, 1.0, atol=0.15
    )  # k = budget / price, but for whole numbers
    assert (found.each.elasticity[i, 1, :, 0, at] == 0.0).all()  # bound by time


def test_among_all_models_the_better_one_is_chosen(found):
    at = Selections._fields.index("accuracy_max")
    assert (found.among_all.base.model[:, at] == 0).all()
    np.testing.assert_array_equal(found.among_all.base.k[:, at], most("", 1.0)[:, 0])
    np.testing.assert_array_equal(
        found.among_all.moved.k[..., at], found.each.moved.k[:, :, :, 0, 0, at]
    )


def test_one_model_alone_leaves_the_others(found):
    laws, numbers = make_laws(latency="mean")
    allowed = allowed_grid(K, P)
    alone = tornado(Options(), laws, numbers, MODELS, K, P, LIMITS, allowed, 0.1, model=1)
    models = [i for i, name in enumerate(alone.names) if not name.endswith("_limit")]
    base = np.broadcast_to(alone.each.base.k[:, 0], alone.each.moved.k[models, :, :, 0].shape)
    np.testing.assert_array_equal(alone.each.moved.k[models, :, :, 0], base)
    np.testing.assert_array_equal(alone.each.moved.k[:, :, :, 1], found.each.moved.k[:, :, :, 1])
    assert np.isnan(alone.each.elasticity[models, :, 0]).all()
    # a worse model that gets better by a tenth is still not chosen
    at = Selections._fields.index("accuracy_max")
    assert (alone.among_all.moved.model[..., at] == 0).all()


def test_arc_elasticity():
    k = np.array([[10, 30], [-1, 30], [7, 7]])
    parameter = np.array([[9.0, 11.0], [9.0, 11.0], [5.0, 5.0]])
    found = arc_elasticity(k, parameter)
    assert found[0] == pytest.approx((20 / 20) / 0.2)
    assert np.isnan(found[1]) and np.isnan(found[2])
