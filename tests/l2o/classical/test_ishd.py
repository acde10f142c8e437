import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import jv

from lpo.errors import InputError
from lpo.l2o.classical.gradient import momentum
from lpo.l2o.classical.ishd import constant, ishd_diffrax, ishd_euler, vanishing
from lpo.l2o.classical.method import Method, path
from lpo.l2o.family import Family
from tests.l2o.worlds import counted, gradients_taken, quadratic
from tests.quick import jit

EIGENVALUES = (1.0, 4.0)
START = jnp.asarray([1.0, -0.7])
NONE = jnp.zeros(2)


def states(method: Method, steps: int, problem=NONE, x=START):
    def step(state, _):
        state = method.step(problem, state)
        return state, state

    return jit(lambda: jax.lax.scan(step, method.init(problem, x), None, length=steps)[1])()


def test_without_damping_by_the_hessian_it_is_the_heavy_ball():
    family = quadratic()
    rate, alpha, gamma = 0.2, 1.3, 0.7
    ball = momentum(family, rate**2 * gamma, decay=1.0 - rate * alpha)
    system = ishd_euler(family, rate, constant(alpha, gamma=gamma))
    problem = jnp.asarray([0.3, -1.0])
    expected = states(ball, 60, problem).x
    np.testing.assert_allclose(states(system, 60, problem).x, expected, atol=2e-6)


def test_vanishing_friction_keeps_velocity_as_nesterov_does():
    rate, family = 0.25, quadratic()
    xs = [START, START]
    for k in range(20):
        slope = jnp.asarray(EIGENVALUES) * xs[-1]
        xs.append(xs[-1] + k / (k + 3.0) * (xs[-1] - xs[-2]) - rate**2 * slope)
    found = states(ishd_euler(family, rate, vanishing()), 20)
    np.testing.assert_allclose(found.x, np.stack(xs[2:]), atol=2e-5)


@pytest.mark.parametrize("damping", [0.0, 0.5])
def test_energy_falls_on_a_quadratic(damping: float):
    family = quadratic()
    for coefficients in (constant(0.4, damping), vanishing(damping)):
        found = states(ishd_diffrax(family, 0.1, coefficients), 200)
        value = jax.vmap(family.objective, (0, None))(found.x, NONE)
        energy = np.asarray(0.5 * (found.v**2).sum(1) + value)
        assert (np.diff(energy) < 1e-6 * energy[0]).all()
        assert energy[-1] < 0.05 * energy[0]


def test_nesterovs_equation_approaches_bessels_function():
    # x'' + 3 x' / t + l x = 0, x(0) = 1, x'(0) = 0: x = 2 J1(t sqrt l) / (t sqrt l)
    family, root = quadratic(), np.sqrt(np.asarray(EIGENVALUES))

    def closed(t):
        s = np.asarray(t)[:, None] * root
        return np.asarray(START) * 2.0 * jv(1, s) / s

    errors = []
    for rate in (0.04, 0.02, 0.01):  # as well as the time 3 h at which they start falls
        steps = int(4.0 / rate)
        flow = states(ishd_diffrax(family, rate, vanishing()), steps)
        step = states(ishd_euler(family, rate, vanishing()), steps)
        errors.append([np.abs(s.x - closed(s.t)).max() for s in (flow, step)])
    flow, step = np.asarray(errors).T
    assert flow[-1] < 2e-3 and step[-1] < 3e-3
    assert (flow[:-1] / flow[1:] > 3.0).all()  # second order in where it starts
    assert (step[:-1] / step[1:] > 1.5).all()  # about first order in the step


def test_both_agree_for_small_steps():
    family, problem = quadratic(), jnp.asarray([0.5, 1.0])
    apart = []
    for rate in (0.02, 0.01):
        coefficients = constant(0.5, 0.3, 1.2)
        runs = [
            states(make(family, rate, coefficients), int(3.0 / rate), problem).x
            for make in (ishd_diffrax, ishd_euler)
        ]
        apart.append(float(jnp.abs(runs[0] - runs[1]).max()))
    assert apart[1] < 0.02 and apart[0] / apart[1] > 1.8


def test_damping_by_the_hessian_slows_what_is_steep():
    family = quadratic((1.0, 100.0))
    x = jnp.ones(2)
    plain = states(ishd_diffrax(family, 0.02, constant(0.1)), 150, x=x).x
    damped = states(ishd_diffrax(family, 0.02, constant(0.1, 0.2)), 150, x=x).x
    # the slow direction moves alike, the steep one no longer swings
    assert (np.diff(np.sign(np.asarray(plain[:, 1]))) != 0).sum() >= 8
    assert (np.diff(np.sign(np.asarray(damped[:, 1]))) != 0).sum() <= 1


@pytest.mark.parametrize(
    ("make", "per_look"),
    [
        (lambda family: ishd_euler(family, 0.1), 1),
        (lambda family: ishd_diffrax(family, 0.1), 2),
        (lambda family: ishd_diffrax(family, 0.1, vanishing()), 1),
        (lambda family: ishd_diffrax(family, 0.1, solver=diffrax.Euler()), 2),
        (lambda family: ishd_diffrax(family, 0.1, solver=diffrax.Heun()), 2),
    ],
)
def test_gradients_are_counted(make, per_look: int):
    world = counted(quadratic())
    method = make(world.family)
    last = []

    def run():
        found = states(method, 5)
        last.append(found)
        return found

    # a gradient and a product with the Hessian are taken together, in one look
    assert gradients_taken(world, run) * per_look == int(last[0].calls[-1])
    assert (jnp.diff(last[0].calls) > 0).all()


def test_products_with_the_hessian_are_told_apart():
    found = states(ishd_diffrax(quadratic(), 0.1), 3)
    assert found.calls.tolist() == [14, 26, 38] and found.products.tolist() == [7, 13, 19]
    assert states(ishd_diffrax(quadratic(), 0.1, vanishing()), 3).products.tolist() == [0, 0, 0]


@pytest.mark.parametrize("make", [ishd_euler, ishd_diffrax])
def test_vmapped_over_problems_and_rates(make):
    family: Family = quadratic()

    def one(rate, problem):
        return path(family, make(family, rate), problem, START, 40)

    problems = jnp.asarray([[0.2, 0.1], [1.0, -1.0], [0.0, 0.0]])
    rates = jnp.asarray([0.3, 0.1])
    found = jit(jax.vmap(jax.vmap(one, (None, 0)), (0, None)))(rates, problems)
    assert found.value.shape == (2, 3, 41)
    alone = jit(one)(0.1, problems[1])
    np.testing.assert_allclose(found.value[1, 1], alone.value, atol=1e-5)
    np.testing.assert_array_equal(found.calls[1, 1], alone.calls)


def test_negative_coefficients_are_refused():
    with pytest.raises(InputError, match="beta"):
        constant(1.0, -0.1)
    with pytest.raises(InputError, match="negative"):
        vanishing(gamma=-1.0)
