"""The cross-fitted ridge against least squares with the penalty as rows, fold by fold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.bandit.ope.estimators import direct_method, value
from lpo.bandit.ope.log import make_log
from lpo.bandit.ope.reward_model import cross_fitted, fold_of_rows, predicted_rewards
from lpo.errors import InputError

N, ACTIONS, FOLDS = 46, 4, 3


def some_log(c=2):
    rng = np.random.default_rng(1)
    contexts = rng.normal(size=(N, c)) * 10.0 + 3.0
    actions = rng.integers(0, ACTIONS - 1, N)  # the last one is in no row
    rewards = 5.0 + contexts.sum(1) * (1 + actions) + rng.normal(size=N)
    names = tuple("abcd")
    return make_log(contexts, actions, rewards, np.full(N, 0.3), action_names=names)


def predicted(contexts, actions, rewards, fold, regularisation=1.0):
    with jax.enable_x64(True):
        given = map(jnp.asarray, (contexts, actions, rewards, fold.astype(np.int32)))
        sizes = {"actions_count": ACTIONS, "folds": FOLDS, "chunk": 7}  # the last chunk is of 4
        found = cross_fitted(*given, regularisation, **sizes)
        return np.asarray(found)


def least_squares(phi, rewards, penalty, centre):
    """argmin |rewards - phi t|^2 + |penalty (t - centre)|^2."""
    both = np.vstack([phi, penalty]), np.concatenate([rewards, penalty @ centre])
    return np.linalg.lstsq(*both, rcond=None)[0]


@pytest.mark.parametrize("kind", ["two columns", "no columns", "a constant column"])
@pytest.mark.parametrize("regularisation", [0.3, 4.0])
def test_predictions_are_those_of_least_squares_on_the_other_folds(kind, regularisation):
    log = some_log(0 if kind == "no columns" else 2)
    contexts = varying = log.contexts
    if kind == "a constant column":  # changes nothing
        contexts = np.column_stack([contexts[:, 0], np.full(N, 0.1)])
        varying = contexts[:, :1]
    fold = np.random.default_rng(2).integers(0, FOLDS, N)
    found = predicted(contexts, log.actions, log.rewards, fold, regularisation)
    phi = np.column_stack([np.ones(N), (varying - varying.mean(0)) / varying.std(0)])
    d = phi.shape[1]
    root = np.sqrt(regularisation) * np.eye(d)
    for f in range(FOLDS):
        out, own = fold != f, fold == f
        shared = least_squares(phi[out], log.rewards[out], root[1:], np.zeros(d))
        for a in range(ACTIONS):
            at = out & (log.actions == a)
            theta = least_squares(phi[at], log.rewards[at], root, shared)
            np.testing.assert_allclose(found[own, a], phi[own] @ theta, rtol=1e-9)
        np.testing.assert_allclose(theta, shared)  # the last action has no rows


def test_predictions_of_a_fold_do_not_depend_on_its_actions_and_rewards():
    log = some_log()
    fold = np.arange(N) % FOLDS
    own = fold == 1
    before = predicted(log.contexts, log.actions, log.rewards, fold)
    rewards = np.where(own, 1e9, log.rewards)
    actions = np.where(own, ACTIONS - 1, log.actions)
    after = predicted(log.contexts, actions, rewards, fold)
    np.testing.assert_array_equal(after[own], before[own])
    assert (np.abs(after - before)[~own] > 1.0).all()


def test_a_constant_in_the_rewards_is_added_to_the_predictions():
    log = some_log()
    fold = np.arange(N) % FOLDS
    moved = predicted(log.contexts, log.actions, log.rewards + 100.0, fold)
    before = predicted(log.contexts, log.actions, log.rewards, fold)
    np.testing.assert_allclose(moved - before, 100.0, rtol=1e-9)


def test_the_model_alone_is_exact_where_rewards_are_linear():
    rng = np.random.default_rng(0)
    log = some_log()
    theta = rng.normal(size=(ACTIONS, 2))
    actions = np.arange(N) % ACTIONS
    means = 2.0 + log.contexts @ theta.T
    rewards, fold = means[np.arange(N), actions], np.arange(N) // 4 % FOLDS
    q = predicted(log.contexts, actions, rewards, fold, 1e-10)
    np.testing.assert_allclose(q, means, atol=1e-6)
    pi = rng.dirichlet(np.ones(ACTIONS), N)
    with jax.enable_x64(True):
        found = value(direct_method(jnp.asarray(pi), jnp.asarray(q)))
    assert found == pytest.approx((pi * means).sum(1).mean(), abs=1e-7)


def test_a_regularisation_that_rounding_swallows_is_refused():
    log = some_log()
    twice = log._replace(contexts=np.column_stack([log.contexts[:, 0], 2.0 * log.contexts[:, 0]]))
    with pytest.raises(InputError) as error:
        predicted_rewards(twice, folds=FOLDS, regularisation=1e-300)
    assert str(error.value) == "`regularisation` of 1e-300 is too small for these contexts."


def test_folds_are_of_one_size_and_by_the_seed():
    sizes = np.bincount(fold_of_rows(jax.random.key(0), N, FOLDS))
    assert sorted(sizes) == [15, 15, 16]
    log = some_log()
    one, same, other = (predicted_rewards(log, folds=FOLDS, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "`folds` must be a whole number of 2 to 46, the rows; got 1."),
        ({"folds": 47}, "`folds` must be a whole number of 2 to 46, the rows; got 47."),
        ({"folds": 2.5}, "`folds` must be a whole number of 2 to 46, the rows; got 2.5."),
        ({"regularisation": 0.0}, "`regularisation` must be above 0 and finite, got 0.0."),
    ],
)
def test_refusals(options, message):
    with pytest.raises(InputError) as error:
        predicted_rewards(some_log(), **options)
    assert str(error.value) == message
