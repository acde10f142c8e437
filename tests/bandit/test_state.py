"""The state: updates against direct solutions, limits in which policies are the same, what leaves
decisions as they are."""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import ortho_group

from lpo.bandit import (
    Case,
    Certificate,
    Offline,
    Policy,
    Pooling,
    Rule,
    Settings,
    Widths,
    bounds_of,
    disjoint_family,
    make_assumptions,
    offline_sums,
)
from lpo.bandit.certificate import euclidean, no_certificate
from lpo.bandit.offline import no_offline
from lpo.bandit.policy import Claim, stages_of
from lpo.bandit.shared import shared
from lpo.bandit.spherical import spherical_family
from lpo.bandit.state import init, rebuilt, update
from lpo.errors import InputError
from tests import quick
from tests.bandit.worlds import Worlds, trace, worlds

SEEDS, HORIZON = 4, 150
SETTINGS = Settings(width_scale=0.3, horizon=float(HORIZON))
STAGED = Policy(Rule.STAGED, stages=stages_of(HORIZON))
PRECISION = Policy(pooling=Pooling.PRECISION)


_init = quick.program(init, 0, 5)


@partial(quick.jit, static_argnums=0)
def played(policy: Policy, given: Any, x: Any, r: Any, weight: Any = None) -> tuple[Any, Any]:
    """The state after `x` and `r` of the first arm, and the bounds of unit vectors."""
    settings, assumptions, log, claim = given
    state = init(policy, settings, assumptions, log, claim, 2)
    weight = jnp.ones_like(r) if weight is None else weight

    def step(state: Any, now: tuple[Any, Any, Any]) -> tuple[Any, None]:
        features, reward, counts = now
        return update(policy, state, features, jnp.asarray(0), reward, counts), None

    state = jax.lax.scan(step, state, (x, r, weight))[0]
    return state, bounds_of(policy, state, jnp.eye(x.shape[1]))


@cache
def joint() -> Worlds:
    """Arms of different lengths: of one length they are alike at first, and rounding chooses."""
    with jax.enable_x64(True):
        given = worlds(spherical_family(Case.ALIGNED, 3, 6, 300), range(SEEDS), HORIZON)
        three = jnp.pad(given.certificate.budgets, ((0, 0), (0, 1), *((0, 0),) * 3))  # as `own`
        rounds = given.rounds
        length = jax.random.uniform(jax.random.key(0), rounds.means.shape, minval=0.5)
        means = length * rounds.means
        rounds = rounds._replace(
            features=length[..., None] * rounds.features,
            means=means,
            rewards=means + rounds.rewards - rounds.means,
        )
        return given._replace(rounds=rounds, certificate=Certificate(three))


@cache
def own(dense: bool) -> Worlds:
    environment = disjoint_family(Case.ALIGNED, 3, 2, 300, 0.3)
    with jax.enable_x64(True):
        given = shared(environment) if dense else environment
        return worlds(given, range(SEEDS), HORIZON)


def arms_of(policy: Policy, given: Worlds, settings: Settings = SETTINGS) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(trace(policy, settings, given).decision.arm)


