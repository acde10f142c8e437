"""Decisions: rules from bounds, Thompson sampling, ties, what Euclidean bounds cannot see."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.bandit import Claim, Offline, Policy, Rule, Settings, bounds_of, make_assumptions
from lpo.bandit.certificate import Certificate, no_certificate
from lpo.bandit.decide import select
from lpo.bandit.offline import no_offline
from lpo.bandit.state import init, update
from tests import quick

ARMS, C = 3, 2
_init, _bounds = quick.program(init, 0, 5), quick.program(bounds_of, 0)


@partial(quick.jit, static_argnums=(0, 1))
def decided(policy: Policy, g: int, settings: Settings, keys: Any, allowed: Any) -> tuple[Any, ...]:
    """Decisions after 12 rounds on a log of three blocks, or of one, one a key."""
    rng = np.random.default_rng(0)
    half = rng.normal(size=(g, 6, C))
    log = Offline(
        *map(
            jnp.asarray, (half.swapaxes(1, 2) @ half, rng.normal(size=(g, C)), 0.0 * half[:, 0, 0])
        )
    )
    claim = no_certificate(0.1, g, C)
    state = init(policy, settings, make_assumptions(noise=0.3), log, claim, ARMS)
    x, r = rng.normal(size=(12, C)), rng.normal(size=12)
    given = jnp.asarray(x), jnp.arange(12) % ARMS, jnp.asarray(r)
    state = jax.lax.scan(lambda s, now: (update(policy, s, *now), None), state, given)[0]
    features = jnp.asarray(rng.normal(size=(ARMS, C)))
    chosen = jax.vmap(lambda key: select(policy, state, features, allowed, key))(keys)
    return chosen, bounds_of(policy, state, features), state, features


@pytest.mark.parametrize("g", [1, ARMS])
def test_rules_compare_the_bounds_they_name(g):
    key, all_ = jax.random.key(0)[None], jnp.ones(ARMS, bool)
    for rule in (Rule.MIN_UCB, Rule.MIN_WIDTH, Rule.ONLINE, Rule.POOLED, Rule.OFFLINE_GREEDY):
        chosen, bounds, state, x = decided(Policy(rule), g, Settings(), key, all_)
        mean, width, pooled, pooled_width = (np.asarray(leaf) for leaf in bounds)
        theta = np.asarray(state.log.estimate)
        expected = {
            Rule.MIN_UCB: np.minimum(mean + width, pooled + pooled_width),
            Rule.MIN_WIDTH: np.where(pooled_width < width, pooled + pooled_width, mean + width),
            Rule.ONLINE: mean + width,
            Rule.POOLED: pooled + pooled_width,
            Rule.OFFLINE_GREEDY: (np.asarray(x) * theta).sum(-1),
        }[rule]
        np.testing.assert_allclose(chosen.index[0], expected, rtol=1e-6)
        arm = int(chosen.arm[0])
        assert arm == expected.argmax() and chosen.propensity[0] == 1.0 and chosen.stage[0] == 0
        used = {Rule.ONLINE: False, Rule.POOLED: True, Rule.OFFLINE_GREEDY: True}
        assert chosen.used_offline[0] == used.get(rule, pooled_width[arm] < width[arm])


@pytest.mark.parametrize("g", [1, ARMS])
def test_thompson_samples_the_posterior(g):
    """Indices are normal with the estimates as means and v^2 sigma^2 x' V^-1 x as variances; of
    features that arms share with covariances."""
    count, v = 20_000, 0.7
    settings, all_ = Settings(posterior_scale=v), jnp.ones(ARMS, bool)
    keys = jax.random.split(jax.random.key(1), count)
    chosen, bounds, state, x = decided(Policy(Rule.THOMPSON), g, settings, keys, all_)
    index, x = np.asarray(chosen.index), np.asarray(x)
    inverse = np.asarray(state.online.inverse)
    expected = x @ inverse[0] @ x.T
    if g > 1:
        expected = np.diag(np.einsum("kc,kcd,kd->k", x, inverse, x))
    expected = (v * 0.3) ** 2 * expected
    error = np.sqrt(np.diag(expected) / count)
    assert (np.abs(index.mean(0) - np.asarray(bounds.online)) < 4 * error).all()
    spread = np.sqrt(np.outer(np.diag(expected), np.diag(expected)) + expected**2) / np.sqrt(count)
    assert (np.abs(np.cov(index.T) - expected) < 4.5 * spread).all()
    assert np.isnan(chosen.propensity).all() and not chosen.used_offline.any()


def test_arms_that_do_not_exist_are_not_played_and_of_equal_ones_the_first():
    policy, settings = Policy(), Settings()
    given = make_assumptions(), no_offline(1, C), no_certificate(1.0, 1, C)
    state = _init(policy, settings, *given, ARMS)
    alike, select_ = jnp.ones((ARMS, C)), quick.jit(select, static_argnums=0)
    for allowed, arm in (([1, 1, 1], 0), ([0, 1, 1], 1), ([0, 0, 1], 2)):
        chosen = select_(policy, state, alike, jnp.asarray(allowed, bool), jax.random.key(0))
        assert chosen.arm == arm
        np.testing.assert_array_equal(np.isinf(chosen.index), np.logical_not(allowed))


def test_only_the_ellipsoid_sees_the_direction_of_a_bias():
    """Two certificates of one Euclidean norm: along what the log covers, and across."""
    G = np.diag([100.0, 1.0])
    log = Offline(jnp.asarray(G)[None], jnp.ones((1, 2)), jnp.ones(1))
    widths = {}
    for claim in (Claim.PRODUCT, Claim.EUCLIDEAN):
        for name, Q in (("covered", np.diag([0.25, 0.0])), ("across", np.diag([0.0, 0.25]))):
            policy = Policy(claim=claim)
            certificate = Certificate(jnp.asarray(Q)[None, None])
            given = Settings(), make_assumptions(), log, certificate, 2
            widths[claim, name] = np.asarray(
                _bounds(policy, _init(policy, *given), jnp.eye(2)).pooled_width
            )
    np.testing.assert_array_equal(
        widths[Claim.EUCLIDEAN, "covered"], widths[Claim.EUCLIDEAN, "across"]
    )
    across, covered = widths[Claim.PRODUCT, "across"], widths[Claim.PRODUCT, "covered"]
    np.testing.assert_allclose(covered - across, [0.5 * 100 / 101, -0.5 / 2], rtol=1e-4)
