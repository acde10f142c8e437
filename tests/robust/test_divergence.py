"""Worst-case means of KL, chi-square and tail sets, against the primal solved over all laws."""

from typing import Any

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.provision.fleet import conditional_value_at_risk
from lpo.robust.divergence import chi_square, cvar, kl

Problem: Any = cp.Problem  # its type knows nothing of comparisons of expressions
N = 8
RNG = np.random.default_rng(0)
SAMPLES = np.stack(
    [
        RNG.normal(size=N),
        RNG.lognormal(sigma=1.5, size=N),
        np.array([0, 2, 1, 0, 2, 1, 1, 0.0]),
        np.array([0, 0, 1, 2, 5, 7, 7, 7.0]),  # ties at the largest
        np.full(N, 0.3),  # equal
        np.append(RNG.uniform(size=N - 1), 1e6),  # one dominates
        np.append(np.zeros(N - 1), 1e-3),
        1e4 + RNG.uniform(size=N),  # spread far below the level
    ]
)
TIES = np.array([np.sum(row == row.max()) for row in SAMPLES])
SETS = {
    "kl": (kl, [0.05, 1.0, 50.0]),
    "chi_square": (chi_square, [0.05, 1.0, 50.0]),
    "cvar": (cvar, [0.9, 0.5, 0.3, 0.05]),  # whole losses, part of one, less than one
}


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def worst_case(divergence):
    """losses -> value, r; compiled."""

    def both(losses):
        return divergence.value(losses), divergence.weights(losses, divergence.dual(losses))

    return jax.jit(both)


def used(name, r):
    """How far r [..., n] goes: KL in nats, half the chi-square distance, largest ratio."""
    if name == "kl":
        return np.mean(r * np.log(np.where(r > 0, r, 1.0)), axis=-1)
    return np.mean((r - 1) ** 2, axis=-1) / 2 if name == "chi_square" else np.max(r, axis=-1)


def allowed(name, bound):
    """What `used` may reach on each sample: the bound, or all mass on the largest loss."""
    most = N / TIES
    reach = {"kl": np.log(most), "chi_square": (most - 1) / 2, "cvar": most}[name]
    return np.minimum(1 / bound if name == "cvar" else bound, reach)


def primal(name, bound, rows):
    """max E[r l] over every density ratio r in the set, by a conic solver, for each row."""
    r, losses = cp.Variable(N, nonneg=True), cp.Parameter(N)
    distance = {
        "kl": -cp.sum(cp.entr(r)) / N,
        "chi_square": cp.sum_squares(r - 1) / (2 * N),
        "cvar": cp.max(r),
    }[name]
    most = 1 / bound if name == "cvar" else bound
    problem = Problem(cp.Maximize(losses @ r / N), [cp.sum(r) == N, distance <= most])

    def solve(row):
        level, spread = row.min(), max(np.ptp(row), 1e-12)
        losses.value = (row - level) / spread
        return level + spread * problem.solve(solver="CLARABEL")

    return np.array([solve(row) for row in rows])


@pytest.mark.parametrize("name", SETS)
def test_value_is_the_primal_optimum_and_its_weights_are_a_law_of_the_set(double, name):
    build, bounds = SETS[name]
    spread = np.maximum(np.ptp(SAMPLES, axis=1), 1e-12)
    values = [SAMPLES.mean(axis=1)]
    for bound in bounds:
        value, r = map(np.asarray, jax.vmap(worst_case(build(bound)))(SAMPLES))
        expected = primal(name, bound, SAMPLES)
        np.testing.assert_allclose((value - expected) / spread, 0.0, atol=1e-6)
        assert np.all(r >= 0)
        np.testing.assert_allclose(r.mean(axis=1), 1.0, rtol=1e-12)
        # the worst law is as far away as it may be
        np.testing.assert_allclose(used(name, r), allowed(name, bound), rtol=1e-9, atol=1e-12)
        values.append(value)
    # from the mean to the largest loss as the set grows
    assert np.all(np.diff(values, axis=0) >= -1e-9 * spread)
    np.testing.assert_allclose(values[-1], SAMPLES.max(axis=1), rtol=1e-12)


