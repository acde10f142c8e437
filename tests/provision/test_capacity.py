"""Decisions and costs in tokens: ranges, scales, gradients, and the newsvendor's quantile."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.provision import CODE, PAPER, PRESETS, newsvendor, optimal_share, utility

TASKS = [newsvendor(), utility(CODE), utility(PAPER), utility(CODE, bin_s=60.0)]
tasks = pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name} {task.unit}")


@pytest.mark.parametrize("bin_s", [5.0, 60.0])
def test_code_decision_in_tokens_is_the_affine_map_clipped_to_the_range(bin_s):
    scale = bin_s / 5
    lo, hi = 200 * scale, 400_000 * scale
    demand = scale * np.array([0.0, 100, 200, 201, 635, 1e4, 4e5, 1.2e6, 1.3e6, 1e8])
    expected = np.clip(lo + 0.31495415417005673 * (demand - lo), lo, hi)
    np.testing.assert_allclose(utility(CODE, bin_s).decide(demand), expected, rtol=1e-13)


def test_paper_decision_is_a_share_of_the_demand():
    demand = np.array([0.0, 10.0, 4e5, 1.4e6, 1.5e6])
    expected = np.minimum(optimal_share(PAPER) * demand, 4e5)
    np.testing.assert_allclose(utility(PAPER).decide(demand), expected, rtol=1e-13)


@pytest.mark.parametrize("parameters", PRESETS.values(), ids=list(PRESETS))
def test_optimum_beats_every_capacity_of_the_range_in_tokens(parameters):
    task = utility(parameters, bin_s=60.0)
    lo, hi = 12 * parameters.lo_tokens, 12 * parameters.hi_tokens
    demand = np.array([0.0, 100.0, 2_400.0, 7_000.0, 1e5, 4e6, 1.6e7, 1e8])
    capacity = np.linspace(lo, hi, 5001)[:, None]
    best = task.cost(capacity, demand).min(0)
    reached = task.cost(task.optimum(demand), demand)
    assert (reached <= best + 1e-15).all()
    # A grid step of 960 tokens is coarse at 7000 tokens of demand: 5e-6 of cost.
    np.testing.assert_allclose(reached, best, atol=1e-5)


@tasks
def test_numpy_and_compiled_jax_agree(task):
    rng = np.random.default_rng(1)
    forecast, demand = rng.lognormal(11, 2, (2, 50))
    demand[:5] = 0.0
    compiled = jax.jit(lambda f, c: task.cost(task.decide(f), c))
    np.testing.assert_allclose(
        compiled(jnp.asarray(forecast), jnp.asarray(demand)),
        task.cost(task.decide(forecast), demand),
        rtol=2e-5,
        atol=1e-5,
    )


@tasks
def test_gradient_through_the_decision_is_the_central_difference(task):
    # Away from the kinks: forecast 0.7 and 1.6 times the demand, with no clip active.
    with jax.enable_x64(True):
        for demand in (3e4, 6e5):
            for ratio in (0.7, 1.6):

                def price(forecast, demand=demand):
                    return task.cost(task.decide(forecast), jnp.float64(demand))

                forecast, step = ratio * demand, 1e-4 * demand
                differences = (
                    price(jnp.float64(forecast + step)) - price(jnp.float64(forecast - step))
                ) / (2 * step)
                gradient = jax.grad(price)(jnp.float64(forecast))
                assert float(gradient) == pytest.approx(float(differences), rel=1e-6)


def test_gradient_vanishes_outside_the_range_of_capacity():
    slope = jax.grad(utility(CODE).decide)
    assert slope(100.0) == 0.0
    assert slope(1.3e6) == 0.0
    assert slope(4e5) == pytest.approx(optimal_share(CODE), rel=1e-6)


def test_newsvendor_charges_idle_and_refused_tokens():
    task = newsvendor()
    assert task.fractile == pytest.approx(10 / 11)
    np.testing.assert_allclose(
        task.cost(np.array([5.0, 3.0, 2.0]), np.array([3.0, 3.0, 3.0])), [2.0, 0.0, 10.0]
    )


def test_best_newsvendor_capacity_is_the_sample_quantile_at_the_fractile():
    task = newsvendor()
    demand = np.sort(np.random.default_rng(2).lognormal(10, 1, 1001))
    brute = min(demand, key=lambda capacity: task.cost(np.array(capacity), demand).sum())
    assert brute == demand[int(np.ceil(1001 * 10 / 11)) - 1]
    assert brute == np.quantile(demand, 10 / 11, method="inverted_cdf")


def test_newsvendor_cost_of_a_forecast_is_eleven_times_its_pinball_loss():
    task, level = newsvendor(), 10 / 11
    forecast, demand = np.random.default_rng(3).lognormal(10, 1, (2, 500))
    error = demand - forecast
    pinball = np.where(error > 0, level * error, (level - 1) * error)
    np.testing.assert_allclose(task.cost(task.decide(forecast), demand), 11 * pinball)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan])
def test_prices_and_bin_lengths_that_mean_nothing_are_refused(bad):
    with pytest.raises(InputError, match="c_over"):
        newsvendor(c_over=bad)
    with pytest.raises(InputError, match="c_under"):
        newsvendor(c_under=bad)
    with pytest.raises(InputError, match="bin_s"):
        utility(CODE, bin_s=bad)
