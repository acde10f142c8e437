"""Family S: features that all arms share, new in every round."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.bandit import Case, Policy, Rule, Settings, simulate
from lpo.bandit.families import Drawn
from lpo.bandit.offline import no_offline
from lpo.bandit.spherical import direction_of, spherical_family
from tests import quick

SEEDS = range(6)
CASES = Case.ZERO_SHIFT, Case.ALIGNED, Case.FULL_COVERAGE, Case.ADVERSARIAL


def mean_regret(case: Case, policy: Policy) -> float:
    """After 4000 rounds, of the seeds."""
    given = {"": (policy._replace(union_split=False), Settings())}
    played = simulate(spherical_family(case), given, 4000, SEEDS)[""]
    return float(np.asarray(played.regret).sum(1).mean())


@pytest.fixture(scope="module")
def regret():
    """By case; what does not use the log plays the same in all: `online`."""
    online = mean_regret(Case.ADVERSARIAL, Policy(Rule.ONLINE))
    return {case: mean_regret(case, Policy()) for case in CASES} | {"online": online}


def test_measured_regret(regret):
    # of another implementation with 24 seeds; three standard errors of six seeds
    for case, expected, error in (
        (Case.ZERO_SHIFT, 4.2, 1.5),
        (Case.ALIGNED, 52.0, 8.0),
        (Case.FULL_COVERAGE, 59.0, 9.0),
        (Case.ADVERSARIAL, 39.8, 8.0),
    ):
        assert regret[case] == pytest.approx(expected, abs=error)
    assert regret["online"] == pytest.approx(40.0, abs=8.0)


def test_the_minimum_may_lose_but_not_much(regret):
    for case in CASES:
        assert regret[case] <= 1.6 * regret["online"]
    assert regret[Case.ALIGNED] > regret["online"]
    assert regret[Case.ZERO_SHIFT] < 0.2 * regret["online"]


def test_a_budget_that_says_nothing_changes_nothing(regret):
    assert regret[Case.ADVERSARIAL] == pytest.approx(regret["online"], rel=1e-3)


@pytest.mark.parametrize("case", [case for case in Case if case is not Case.FALSE_CERTIFICATE])
def test_certificates_hold(case):
    environment = spherical_family(case, rows=20_000, noise=0.003, regularisation=1e-3)
    instance = environment.draw(jax.random.key(3))
    log = environment.offline(instance)
    estimate = np.linalg.solve(np.asarray(log.gram[0], float), np.asarray(log.moment[0], float))
    bias = estimate - np.asarray(instance.theta[0])
    budgets = np.asarray(environment.certificate(instance).budgets[:, 0], float)
    for part in budgets:  # each bounds the bias in features of its own
        inside = np.diag(part) > 0.0
        size = np.sqrt(np.diag(part)[inside].max())
        assert np.linalg.norm(bias[inside]) <= 1.001 * size + 2e-3
    given = environment.assumptions
    assert np.linalg.norm(instance.theta) <= given.bound
    assert np.linalg.norm(estimate) <= given.bound_off + 2e-3


def test_what_the_log_covers():
    environment = spherical_family(Case.ALIGNED, rows=20_000)
    gram = np.asarray(environment.draw(jax.random.key(0)).offline.gram[0])
    squares = np.diag(gram)
    assert squares.sum() == pytest.approx(20_000, rel=1e-4)  # rows of length 1
    assert squares[-2:].mean() / squares[:-2].mean() == pytest.approx(0.055, abs=0.003)


def test_sizes_scale_with_the_norm():
    one, two = (direction_of(Case.ALIGNED, 5, norm) for norm in (1.0, 2.0))
    assert two.moved == 2.0 * one.moved
    np.testing.assert_array_equal(two.claimed[-2:], 2.0 * one.claimed[-2:])


def test_arms_come_and_go():
    environment = spherical_family(Case.ALIGNED, rows=1, most_delay=3, available=0.5)
    instance = Drawn(jnp.eye(20)[:1], no_offline(1, 20))
    keys = jax.random.split(jax.random.key(1), 500)
    rounds = quick.jit(jax.vmap(environment.play, (None, 0)))(instance, keys)
    np.testing.assert_allclose(np.linalg.norm(rounds.features, axis=-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(rounds.means, rounds.features @ instance.theta[0], atol=1e-6)
    allowed = np.asarray(rounds.allowed)
    assert allowed.any(1).all() and abs(allowed.mean() - 0.5) < 0.03
    assert sorted(set(np.asarray(rounds.delay).tolist())) == [0, 1, 2, 3]
