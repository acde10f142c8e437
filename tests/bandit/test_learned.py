"""Learned certificates: they hold, and they gain nothing."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.bandit import (
    Case,
    Offline,
    Policy,
    Settings,
    Widths,
    bounds_of,
    disjoint_family,
    make_assumptions,
    simulate,
)
from lpo.bandit.certificate import no_certificate
from lpo.bandit.learned import learned_budgets, refresh_rounds, refreshed
from lpo.bandit.policy import Rule
from lpo.bandit.radii import online_radius
from lpo.bandit.spherical import spherical_family
from lpo.bandit.state import State, init, update
from tests import quick
from tests.bandit.worlds import Worlds, worlds

SEEDS, HORIZON = 100, 150
POLICIES = {
    "joint": Policy(learned=True),
    "blocks": Policy(learned=True, widths=Widths.PER_BLOCK),
}


@quick.jit
def _learned(given: Worlds) -> dict[str, Any]:
    """Q of both policies after every round in which arms were played in turn, [N, T, g, c, c]."""
    found = {}
    for name, policy in POLICIES.items():

        def one(offline: Any, certificate: Any, rounds: Any, policy: Policy = policy) -> Any:
            arms = rounds.means.shape[-1]
            settings = Settings()
            state = init(policy, settings, given.assumptions, offline, certificate, arms)

            def step(state: State, now: Any) -> tuple[State, Any]:
                t, round_ = now
                arm = t % arms
                state = update(policy, state, round_.features[arm], arm, round_.rewards[arm])
                return state, learned_budgets(policy, state)

            return jax.lax.scan(step, state, (jnp.arange(HORIZON), rounds))[1]

        found[name] = jax.vmap(one)(given.offline, given.certificate, given.rounds)
    return found


@pytest.mark.parametrize("joint", [True, False])
def test_what_is_learned_contains_the_bias(joint):
    """After every round of 100 seeds, not only at refreshes, where the bias is greatest."""
    if joint:
        environment = spherical_family(Case.MISALIGNED, 4, 4, 300)
    else:
        environment = disjoint_family(Case.ADVERSARIAL, 3, 3, 300)
    with jax.enable_x64(True):
        given = worlds(environment, range(SEEDS), HORIZON)
        budgets = {name: np.asarray(Q) for name, Q in _learned(given).items()}
        theta = np.asarray(given.instance.theta)
    opposite = theta * (np.arange(4) >= 2) if joint else theta
    bias = -2 * opposite  # of the family: the log holds the opposite there
    for Q in budgets.values():
        squared = np.einsum("ngc,ntgcd,ngd->ntg", bias, np.linalg.inv(Q), bias)
        assert (squared <= 1.0).all()
        assert squared.max() > 0.05


@quick.jit
@jax.vmap
def _widths(z: Any, x: Any, arm: Any, y: Any, unit: Any, lam: Any) -> dict[str, Any]:
    """Of arms `unit` [2, 3] after rounds `x`: before a refresh, after one, and under the budget
    beta_on^2 V^-1."""
    policy = POLICIES["joint"]
    given = make_assumptions()._replace(regularisation=lam, delta=0.05)
    log = Offline(z.mT @ z, (z.mT @ z).sum(-1), jnp.ones(2))
    state = init(policy, Settings(), given, log, no_certificate(2.0, 2, 3), 2)
    state = jax.lax.scan(lambda s, now: (update(policy, s, *now), None), state, (x, arm, y))[0]
    learnt = refreshed(policy, state)
    budget = online_radius(policy, given, state.online.growth)[0] ** 2 * state.online.inverse
    pull = (log.gram @ budget @ log.gram)[None]
    least = learnt._replace(evidence=learnt.evidence._replace(pull=pull))
    states = {"before": state, "learned": learnt, "least": least}
    return {name: bounds_of(policy, state, unit) for name, state in states.items()}


def test_what_is_learned_from_the_rewards_alone_tightens_nothing():
    """The no-gain lemma, of 300 random logs and rounds: with Q = beta_on^2 V^-1 or more the pooled
    width is not the smaller one wherever its radius is not. Before the first refresh the log is not
    used at all."""
    rng, n = np.random.default_rng(0), 300
    z = rng.normal(size=(n, 2, 12, 3)) * 10 ** rng.uniform(-1, 2, (n, 2, 1, 1))
    x = rng.normal(size=(n, 30, 3)) * 10 ** rng.uniform(-1, 1, (n, 1, 1))
    arm, y, unit = rng.integers(0, 2, (n, 30)), rng.normal(size=(n, 30)), rng.normal(size=(n, 2, 3))
    lam = 10 ** rng.uniform(-1, 1, n)
    with jax.enable_x64(True):
        found = _widths(*map(jnp.asarray, (z, x, arm, y, unit, lam)))
    assert np.isinf(found["before"].pooled_width).all()
    prior = lam[:, None, None, None] * np.eye(3)
    V = prior + np.stack([np.einsum("nt,ntc,ntd->ncd", arm == k, x, x) for k in range(2)], 1)
    G = z.swapaxes(-1, -2) @ z

    def grown(matrix: np.ndarray, since: np.ndarray) -> np.ndarray:
        return (np.linalg.slogdet(matrix)[1] - np.linalg.slogdet(since)[1]).sum(1)

    term = 2 * np.log(4 / 0.05)
    first = np.sqrt(term + grown(V + G, prior))
    second = np.sqrt(6) + np.sqrt(term) + np.sqrt(term + grown(V + G, prior + G))
    wider = np.minimum(first, second) >= np.sqrt(term + grown(V, prior))
    assert wider.mean() > 0.9
    for name in ("learned", "least"):
        online, pooled = (
            np.asarray(width)[wider]
            for width in (found[name].online_width, found[name].pooled_width)
        )
        assert (pooled >= online * (1 - 1e-9)).all()
    assert (pooled / online).min() < 1.05  # it is nearly attained


def test_a_learned_certificate_plays_as_linucb():
    environment = disjoint_family(Case.SMALL_SHIFT, 3, 2, 300, 0.3)
    given = {
        "learned": (POLICIES["joint"], Settings()),
        "online": (Policy(Rule.ONLINE), Settings()),
    }
    played = simulate(environment, given, 300, range(3), x64=True)
    assert not played["learned"].used_offline.any() and played["learned"].state.trusted.all()
    np.testing.assert_array_equal(played["learned"].arm, played["online"].arm)


def test_refreshes_double():
    assert refresh_rounds(4000, 32) == [128, 256, 512, 1024, 2048]
    assert refresh_rounds(128, 32) == [] and refresh_rounds(129, 32) == [128]
    assert refresh_rounds(256, 32) == [128] and refresh_rounds(1, 1) == []
