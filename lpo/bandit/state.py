"""What a policy knows: sums over its own rounds, sums pooled with a log. docs/bandit.md.

Dense or block by block, one round costs a few products of K feature vectors with a matrix:
inverses are kept by Sherman and Morrison's formula and rebuilt now and then.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lpo.bandit.assumptions import Assumptions
from lpo.bandit.blocks import active, inverse_and_growth
from lpo.bandit.certificate import (
    Certificate,
    euclidean_cover,
    least_ellipsoids,
    one_ellipsoid,
)
from lpo.bandit.offline import Offline
from lpo.bandit.policy import Claim, Policy, Pooling, Settings, Widths
from lpo.bandit.radii import allowed_error, crossing, precision_constant
from lpo.errors import InputError


class Ridge(NamedTuple):
    """Of a ridge regression on g blocks of c features. inverse: of lambda I + gram, [g, c, c].
    moment: [g, c]. growth: log det (lambda I + gram) less what it was before round 0, [g]."""

    inverse: jax.Array
    moment: jax.Array
    growth: jax.Array


class Evidence(NamedTuple):
    """What is added to the online sums. gram: G, or H of precision pooling, [g, c, c]. moment:
    [g, c]. growth: log det (I + gram / lambda), [g]. pull: G Q G of each part, [m, g, c, c], of
    which the penalty is made. constant: what radii have in place of one, [g] (precision)."""

    gram: jax.Array
    moment: jax.Array
    growth: jax.Array
    pull: jax.Array
    constant: jax.Array


class Log(NamedTuple):
    """What the log says by itself. estimate: theta_off, [g, c]. inverse: of lambda I + G. gram: G.
    budgets: Q, [m, g, c, c]."""

    estimate: jax.Array
    inverse: jax.Array
    gram: jax.Array
    budgets: jax.Array


class Audit(NamedTuple):
    """Of each block, [g]. excess: S, by how much rewards differ from what the log predicts, in the
    direction that online data point to. allowed: C, by how much a true certificate allows. count:
    N, rounds. arms: K, []."""

    excess: jax.Array
    allowed: jax.Array
    count: jax.Array
    arms: jax.Array


class State(NamedTuple):
    """round: t, []. gram: of the online features, [g, c, c]. trusted: whether the pooled bound of a
    block counts, [g] bool. decay: of the log, [] (discounting). The rest is static between
    refreshes, but for `online`, `pooled` and `audit`."""

    round: jax.Array
    gram: jax.Array
    online: Ridge
    pooled: Ridge
    evidence: Evidence
    log: Log
    audit: Audit
    trusted: jax.Array
    decay: jax.Array
    assumptions: Assumptions
    settings: Settings


def init(
    policy: Policy,
    settings: Settings,
    assumptions: Assumptions,
    offline: Offline,
    certificate: Certificate,
    arms: int,
) -> State:
    """Return the state before the first round, of `arms` arms. Traceable.

    Raises InputError where the log and the certificate are of other blocks.
    """
    g, c = offline.moment.shape
    if certificate.shape != (g, c) or g not in (1, arms):
        raise InputError(
            f"a log and a certificate of 1 or {arms} blocks of as many features, got {g} blocks of "
            f"{c} and {certificate.shape[0]} of {certificate.shape[1]}."
        )
    numbers = settings, assumptions, certificate
    settings, assumptions, certificate = jax.tree.map(
        lambda leaf: jnp.asarray(leaf, offline.gram.dtype), numbers
    )
    certificate = claimed(policy, certificate)
    lam = assumptions.regularisation
    zeros = jnp.zeros_like
    inverse, _ = inverse_and_growth(offline.gram, lam)
    estimate = jnp.einsum("gcd,gd->gc", inverse, offline.moment)
    log = Log(estimate, inverse, offline.gram, certificate.budgets)
    evidence = evidence_of(policy, assumptions, offline, log)
    nothing = Ridge(*inverse_and_growth(zeros(offline.gram), lam), zeros(offline.moment))
    online = Ridge(nothing.inverse, zeros(offline.moment), jnp.zeros(g, offline.gram.dtype))
    pooled_inverse, _ = inverse_and_growth(evidence.gram, lam)
    pooled = Ridge(pooled_inverse, evidence.moment, online.growth)
    none = jnp.zeros(g, offline.gram.dtype)
    union = jnp.asarray(arms, offline.gram.dtype)
    return State(
        jnp.zeros((), jnp.int32),
        zeros(offline.gram),
        online,
        pooled,
        evidence,
        log,
        Audit(none, none, none, union),
        jnp.full(g, not policy.learned),
        jnp.ones((), offline.gram.dtype),
        assumptions,
        settings,
    )


def claimed(policy: Policy, certificate: Certificate) -> Certificate:
    """Return what a policy uses of a certificate: nothing, if it learns its own (one part)."""
    if policy.learned:
        return Certificate(certificate.budgets[:1] * 0.0)
    match policy.claim:
        case Claim.PRODUCT:
            return certificate
        case Claim.ELLIPSOID:
            return one_ellipsoid(certificate)
        case Claim.EUCLIDEAN:
            return euclidean_cover(certificate)


def evidence_of(policy: Policy, assumptions: Assumptions, offline: Offline, log: Log) -> Evidence:
    """Return what the log adds under a policy's pooling."""
    lam, sigma = assumptions.regularisation, assumptions.noise
    if policy.pooling is Pooling.PRECISION:
        budgets = log.budgets[0]
        if policy.claim is Claim.PRODUCT:
            over_blocks = policy.widths is Widths.JOINT
            budgets = least_ellipsoids(Certificate(log.budgets), over_blocks)
        ridge = log.gram + lam * jnp.eye(log.gram.shape[-1], dtype=log.gram.dtype)
        gram = _discounted(ridge, budgets / sigma**2)
        constant = precision_constant(policy, assumptions, gram, log.inverse)
        moment = jnp.einsum("gcd,gd->gc", gram, log.estimate)
        pull = jnp.zeros_like(gram)[None]
    else:
        gram, moment = offline.gram, offline.moment
        naive = policy.pooling is Pooling.NAIVE
        budgets = log.budgets[:1] * 0.0 if naive else log.budgets
        pull = jnp.einsum("gab,mgbc,gcd->mgad", gram, budgets, gram, optimize=True)
        constant = jnp.zeros(len(gram), gram.dtype)
    _, growth = inverse_and_growth(gram, lam)
    return Evidence(gram, moment, growth, pull, constant)


