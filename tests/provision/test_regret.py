"""Regret against its closed form and a slow loop over batches, slots and pairs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpo.errors import InputError
from lpo.provision import CODE, PAPER, PRESETS, newsvendor, optimal_share, regret, score, utility

presets = pytest.mark.parametrize("parameters", PRESETS.values(), ids=list(PRESETS))


def relative_regret(parameters, u):
    """R(u): regret over the oracle's benefit at forecast u times the demand, no clip active."""
    p, q, k, saturation = (
        parameters.active, parameters.idle, parameters.benefit, parameters.saturation,
    )  # fmt: skip
    rho = optimal_share(parameters)
    least = p * rho - k * np.log(saturation * rho + 1)
    if u <= 1 / rho:
        gap = p * rho * (u - 1) - k * np.log((saturation * rho * u + 1) / (saturation * rho + 1))
    else:
        gap = p + q * (rho * u - 1) - k * np.log(saturation + 1) - least
    return gap / abs(least)


@presets
@pytest.mark.parametrize("u", [0.0, 0.3, 1.0, 2.0, 3.1, 3.6, 8.0])
def test_relative_regret_depends_on_the_ratio_alone(parameters, u):
    task, span = utility(parameters), parameters.hi_tokens - parameters.lo_tokens
    units = np.array([1e-3, 0.02, 0.3])  # no clip: rho u units <= 1
    demand = parameters.lo_tokens + span * units
    forecast = parameters.lo_tokens + span * u * units
    ratio = regret(task, forecast, demand) / -task.cost(task.optimum(demand), demand)
    np.testing.assert_allclose(ratio, relative_regret(parameters, u), rtol=1e-9, atol=1e-12)


@presets
def test_forecasting_nothing_loses_the_whole_benefit(parameters):
    assert relative_regret(parameters, 0.0) == pytest.approx(1.0, rel=1e-14)
    demand = np.full((3, 2), 5e4)
    assert score(utility(parameters), 0 * demand, demand).nr_pooled == pytest.approx(1.0)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([newsvendor(), newsvendor(3.0, 0.5), utility(CODE), utility(PAPER, 60.0)]),
    st.floats(0.0, 1e9),
    st.floats(0.0, 1e9),
)
def test_regret_is_never_negative(task, forecast, demand):
    gap = regret(task, np.array(forecast), np.array(demand))
    # Rounding only: two float64 costs of size up to |demand| / span are subtracted.
    assert gap >= -1e-13 * max(demand / 4e5, 1.0)


@presets
def test_regret_is_zero_at_a_perfect_forecast_and_finite_at_no_demand(parameters):
    task = utility(parameters)
    demand = jnp.array([0.0, 150.0, 5e4, 2e6])
    np.testing.assert_array_equal(regret(task, demand, demand), 0.0)
    gradient = jax.vmap(jax.grad(lambda f, c: regret(task, f, c), (0, 1)))(demand, demand)
    assert np.isfinite(gradient).all()


def slow_score(task, forecast, demand):
    """The published evaluation: batches of 64 rows, one ratio a position, then their mean."""
    ratios, total, best, squares = [], 0.0, 0.0, 0.0
    n, pairs = demand.shape
    for start in range(0, n, 64):
        for t in range(pairs):
            gaps, least = [], []
            for i in range(start, min(start + 64, n)):
                f, c = forecast[i, t], demand[i, t]
                paid = float(task.cost(task.decide(np.array(f)), np.array(c)))
                oracle = float(task.cost(task.optimum(np.array(c)), np.array(c)))
                gaps.append(paid - oracle)
                least.append(oracle)
                total, best, squares = total + paid, best + oracle, squares + (f - c) ** 2
            if np.mean(least) < 0:
                ratios.append(np.mean(gaps) / -np.mean(least))
    size = demand.size
    return {
        "nr_pooled": (total - best) / -best if best < 0 else None,
        "nr_code": np.mean(ratios) if ratios else None,
        "regret": (total - best) / size,
        "cost": total / size,
        "oracle_cost": best / size,
        "cost_per_token": total / demand.sum(),
        "mse": squares / size,
        "n_windows": n,
    }


@pytest.mark.parametrize("task", [newsvendor(), utility(CODE)], ids=lambda task: task.name)
def test_score_is_the_slow_loop_with_the_last_partial_batch_kept(task):
    rng = np.random.default_rng(4)
    forecast, demand = rng.lognormal(10, 1, (2, 67, 3))
    demand[rng.random(demand.shape) < 0.2] = 0.0
    demand[64:, 1] = 0.0  # a (batch, position) without demand has no ratio
    result = score(task, forecast, demand)._asdict()
    expected = slow_score(task, forecast, demand)
    if not task.normalised:
        assert (result.pop("nr_pooled"), result.pop("nr_code")) == (None, None)
        del expected["nr_pooled"], expected["nr_code"]
    assert result == pytest.approx(expected, rel=1e-12)


def test_score_of_an_empty_service_is_undefined_where_it_divides():
    silence = np.zeros((2, 3))
    result = score(utility(CODE), silence + 100.0, silence)
    assert (result.nr_pooled, result.nr_code, result.cost_per_token) == (None, None, None)
    assert result.regret == 0.0


def test_score_computes_in_float64_whatever_it_is_given():
    rng = np.random.default_rng(5)
    forecast, demand = rng.lognormal(11, 0.1, (2, 40, 2)).astype(np.float32)
    expected = score(utility(CODE), forecast.astype(float), demand.astype(float))
    assert score(utility(CODE), jnp.asarray(forecast), jnp.asarray(demand)) == expected


@pytest.mark.parametrize(
    ("forecast", "demand"),
    [
        (np.ones((3, 2)), np.ones((3, 1))),
        (np.ones(3), np.ones(3)),
        (np.ones((0, 2)), np.ones((0, 2))),
        (np.full((1, 1), np.nan), np.ones((1, 1))),
        (np.ones((1, 1)), -np.ones((1, 1))),
    ],
    ids=["shapes differ", "one axis", "empty", "nan", "negative demand"],
)
def test_meaningless_sets_are_refused(forecast, demand):
    with pytest.raises(InputError):
        score(newsvendor(), forecast, demand)