def test_updates_by_rank_one_stay_right_over_4000_rounds():
    rng, g, c, rounds = np.random.default_rng(0), 3, 4, 4000
    x, arm = rng.normal(size=(rounds, c)) / 2, rng.integers(0, g, rounds)
    y, lam = rng.normal(size=rounds), 0.7
    G = np.stack([part.T @ part for part in rng.normal(size=(g, 30, c))])
    policy, given = Policy(), make_assumptions(regularisation=lam)

    @quick.jit
    def run(x: Any, arm: Any, y: Any) -> tuple[Any, Any]:
        offline = Offline(jnp.asarray(G), jnp.ones((g, c)), jnp.ones(g))
        state = init(policy, Settings(), given, offline, no_certificate(1.0, g, c), g)
        state = jax.lax.scan(lambda s, now: (update(policy, s, *now), None), state, (x, arm, y))[0]
        return state, rebuilt(state)

    with jax.enable_x64(True):
        states = run(x, arm, y)
    for state in states:
        for block in range(g):
            z = x[arm == block]
            V = lam * np.eye(c) + z.T @ z
            for ridge, gram, before in (
                (state.online, V, lam * np.eye(c)),
                (state.pooled, V + G[block], lam * np.eye(c) + G[block]),
            ):
                inverse = np.linalg.inv(gram)
                np.testing.assert_allclose(ridge.inverse[block], inverse, rtol=1e-8, atol=1e-12)
                grown = np.linalg.slogdet(gram)[1] - np.linalg.slogdet(before)[1]
                np.testing.assert_allclose(ridge.growth[block], grown, rtol=1e-8)
            moment = z.T @ y[arm == block]
            np.testing.assert_allclose(state.online.moment[block], moment, rtol=1e-8, atol=1e-9)
            np.testing.assert_allclose(state.pooled.moment[block], moment + 1, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    "policy",
    [Policy(), Policy(claim=Claim.ELLIPSOID), Policy(claim=Claim.EUCLIDEAN), PRECISION, STAGED],
    ids=["product", "ellipsoid", "euclidean", "precision", "staged"],
)
def test_features_of_arms_in_blocks_are_features_in_one_block(policy):
    """One-hot x context: the same arms, widths and estimates."""
    with jax.enable_x64(True):
        found = [trace(policy, SETTINGS, own(dense)).decision for dense in (False, True)]
    np.testing.assert_array_equal(found[0].arm, found[1].arm)
    for one, other in zip(found[0].bounds, found[1].bounds, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    used = np.mean(found[0].used_offline)
    assert used < 1.0 and (used > 0.0 or policy.claim is Claim.EUCLIDEAN)


@pytest.mark.parametrize(
    ("rule", "pooling"),
    [
        *((rule, Pooling.RIDGE) for rule in (Rule.MIN_UCB, Rule.MIN_WIDTH, Rule.POOLED)),
        *((Rule.MIN_UCB, pooling) for pooling in (Pooling.NAIVE, Pooling.PRECISION)),
    ],
)
def test_a_log_without_rows_leaves_linucb(rule, pooling):
    """Bit for bit."""
    given = own(False)
    empty = jax.tree.map(jnp.zeros_like, given.offline)
    given = given._replace(offline=empty, certificate=jax.tree.map(jnp.ones_like, given[2]))
    with jax.enable_x64(True):
        linucb = trace(Policy(Rule.ONLINE), SETTINGS, given)
        found = trace(Policy(rule, pooling), SETTINGS, given)
    np.testing.assert_array_equal(found.decision.arm, linucb.decision.arm)
    if pooling is not Pooling.PRECISION:  # there the prior of theta_off counts as evidence
        for one, other in zip(found.decision.bounds, linucb.decision.bounds, strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(found.state.pooled.inverse, found.state.online.inverse)
        np.testing.assert_array_equal(found.state.pooled.growth, found.state.online.growth)


def test_without_bias_pooling_is_one_regression_on_all_rows():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    x, r = rng.normal(size=(5, 3)), rng.normal(size=5)
    given = make_assumptions(regularisation=0.5)
    with jax.enable_x64(True):
        log = offline_sums(z, y)
        found = []
        for pooling in (Pooling.RIDGE, Pooling.NAIVE, Pooling.PRECISION):
            policy = Policy(pooling=pooling)
            claim = euclidean(0.7 if pooling is Pooling.NAIVE else 0.0, 3)
            found.append(played(policy, (Settings(), given, log, claim), x, r)[1])
    rows, all_ = np.concatenate([z, x]), np.concatenate([y, r])
    theta = np.linalg.solve(rows.T @ rows + 0.5 * np.eye(3), rows.T @ all_)
    np.testing.assert_allclose(found[0].pooled, theta, rtol=1e-9)
    np.testing.assert_allclose(found[0].pooled_width, found[1].pooled_width, rtol=1e-12)
    # precision: H = A, so that the prior of theta_off stays beside that of theta
    twice = np.linalg.solve(rows.T @ rows + np.eye(3), rows.T @ all_)
    np.testing.assert_allclose(found[2].pooled, twice, rtol=1e-9)


def test_a_certificate_that_says_nothing_leaves_linucb():
    """The log is large, and its budget (2 B)^2 in all directions; noise is so small that the online
    radius stays below 2 B (else the cap is worth something for an arm that was never played)."""
    environment = disjoint_family(Case.ADVERSARIAL, 3, 2, 3000, noise=0.1)
    with jax.enable_x64(True):
        given = worlds(environment, range(SEEDS), HORIZON)
    g, c = given.offline.moment.shape[1:]
    nothing = no_certificate(2 * given.assumptions.bound, g, c).budgets
    every = Certificate(
        jnp.asarray(np.tile(nothing, (SEEDS, 1, 1, 1, 1)), given.offline.gram.dtype)
    )
    given = given._replace(certificate=every)
    settings = Settings(horizon=float(HORIZON))
    with jax.enable_x64(True):
        linucb, found = (
            trace(Policy(rule), settings, given).decision for rule in (Rule.ONLINE, Rule.MIN_UCB)
        )
    assert not found.used_offline.any()
    np.testing.assert_array_equal(found.arm, linucb.arm)


def test_a_direction_with_an_infinite_budget_drops_out_of_precision_pooling():
    """What is left of the log's information is the Schur complement; nothing of the direction."""
    rng = np.random.default_rng(1)
    basis = ortho_group.rvs(4, random_state=2)
    inside, rest = basis[:, :2], basis[:, 2:]
    G = rng.normal(size=(20, 4))
    G = G.T @ G
    given = make_assumptions(regularisation=0.5)
    with jax.enable_x64(True):
        claim = Certificate(jnp.asarray(1e9 * inside @ inside.T)[None, None])
        log = Offline(jnp.asarray(G)[None], jnp.ones((1, 4)), jnp.ones(1))
        H = np.asarray(_init(PRECISION, Settings(), given, log, claim, 2).evidence.gram[0])
    A = basis.T @ (G + 0.5 * np.eye(4)) @ basis
    schur = A[2:, 2:] - A[2:, :2] @ np.linalg.solve(A[:2, :2], A[:2, 2:])
    np.testing.assert_allclose(rest.T @ H @ rest, schur, rtol=1e-5)
    assert np.abs(H @ inside).max() < 1e-6


def test_precision_pooling_of_many_rows_is_finite_in_single_precision():
    """Budgets and rows are further apart than it has digits."""
    basis = ortho_group.rvs(4, random_state=3)
    given = make_assumptions(noise=0.5)
    for rows in (1e3, 1e5, 1e7):
        G = basis @ np.diag([1.0, 0.5, 0.2, 0.1]) @ basis.T * rows
        log = Offline(jnp.asarray(G, jnp.float32)[None], jnp.ones((1, 4)), jnp.ones(1))
        turned = ortho_group.rvs(4, random_state=4)[:, :2]
        claim = Certificate(jnp.asarray(9.0 * turned @ turned.T, jnp.float32)[None, None])
        H = np.asarray(_init(PRECISION, Settings(), given, log, claim, 2).evidence.gram[0])
        value = np.linalg.eigvalsh(H)
        assert np.isfinite(H).all() and value[0] > -1e-6 * value[-1]
        assert turned[:, 0] @ H @ turned[:, 0] < 1e-3 * value[-1] + 0.25 / 9.0


@pytest.mark.parametrize(
    "policy", [Policy(), PRECISION, STAGED], ids=["ridge", "precision", "staged"]
)
def test_a_rotation_of_features_changes_nothing(policy):
    given, R = joint(), ortho_group.rvs(6, random_state=0)
    with jax.enable_x64(True):
        turned = given._replace(
            offline=given.offline._replace(
                gram=R.T @ given.offline.gram @ R, moment=given.offline.moment @ R
            ),
            certificate=Certificate(jnp.asarray(R.T @ given.certificate.budgets @ R)),
            rounds=given.rounds._replace(features=given.rounds.features @ R),
        )
    arms = arms_of(policy, given)
    np.testing.assert_array_equal(arms_of(policy, turned), arms)
    assert len(np.unique(arms)) == 3


@pytest.mark.parametrize("policy", [Policy(), PRECISION], ids=["ridge", "precision"])
def test_other_units_of_reward_change_nothing(policy):
    """Rewards, sigma, bounds and roots of budgets in other units. Not of rule staged, whose
    thresholds 2^-s are in units of reward."""
    given, s = joint(), 7.5
    a = given.assumptions
    bounds = {name: s * getattr(a, name) for name in a._fields[2:]}
    with jax.enable_x64(True):
        scaled = given._replace(
            offline=given.offline._replace(moment=s * given.offline.moment),
            certificate=Certificate(s**2 * given.certificate.budgets),
            rounds=given.rounds._replace(rewards=s * given.rounds.rewards),
            assumptions=a._replace(**bounds),
        )
    np.testing.assert_array_equal(arms_of(policy, scaled), arms_of(policy, given))


def test_forgetting_weighs_rewards_by_their_age():
    rng, gamma = np.random.default_rng(0), 0.9
    x, r = rng.normal(size=(30, 2)), rng.normal(size=30)
    z, y = rng.normal(size=(10, 2)), rng.normal(size=10)
    policy, settings = Policy(forgets=True), Settings(discount=gamma)
    with jax.enable_x64(True):
        given = settings, make_assumptions(), offline_sums(z, y), euclidean(0.1, 2)
        twice = np.repeat(x, 2, 0), np.repeat(r, 2)  # a reward that has not come ages nothing
        found = played(policy, given, *twice, np.tile([1.0, 0.0], 30))[1]
    weight = gamma ** np.arange(29, -1, -1.0)
    V = np.eye(2) + (weight[:, None] * x).T @ x
    W = V + gamma**30 * z.T @ z
    np.testing.assert_allclose(found.online, np.linalg.solve(V, (weight * r) @ x), rtol=1e-9)
    both = (weight * r) @ x + gamma**30 * y @ z
    np.testing.assert_allclose(found.pooled, np.linalg.solve(W, both), rtol=1e-9)


@pytest.mark.parametrize(
    ("claim", "arms"),
    [
        (no_certificate(1.0, 3, 2), 3),
        (no_certificate(1.0, 2, 3), 2),
        (no_certificate(1.0, 2, 2), 3),
    ],
)
def test_blocks_that_do_not_fit_are_refused(claim, arms):
    with pytest.raises(InputError, match="blocks"):
        init(Policy(), Settings(), make_assumptions(), no_offline(2, 2), claim, arms)


def test_a_learned_certificate_starts_from_none():
    """Whatever is claimed, of however many parts: what it is refreshed to has one."""
    claim = Certificate(jnp.ones((3, 2, 2, 2)))
    policy = Policy(learned=True, widths=Widths.PER_BLOCK)
    state = _init(policy, Settings(), make_assumptions(), no_offline(2, 2), claim, 2)
    assert state.log.budgets.shape == (1, 2, 2, 2) and not state.trusted.any()
