"""Which arm a policy plays. docs/bandit.md, "Rule"."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lpo.bandit.blocks import inner, of_arm, times
from lpo.bandit.policy import Policy, Rule, Settings
from lpo.bandit.radii import online_radius, pooled_radius
from lpo.bandit.state import Ridge, State


class Bounds(NamedTuple):
    """Of each arm, [K]. online, pooled: estimates of the expected reward. online_width,
    pooled_width: by how much they can be wrong; infinite where a log is not trusted."""

    online: jax.Array
    online_width: jax.Array
    pooled: jax.Array
    pooled_width: jax.Array


class Decision(NamedTuple):
    """arm: []. propensity: probability with which it was played, []; NaN for Thompson sampling,
    which has no closed form. used_offline: whether the pooled width of the arm is the smaller one,
    []. index: by which arms were compared, [K]. bounds: of all arms. stage: of rule staged, in
    which the round is stored, -1: in none; 0 of others, []."""

    arm: jax.Array
    propensity: jax.Array
    used_offline: jax.Array
    index: jax.Array
    bounds: Bounds
    stage: jax.Array


def select(
    policy: Policy,
    state: State,
    features: jax.Array,
    allowed: jax.Array,
    key: jax.Array,
) -> Decision:
    """Return the decision for arms with `features` [K, c], of which those `allowed` [K] exist.

    With probability epsilon any allowed arm is played. Of equal indices the first one counts. At
    least one arm must be allowed.
    """
    of_index, of_mixing = jax.random.split(key)
    bounds = bounds_of(policy, state, features)
    index = jnp.where(allowed, _index(policy, state, features, bounds, of_index), -jnp.inf)
    best = jnp.argmax(index)
    arm, propensity = mixed(policy, state.settings, best, allowed, of_mixing)
    used = bounds.pooled_width[arm] < bounds.online_width[arm]
    if not policy.rule.two:
        used = jnp.full_like(used, policy.rule in (Rule.POOLED, Rule.OFFLINE_GREEDY))
    return Decision(arm, propensity, used, index, bounds, jnp.zeros((), jnp.int32))


def bounds_of(policy: Policy, state: State, features: jax.Array) -> Bounds:
    """Return estimates and widths of arms with `features` [K, c]."""
    online, spread = estimated(state.online, features)
    radius = online_radius(policy, state.assumptions, state.online.growth)
    scale, arms = state.settings.width_scale, len(features)
    width = scale * of_arm(radius, arms) * root((spread * features).sum(-1))
    pooled, spread = estimated(state.pooled, features)
    radius = pooled_radius(
        policy,
        state.assumptions,
        state.pooled.growth,
        state.evidence.growth,
        state.evidence.constant,
        features.shape[-1],
    )
    penalty = sum(root((times(part, spread) * spread).sum(-1)) for part in state.evidence.pull)
    pooled_width = scale * of_arm(radius, arms) * root((spread * features).sum(-1))
    pooled_width = pooled_width + state.decay * penalty
    pooled_width = jnp.where(of_arm(state.trusted, arms), pooled_width, jnp.inf)
    return Bounds(online, width, pooled, pooled_width)


def _index(
    policy: Policy, state: State, features: jax.Array, bounds: Bounds, key: jax.Array
) -> jax.Array:
    """[K]: the greatest wins."""
    online = bounds.online + bounds.online_width
    pooled = bounds.pooled + bounds.pooled_width
    match policy.rule:
        case Rule.MIN_UCB:
            return jnp.minimum(online, pooled)
        case Rule.MIN_WIDTH:
            return jnp.where(bounds.pooled_width < bounds.online_width, pooled, online)
        case Rule.ONLINE:
            return online
        case Rule.POOLED:
            return pooled
        case Rule.OFFLINE_GREEDY:
            return inner(state.log.estimate, features)
        case Rule.THOMPSON:
            return bounds.online + _sampled(state, features, key)
        case _:
            return jnp.zeros(len(features), features.dtype)


def mixed(
    policy: Policy, settings: Settings, best: jax.Array, allowed: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the arm that is played where `best` has the greatest index, and its probability."""
    one = jnp.ones_like(settings.epsilon)
    if policy.rule is Rule.UNIFORM:
        epsilon = one
    elif policy.mixes:
        epsilon = settings.epsilon
    else:
        return best, jnp.nan * one if policy.rule is Rule.THOMPSON else one
    mix, draw = jax.random.split(key)
    drawn = jnp.argmax(jnp.where(allowed, jax.random.uniform(draw, allowed.shape), -1.0))
    arm = jnp.where(jax.random.uniform(mix) < epsilon, drawn, best)
    propensity = epsilon / allowed.sum() + (1.0 - epsilon) * (arm == best)
    return arm, jnp.nan * one if policy.rule is Rule.THOMPSON else propensity


def estimated(ridge: Ridge, features: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return estimates of the arms' rewards [K], and features times the inverse, [K, c]."""
    spread = times(ridge.inverse, features)
    return inner(ridge.moment, spread), spread


def _sampled(state: State, features: jax.Array, key: jax.Array) -> jax.Array:
    """[K]: what a sample of the posterior N(0, v^2 sigma^2 V^-1) adds to each arm."""
    given, dtype = state.assumptions, features.dtype
    v = state.settings.posterior_scale * given.noise
    if len(state.gram) > 1:  # arms of different blocks are independent
        spread = times(state.online.inverse, features)
        normal = jax.random.normal(key, (len(features),), dtype)
        return v * root((spread * features).sum(-1)) * normal
    eye = jnp.eye(features.shape[-1], dtype=dtype)
    factor = jnp.linalg.cholesky(given.regularisation * eye + state.gram[0])
    normal = jax.random.normal(key, (features.shape[-1],), dtype)
    return v * features @ jax.scipy.linalg.solve_triangular(factor.T, normal)


def root(squared: jax.Array) -> jax.Array:
    """Return roots of quadratic forms, which rounding can make negative."""
    return jnp.sqrt(jnp.clip(squared, 0.0))
