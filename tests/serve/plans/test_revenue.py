"""Derivatives of the optimal revenue against finite differences of other solvers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.serve import (
    NO_LEVELS,
    Penalised,
    ServiceLevels,
    bundled_optimum,
    make_optimal_revenue,
    paper_two_class,
    paper_two_class_x2,
    solve_plan,
)


@pytest.fixture(autouse=True)
def x64():
    """For the process: callbacks run in threads that do not see a block of `enable_x64`."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def real(tree):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), tree)


def differences(value, instance, names):
    """Central differences of value(instance) in every entry of the named fields, flat."""
    slopes = []
    for name in names:
        inside = name in instance.hardware._fields
        base = np.asarray(getattr(instance.hardware if inside else instance, name), float)
        for at in np.ndindex(base.shape):
            step = 1e-5 * base[at]
            ends = []
            for sign in (1, -1):
                moved = base.copy()
                moved[at] += sign * step
                if inside:
                    hardware = instance.hardware._replace(**{name: moved})
                    ends.append(value(instance._replace(hardware=hardware)))
                else:
                    ends.append(value(instance._replace(**{name: moved})))
            slopes.append((ends[0] - ends[1]) / (2 * step))
    return np.array(slopes)


def flat(gradient, names):
    hardware = gradient.hardware
    return np.concatenate(
        [np.ravel(getattr(hardware if n in hardware._fields else gradient, n)) for n in names]
    )


FIELDS = ("arrival", "prompt", "decode", "price_prompt", "price_decode")
TIMES = ("alpha", "beta", "tau_solo")


@pytest.mark.parametrize("seed", range(4))
def test_gradient_is_that_of_the_closed_form(random_instance, seed):
    """With respect to everything; batch and chunk count as real numbers."""
    instance, names = random_instance(seed, load=1.3), (*FIELDS, *TIMES, "batch", "chunk")
    revenue = make_optimal_revenue(instance)
    value, gradient = jax.value_and_grad(revenue)(real(instance))
    assert float(value) == pytest.approx(bundled_optimum(instance).value, rel=1e-8)
    slopes = differences(lambda i: bundled_optimum(i).value, instance, names)
    np.testing.assert_allclose(flat(gradient, names), slopes, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        gradient.arrival, solve_plan(instance).duals.arrival, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("disaggregated", [False, True])
def test_gradient_with_separate_prices(random_instance, by_linprog, disaggregated):
    instance, names = random_instance(11, load=0.8), (*FIELDS, *TIMES)
    revenue = make_optimal_revenue(instance, pricing="separate", disaggregated=disaggregated)
    slopes = differences(
        lambda i: by_linprog(i, separate=True, mixed=not disaggregated), instance, names
    )
    gradient = jax.grad(revenue)(real(instance))
    np.testing.assert_allclose(flat(gradient, names), slopes, rtol=1e-5, atol=1e-6)


def test_gradient_in_limits_penalties_and_patience():
    instance = paper_two_class_x2()
    waits = Penalised(np.array([5.0, 1.0]), np.array([20.0, 30.0]))
    levels = ServiceLevels(tpot_s=0.0255, ttft_s=waits)
    revenue = make_optimal_revenue(instance, levels)
    point, limits = real(instance), real(levels)
    plan = solve_plan(instance, levels)
    value, slopes = jax.value_and_grad(revenue, argnums=(0, 1))(point, limits)
    assert float(value) == pytest.approx(plan.value, rel=1e-8)
    of_instance, of_levels = slopes
    np.testing.assert_allclose(of_levels.tpot_s, plan.duals.levels["tpot_s"], rtol=1e-6)
    np.testing.assert_allclose(of_levels.ttft_s.limit, plan.duals.levels["ttft_s"], rtol=1e-6)
    np.testing.assert_allclose(of_levels.ttft_s.price, -plan.excess["ttft_s"], atol=1e-6)
    np.testing.assert_allclose(of_instance.arrival, plan.duals.arrival, rtol=1e-6, atol=1e-6)
    patience = differences(lambda i: solve_plan(i, levels).value, instance, ["patience"])
    np.testing.assert_allclose(of_instance.patience, patience, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("prefill_fairness", 0.2),
        ("occupancy_tpot_s", 0.0245),
        ("service_share", 0.3),
        ("kv_tokens", 25000.0),
    ],
)
def test_gradient_in_a_limit_is_its_price(name, limit):
    instance = paper_two_class_x2()
    levels = NO_LEVELS._replace(**{name: limit})
    plan, revenue = solve_plan(instance, levels), make_optimal_revenue(instance, levels)
    slope = jax.grad(lambda limit: revenue(real(instance), levels._replace(**{name: limit})))
    assert float(slope(limit)) == pytest.approx(plan.duals.levels[name].sum(), rel=1e-6)


def test_a_batch_of_instances_in_one_program():
    instance = paper_two_class()
    revenue, point = make_optimal_revenue(instance), real(instance)
    scales = jnp.array([0.5, 1.0, 2.0])

    def scaled(scale):
        return revenue(point._replace(arrival=scale * point.arrival))

    values = jax.jit(jax.vmap(scaled))(scales)
    expected = [
        bundled_optimum(instance._replace(arrival=s * instance.arrival)).value
        for s in np.asarray(scales)
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-8)
