"""Estimates against sums over all logs, known values over many logs, and each other."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.bandit.ope.estimators import (
    clipped_ips,
    direct_method,
    doubly_robust,
    effective_sample_size,
    importance_weights,
    ips,
    snips,
    standard_error,
    switch_doubly_robust,
    value,
)
from lpo.bandit.ope.reward_model import cross_fitted
from tests.bandit.ope.discrete import discrete, drawn

LOGS, ROWS = 500, 120


@pytest.fixture(scope="module")
def many():
    """A problem, and on each of many of its logs the values and standard errors of estimators."""
    problem = discrete(3)
    fold = jnp.arange(ROWS) % 5

    @jax.jit
    @jax.vmap
    def estimates(key):
        x, a, r = drawn(problem, key, ROWS)
        pi = jnp.asarray(problem.target)[x]
        w = importance_weights(pi, a, jnp.asarray(problem.logging)[x, a])
        q = cross_fitted(jnp.asarray(problem.contexts)[x], a, r, fold, actions_count=4, folds=5)
        scores = {
            "ips": ips(w, r),
            "snips": snips(w, r),
            "dm": direct_method(pi, q),
            "dr": doubly_robust(pi, w, a, r, q),
        }
        return {name: (value(each), standard_error(each)) for name, each in scores.items()}

    with jax.enable_x64(True):
        found = estimates(jax.random.split(jax.random.key(0), LOGS))
        return problem, jax.tree.map(np.asarray, found)


def z_score(values, truth):
    return (values.mean() - truth) / (values.std(ddof=1) / np.sqrt(len(values)))


@pytest.mark.parametrize("name", ["ips", "dr"])
def test_ips_and_doubly_robust_are_unbiased_over_many_logs(many, name):
    problem, found = many
    assert abs(z_score(found[name][0], problem.value)) < 4.0


def test_the_model_alone_is_biased_where_rewards_are_not_linear(many):
    problem, found = many
    assert abs(z_score(found["dm"][0], problem.value)) > 4.0


def test_a_decent_model_makes_doubly_robust_less_variable_than_ips(many):
    _, found = many
    spread = {name: values.std() for name, (values, _) in found.items()}
    assert spread["dr"] < 0.5 * spread["ips"]
    assert spread["snips"] < 0.8 * spread["ips"]  # the mean reward is far from 0


@pytest.mark.parametrize("name", ["ips", "snips", "dr"])
def test_standard_errors_are_the_spread_over_logs_and_cover(many, name):
    problem, (values, errors) = many[0], many[1][name]
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.15)
    covered = (np.abs(values - problem.value) < 1.96 * errors).mean()
    assert 0.90 < covered < 0.98


def test_expectations_are_exact_over_all_logs_of_a_tiny_problem():
    # 3 rows of context, action and reward, each 0 or 1: 512 logs with their probabilities
    p_x = np.array([0.3, 0.7])
    logging = np.array([[0.6, 0.4], [0.15, 0.85]])
    target = np.array([[0.1, 0.9], [0.5, 0.5]])
    means = np.array([[0.2, 0.7], [0.9, 0.4]])
    logs = np.array(list(itertools.product((0, 1), repeat=9))).reshape(-1, 3, 3)
    x, a, r = logs[..., 0], logs[..., 1], logs[..., 2]
    chance = (p_x[x] * logging[x, a] * np.where(r, means[x, a], 1 - means[x, a])).prod(1)
    assert chance.sum() == pytest.approx(1.0, abs=1e-14)

    @jax.jit
    @jax.vmap
    def estimates(x, a, r):
        pi = jnp.asarray(target)[x]
        w = importance_weights(pi, a, jnp.asarray(logging)[x, a])
        q = cross_fitted(x[:, None] + 0.0, a, r, jnp.arange(3), 0.5, actions_count=2, folds=3)
        above_one = switch_doubly_robust(pi, w, a, r, q, 1.0)
        scores = ips(w, r), doubly_robust(pi, w, a, r, q), above_one, direct_method(pi, q)
        return jnp.stack([value(each) for each in scores])

    with jax.enable_x64(True):
        expected = chance @ np.asarray(estimates(*map(jnp.asarray, (x, a, r + 0.0))))
    truth = p_x @ (target * means).sum(1)
    np.testing.assert_allclose(expected[:2], truth, rtol=0, atol=1e-12)
    assert (np.abs(expected[2:] - truth) > 1e-3).all()  # what relies on the model is biased


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    pi = rng.dirichlet(np.ones(3), (2, 40))  # two policies at once
    a, p = rng.integers(0, 3, 40), rng.uniform(0.1, 1.0, 40)
    r, q = rng.normal(size=40), rng.normal(size=(40, 3))
    with jax.enable_x64(True):
        pi, a, p, r, q = map(jnp.asarray, (pi, a, p, r, q))
        yield pi, importance_weights(pi, a, p), a, p, r, q


def test_formulas_row_by_row(rows):
    @jax.jit
    def estimates(pi, w, a, p, r, q):
        switched = switch_doubly_robust(pi, w, a, r, q, 0.8)
        found = [ips(w, r), clipped_ips(w, r, 0.8), direct_method(pi, q)]
        found += [doubly_robust(pi, w, a, r, q), switched, snips(w, r)]
        return jnp.stack([value(each) for each in found]), standard_error(switched)

    values, error = map(np.asarray, estimates(*rows))
    pi, w, a, p, r, q = map(np.asarray, rows)
    for k in range(2):
        weight = [pi[k, i, a[i]] / p[i] for i in range(40)]
        model = [sum(pi[k, i, j] * q[i, j] for j in range(3)) for i in range(40)]
        left = [r[i] - q[i, a[i]] for i in range(40)]
        weighted = [weight[i] * r[i] for i in range(40)]
        clipped = [min(weight[i], 0.8) * r[i] for i in range(40)]
        full = [model[i] + weight[i] * left[i] for i in range(40)]
        part = [model[i] + (weight[i] <= 0.8) * weight[i] * left[i] for i in range(40)]
        means = [np.mean(each) for each in (weighted, clipped, model, full, part)]
        expected = [*means, sum(weighted) / sum(weight)]
        np.testing.assert_allclose(w[k], weight)
        np.testing.assert_allclose(values[:, k], expected)
        assert error[k] == pytest.approx(np.std(part, ddof=1) / np.sqrt(40))


def test_limits_of_clipping_and_switching(rows):
    pi, w, a, _, r, q = rows
    np.testing.assert_array_equal(clipped_ips(w, r, jnp.inf), ips(w, r))
    switched = [switch_doubly_robust(pi, w, a, r, q, at) for at in (0.0, jnp.inf)]
    np.testing.assert_allclose(switched[0], direct_method(pi, q), rtol=1e-14)
    np.testing.assert_array_equal(switched[1], doubly_robust(pi, w, a, r, q))


def test_a_constant_in_the_rewards_moves_snips_and_doubly_robust_by_itself(rows):
    pi, w, a, _, r, q = rows
    for before, after in (
        (snips(w, r), snips(w, r + 7.0)),
        (doubly_robust(pi, w, a, r, q), doubly_robust(pi, w, a, r + 7.0, q + 7.0)),
    ):
        np.testing.assert_allclose(value(after) - value(before), 7.0, rtol=1e-12)
        np.testing.assert_allclose(standard_error(after), standard_error(before), rtol=1e-9)
    assert (np.abs(value(ips(w, r + 7.0)) - value(ips(w, r)) - 7.0) > 0.1).all()


def test_the_logging_policy_itself_earns_the_mean_reward(rows):
    pi, _, a, _, r, _ = rows
    own = importance_weights(pi, a, pi[0, jnp.arange(40), a])[0]
    for scores in (ips(own, r), snips(own, r)):
        assert value(scores) == pytest.approx(float(r.mean()), abs=1e-14)


def test_effective_sample_size_is_between_one_and_the_rows(rows):
    some = [np.eye(40)[:1] * 3.0, np.full((1, 40), 0.2), np.zeros((1, 40))]
    size = np.asarray(effective_sample_size(jnp.asarray(np.concatenate([rows[1], *some]))))
    assert ((size[:2] > 1.0) & (size[:2] < 40.0)).all()
    np.testing.assert_allclose(size[2:], [1.0, 40.0, 0.0])
