"""The conic program and the closed form judge each other, in value and in gradient."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from lpo.errors import InputError
from lpo.provision import (
    CODE,
    PRESETS,
    objective,
    optimal_share,
    provisioning_program,
    solve,
    utility,
)

presets = pytest.mark.parametrize("parameters", PRESETS.values(), ids=list(PRESETS))
# No demand, ordinary demand, and demand whose optimum is the whole range (1 / rho is 3.2 and 3.5).
WORKLOADS = np.array([0.0, 0.05, 0.3, 1.0, 2.5, 3.1, 4.0, 6.0])


def in_tokens(parameters, units):
    return parameters.lo_tokens + (parameters.hi_tokens - parameters.lo_tokens) * units


@presets
def test_closed_form_has_the_value_and_the_capacity_of_the_conic_program(parameters):
    task = utility(parameters)
    solution = solve(provisioning_program(parameters, len(WORKLOADS)), WORKLOADS)
    demand = in_tokens(parameters, WORKLOADS)
    optimum = task.optimum(demand)
    assert solution.status == "optimal"
    assert task.cost(optimum, demand).sum() == pytest.approx(solution.value, abs=1e-8)
    # The objective is flat at its optimum: a gap of 1e-10 leaves the argument free by about 1e-5.
    np.testing.assert_allclose(in_tokens(parameters, solution.capacity), optimum, atol=40)


@presets
def test_gradient_of_the_least_cost_is_that_of_the_conic_program(parameters):
    task = utility(parameters)
    program = provisioning_program(parameters, 1)
    span = parameters.hi_tokens - parameters.lo_tokens

    def conic_value(units):
        value = solve(program, np.array([units])).value
        assert value is not None
        return value

    with jax.enable_x64(True):
        slope = jax.grad(lambda demand: task.cost(task.optimum(demand), demand))
        for units in WORKLOADS[1:]:
            step = 1e-3 * units
            differences = (conic_value(units + step) - conic_value(units - step)) / (2 * step)
            demand = jnp.float64(in_tokens(parameters, units))
            assert span * slope(demand) == pytest.approx(differences, abs=2e-6)


@presets
def test_gradient_of_the_decision_is_the_slope_of_the_conic_argument(parameters):
    task = utility(parameters)
    program = provisioning_program(parameters, 1)

    def conic_capacity(units):
        capacity = solve(program, np.array([units]), tolerance=1e-11).capacity
        assert capacity is not None
        return capacity[0]

    for units in (0.3, 1.0, 2.5, 6.0):
        differences = (conic_capacity(1.2 * units) - conic_capacity(0.8 * units)) / (0.4 * units)
        slope = jax.grad(task.decide)(jnp.float32(in_tokens(parameters, units)))
        assert slope == pytest.approx(differences, abs=2e-3)


def test_the_parametrised_problem_is_compiled_once():
    assert provisioning_program(CODE, 3, ramp=0.1, power_budget=1.0).problem.is_dpp()


def test_zero_ramp_gives_the_best_common_capacity():
    demand = np.array([0.2, 0.9, 0.5])
    solution = solve(provisioning_program(CODE, 3, ramp=0.0), demand)

    def served_as_is_best(a, c):
        # Above the optimal share more service loses: p - q = k A / (A s/c + 1) bounds it.
        s_over_c = CODE.benefit / (CODE.active - CODE.idle) - 1 / CODE.saturation
        served = min(a, s_over_c * c, c)
        return (
            CODE.active * served
            + CODE.idle * (a - served)
            - CODE.benefit * c * np.log1p(CODE.saturation * served / c)
        )

    brute: Any = minimize_scalar(
        lambda a: sum(served_as_is_best(a, c) for c in demand),
        bounds=(0, 1),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert solution.value == pytest.approx(brute.fun, abs=1e-8)
    assert solution.capacity is not None
    np.testing.assert_allclose(np.diff(solution.capacity), 0, atol=1e-8)


def test_loose_limits_change_nothing_and_tight_ones_cost():
    demand = np.array([0.2, 0.9, 0.5])
    free = objective(CODE, optimal_share(CODE) * demand, demand).sum()
    loose = solve(provisioning_program(CODE, 3, ramp=1.0, power_budget=3.0), demand)
    tight = solve(provisioning_program(CODE, 3, power_budget=0.1), demand)
    assert loose.value == pytest.approx(free, abs=1e-8)
    assert tight.value is not None
    assert tight.value > free + 0.01
    assert tight.capacity is not None
    assert tight.served is not None
    power = CODE.active * tight.served + CODE.idle * (tight.capacity - tight.served)
    assert power.sum() == pytest.approx(0.1, abs=1e-8)


def test_a_power_budget_is_shared_at_one_common_share():
    # Homogeneity: with one budget every slot has the same marginal benefit at the same share.
    demand = np.array([0.2, 0.9, 0.5])
    solution = solve(provisioning_program(CODE, 3, power_budget=0.1), demand)
    assert solution.served is not None
    np.testing.assert_allclose(solution.served / demand, 0.1 / 0.42 / demand.sum(), atol=1e-5)


@pytest.mark.parametrize(
    ("slots", "limits"), [(0, {}), (2, {"ramp": -0.1}), (2, {"power_budget": -1.0})]
)
def test_meaningless_programs_are_refused(slots, limits):
    with pytest.raises(InputError):
        provisioning_program(CODE, slots, **limits)