@pytest.mark.parametrize("name", SETS)
def test_single_precision_and_a_loop_over_seeds_give_the_same(name):
    build, bounds = SETS[name]
    rows = SAMPLES[:7].astype(np.float32)
    both = worst_case(build(bounds[1]))
    values, r = jax.vmap(both)(rows)
    loop = [both(row) for row in rows]
    np.testing.assert_allclose(values, [value for value, _ in loop], rtol=1e-6)
    np.testing.assert_allclose(r, [weights for _, weights in loop], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(values, primal(name, bounds[1], rows.astype(float)), rtol=2e-5)


def test_chi_square_is_the_textbook_formula_only_while_every_weight_is_positive(double):
    losses = np.array([0.0, 0.0, 1.0, 3.0])

    def textbook(epsilon):
        return losses.mean() + np.sqrt(2 * epsilon * losses.var())

    value, r = worst_case(chi_square(0.1))(losses)
    assert np.all(r > 0) and value == pytest.approx(textbook(0.1), rel=1e-12)
    # by hand at epsilon = 1: r = (0, 0, 2 - d, 2 + d), E r^2 = 2 + d^2 / 2 = 3, so d = sqrt(2)
    value, r = worst_case(chi_square(1.0))(losses)
    np.testing.assert_allclose(r, [0, 0, 2 - np.sqrt(2), 2 + np.sqrt(2)], rtol=1e-9)
    assert value == pytest.approx(2 + np.sqrt(0.5), rel=1e-12) and textbook(1.0) > 2.73


def test_kl_of_two_losses_is_the_law_of_the_given_entropy(double):
    """Losses 0 and 1: the worst mean is the p > 1/2 with log 2 - H(p) = epsilon."""
    p = 0.9
    epsilon = np.log(2) + p * np.log(p) + (1 - p) * np.log(1 - p)
    assert worst_case(kl(epsilon))(np.array([0.0, 1.0]))[0] == pytest.approx(p, rel=1e-12)


def test_tail_is_the_mean_of_the_sorted_worst(double):
    losses = RNG.normal(size=10)
    worst = np.sort(losses)[::-1]
    for count in range(1, 10):
        value = cvar(count / 10).value(jnp.asarray(losses))
        assert value == pytest.approx(worst[:count].mean(), rel=1e-12)
    for tail in (0.03, 0.27, 0.93):
        expected = conditional_value_at_risk(losses, np.full(10, 0.1), 1 - tail)
        assert cvar(tail).value(jnp.asarray(losses)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("name", "bound"), [("kl", 0.4), ("chi_square", 1.0), ("cvar", 0.3)])
def test_gradient_is_the_weighted_mean_of_the_gradients(double, name, bound):
    divergence = SETS[name][0](bound)

    def losses(w):
        return (SAMPLES[1] - w) ** 2

    value = jax.jit(lambda w: divergence.value(losses(w)))
    slope = jax.jit(jax.grad(value))(2.0)
    _, r = worst_case(divergence)(losses(2.0))
    np.testing.assert_allclose(slope, np.mean(r * -2 * (SAMPLES[1] - 2.0)), rtol=1e-12)
    difference = (value(2.0 + 1e-5) - value(2.0 - 1e-5)) / 2e-5
    np.testing.assert_allclose(slope, difference, rtol=1e-6)


@pytest.mark.parametrize(("name", "bound"), [("kl", 0.5), ("chi_square", 0.5), ("cvar", 0.2)])
def test_weights_carry_over_to_other_samples_of_the_law(name, bound):
    """Mean one and the worst mean, up to sampling; the largest weight is that of the sample."""
    divergence = SETS[name][0](bound)
    reference, other = np.random.default_rng(1).normal(size=(2, 20_000)).astype(np.float32)
    dual, weights = jax.jit(divergence.dual)(reference), jax.jit(divergence.weights)
    at_home, r = np.asarray(weights(reference, dual)), np.asarray(weights(other, dual))
    assert r.mean() == pytest.approx(1.0, rel=0.05)
    assert np.mean(r * other) == pytest.approx(np.mean(at_home * reference), rel=0.05)
    assert np.all(np.diff(r[np.argsort(other)]) >= 0)
    far = np.asarray(weights(np.resize([-1e30, 1e30], 20_000).astype(np.float32), dual))
    assert 0 <= far[0] <= r.min() and far[1] == at_home.max()


@pytest.mark.parametrize("build", [kl, chi_square])
def test_equal_losses_tell_nothing_about_others(build):
    divergence = build(0.5)
    dual = jax.jit(divergence.dual)(np.full(4, 2.0, np.float32))
    np.testing.assert_array_equal(divergence.weights(jnp.array([0.0, 2.0, 9.0]), dual), 1.0)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.inf, np.nan])
def test_bad_bounds_are_refused(wrong):
    for build in (kl, chi_square):
        with pytest.raises(InputError, match="`epsilon` must be positive and finite"):
            build(wrong)
    for tail in (wrong, 1.0):
        with pytest.raises(InputError, match=r"`tail` must be in \(0, 1\)"):
            cvar(tail)