def _discounted(gram: jax.Array, spread: jax.Array) -> jax.Array:
    """H = (gram^-1 + spread)^-1, [g, c, c], which is L (I + L' spread L)^-1 L' for gram = L L'.

    By orthogonal factors of what is squared there: many rows and large budgets lie further apart
    than float32 has digits.
    """
    factor = jnp.linalg.cholesky(gram)
    value, vector = jnp.linalg.eigh(spread)
    half = jnp.sqrt(jnp.clip(value, 0.0))[..., None] * vector.mT
    eye = jnp.broadcast_to(jnp.eye(gram.shape[-1], dtype=gram.dtype), gram.shape)
    root = jnp.linalg.qr(jnp.concatenate([eye, half @ factor], -2), mode="r")
    inside = jax.scipy.linalg.solve_triangular(root, factor.mT, trans=1)
    return inside.mT @ inside


def update(
    policy: Policy,
    state: State,
    features: jax.Array,
    arm: jax.Array,
    reward: jax.Array,
    weight: jax.Array | float = 1.0,
) -> State:
    """Return the state after `arm`, with features [c], has brought `reward`.

    weight 0: nothing happened (a reward that has not come yet), 1: it did.
    """
    features, reward = features * weight, reward * weight
    block = active(len(state.gram), arm, state.gram.dtype)
    if policy.audit:
        state = _audited(policy, state, features, block, reward, weight)
    if policy.forgets:
        state = _aged(state, weight)
    after = state._replace(
        round=state.round + jnp.asarray(weight, jnp.int32),
        gram=state.gram + block[:, None, None] * (features[:, None] * features),
        online=added(state.online, features, block, reward),
        pooled=added(state.pooled, features, block, reward),
    )
    return rebuilt(after) if policy.forgets else after


def rebuilt(state: State) -> State:
    """Return the state with inverses and determinants anew from the sums, as rounding errors of
    many updates in float32 ask for."""
    moments = state.online.moment, state.pooled.moment
    online, pooled = ridges_of(state.assumptions, state.evidence, state.gram, state.decay, *moments)
    return state._replace(online=online, pooled=pooled)


def ridges_of(
    assumptions: Assumptions,
    evidence: Evidence,
    gram: jax.Array,
    decay: jax.Array,
    online: jax.Array,
    pooled: jax.Array,
) -> tuple[Ridge, Ridge]:
    """Return the two regressions of moments `online` and `pooled`, [g, c], from their sums."""
    lam = assumptions.regularisation
    inverse, growth = inverse_and_growth(gram, lam)
    both, of_both = inverse_and_growth(gram + decay * evidence.gram, lam)
    return Ridge(inverse, online, growth), Ridge(both, pooled, of_both - evidence.growth)


def added(ridge: Ridge, features: jax.Array, block: jax.Array, reward: jax.Array) -> Ridge:
    """Return a regression after a reward: Sherman-Morrison on the inverse of one block."""
    spread = block[:, None] * (ridge.inverse @ features)  # [g, c]
    length = (spread @ features).sum()
    return Ridge(
        ridge.inverse - spread[:, :, None] * spread[:, None, :] / (1.0 + length),
        ridge.moment + block[:, None] * (features * reward),
        ridge.growth + block * jnp.log1p(length),
    )


def _audited(
    policy: Policy,
    state: State,
    features: jax.Array,
    block: jax.Array,
    reward: jax.Array,
    weight: Any,
) -> State:
    log, audit = state.log, state.audit
    online = jnp.einsum("gcd,gd->gc", state.online.inverse, state.online.moment)
    predicted = (block @ log.estimate) @ features
    towards = jnp.sign((block @ online) @ features - predicted)
    squared = jnp.einsum("c,g,gcd,d->", features, block, log.inverse, features)
    bias = jnp.einsum("c,g,mgcd,d->m", features, block, log.budgets, features)
    allowed = allowed_error(policy, state.assumptions, state.settings.horizon, audit.arms)
    allowed = allowed * jnp.sqrt(jnp.clip(squared, 0.0)) + jnp.sqrt(jnp.clip(bias, 0.0)).sum()
    audit = audit._replace(
        excess=audit.excess + block * towards * (reward - predicted),
        allowed=audit.allowed + block * allowed,
        count=audit.count + block * weight,
    )
    threshold = crossing(policy, state.assumptions, audit.count, audit.arms)
    false = audit.excess > audit.allowed + threshold
    return state._replace(audit=audit, trusted=state.trusted & ~false)


def _aged(state: State, weight: Any) -> State:
    """Everything weighs `discount` times as much as before, once a reward comes."""
    factor = 1.0 - weight * (1.0 - state.settings.discount)
    return state._replace(
        gram=state.gram * factor,
        decay=state.decay * factor,
        online=state.online._replace(moment=state.online.moment * factor),
        pooled=state.pooled._replace(moment=state.pooled.moment * factor),
    )
