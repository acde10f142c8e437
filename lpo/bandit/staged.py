"""SupLinUCB with both widths. docs/bandit.md, "Stages".

Chu, Li, Reyzin and Schapire (AISTATS 2011), Algorithm 1 (Auer, 2002): rounds are stored by the
stage at which their arm was too uncertain, so that the rewards of a stage are independent given
their features, and widths need no factor sqrt(d). The noise of the log, which all stages share,
breaks that for the pooled estimate: the bound on its norm is paid in each (`staged_radii`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lpo.bandit import state as single
from lpo.bandit.assumptions import Assumptions
from lpo.bandit.blocks import active, times
from lpo.bandit.certificate import Certificate
from lpo.bandit.decide import Bounds, Decision, estimated, mixed, root
from lpo.bandit.offline import Offline
from lpo.bandit.policy import Policy, Settings
from lpo.bandit.radii import staged_radii
from lpo.bandit.state import Evidence, Ridge


class Staged(NamedTuple):
    """Of n stages. round: []. gram: of the features that a stage stored, [n, g, c, c]. online,
    pooled: leaves [n, g, ...]. evidence: of the log, the same for all stages."""

    round: jax.Array
    gram: jax.Array
    online: Ridge
    pooled: Ridge
    evidence: Evidence
    assumptions: Assumptions
    settings: Settings


class _Walk(NamedTuple):
    """A round's way through the stages. alive: arms that are left, [K]. stopped: [] bool. stage: at
    which it stopped, []. explores: whether for an uncertain arm, [] bool."""

    alive: jax.Array
    stopped: jax.Array
    stage: jax.Array
    explores: jax.Array


def init(
    policy: Policy,
    settings: Settings,
    assumptions: Assumptions,
    offline: Offline,
    certificate: Certificate,
    arms: int,
) -> Staged:
    """Return the state before the first round. Traceable. Raises InputError as `state.init`.

    Of ceil(log2 T) stages only the first half, rounded up, can be reached: behind it 2^-s is less
    than the 1 / sqrt(T) at which every round stops.
    """
    one = single.init(policy, settings, assumptions, offline, certificate, arms)
    kept = (policy.stages + 1) // 2

    def every(leaf: jax.Array) -> jax.Array:
        return jnp.broadcast_to(leaf, (kept, *leaf.shape))

    online, pooled = jax.tree.map(every, (one.online, one.pooled))
    return Staged(
        one.round, every(one.gram), online, pooled, one.evidence, one.assumptions, one.settings
    )


def select(
    policy: Policy, state: Staged, features: jax.Array, allowed: jax.Array, key: jax.Array
) -> Decision:
    """Return the decision for arms with `features` [K, c], of which those `allowed` [K] exist.

    Stage by stage: if no width is above 1 / sqrt(T), the arm with the greatest upper bound is
    played, and not stored; else the arm with the greatest width, if it is above 2^-s, is played and
    stored; else only arms whose upper bound is within 2^(1-s) of the greatest go on. What counts is
    the narrower one of two widths. Decision.index: of the arms that were left.
    """
    bounds = jax.vmap(lambda *of: _bounds(policy, state, features, *of))(state.online, state.pooled)
    narrower = bounds.pooled_width < bounds.online_width
    width = jnp.where(narrower, bounds.pooled_width, bounds.online_width)  # [n, K]
    upper = jnp.where(narrower, bounds.pooled, bounds.online) + width
    count = len(width)
    enough = 1.0 / jnp.sqrt(state.settings.horizon)

    def step(walk: _Walk, here: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[_Walk, None]:
        at, width, upper = here
        scale = jnp.exp2(-(at + 1.0).astype(width.dtype))
        most = jnp.where(walk.alive, width, -jnp.inf).max()
        explores = (most > enough) & (most > scale)
        stops = explores | (most <= enough) | (at == count - 1)
        best = jnp.where(walk.alive, upper, -jnp.inf).max()
        left = walk.alive & (upper >= best - 2.0 * scale)
        now = _Walk(jnp.where(stops, walk.alive, left), stops, at, explores)
        return jax.tree.map(lambda old, new: jnp.where(walk.stopped, old, new), walk, now), None

    no = jnp.zeros((), bool)
    start = _Walk(allowed, no, jnp.zeros((), jnp.int32), no)
    walk, _ = jax.lax.scan(step, start, (jnp.arange(count, dtype=jnp.int32), width, upper))
    counts = jnp.where(walk.explores, width[walk.stage], upper[walk.stage])
    index = jnp.where(walk.alive, counts, -jnp.inf)
    best = jnp.argmax(index)
    arm, propensity = mixed(policy, state.settings, best, allowed, jax.random.split(key)[1])
    stage = jnp.where(walk.explores & (arm == best), walk.stage, -1)
    here = jax.tree.map(lambda leaf: leaf[walk.stage], bounds)
    return Decision(arm, propensity, narrower[walk.stage, arm], index, here, stage)


def update(
    policy: Policy,
    state: Staged,
    features: jax.Array,
    arm: jax.Array,
    reward: jax.Array,
    weight: jax.Array | float = 1.0,
    stage: jax.Array | int = -1,
) -> Staged:
    """Return the state after `arm`, with features [c], has brought `reward` in a round that
    `Decision.stage` stores in a stage, or (-1) in none. weight 0: nothing happened, 1: it did."""
    del policy
    dtype = state.gram.dtype
    block = active(state.gram.shape[1], arm, dtype)

    def stored(into: jax.Array, gram: jax.Array, *ridges: Ridge) -> tuple[jax.Array, list[Ridge]]:
        x, y = features * into, reward * into
        outer = block[:, None, None] * (x[:, None] * x)
        return gram + outer, [single.added(ridge, x, block, y) for ridge in ridges]

    into = jax.nn.one_hot(stage, len(state.gram), dtype=dtype) * weight
    gram, (online, pooled) = jax.vmap(stored)(into, state.gram, state.online, state.pooled)
    after = state.round + jnp.asarray(weight, jnp.int32)
    return state._replace(round=after, gram=gram, online=online, pooled=pooled)


def rebuilt(state: Staged) -> Staged:
    """Return the state with inverses anew from the sums (`state.rebuilt`)."""
    one = jax.vmap(lambda *of: single.ridges_of(state.assumptions, state.evidence, *of))
    decay = jnp.ones(len(state.gram), state.gram.dtype)
    online, pooled = one(state.gram, decay, state.online.moment, state.pooled.moment)
    return state._replace(online=online, pooled=pooled)


def _bounds(
    policy: Policy, state: Staged, features: jax.Array, online: Ridge, pooled: Ridge
) -> Bounds:
    """Of one stage."""
    g, c = online.moment.shape
    radius, pooled_radius = staged_radii(
        policy, state.assumptions, state.settings.horizon, len(features), g, c
    )
    scale = state.settings.width_scale
    mean, spread = estimated(online, features)
    width = scale * radius * root((spread * features).sum(-1))
    pooled_mean, spread = estimated(pooled, features)
    pull = state.evidence.pull
    penalty = sum(root((times(part, spread) * spread).sum(-1)) for part in pull)
    pooled_width = scale * pooled_radius * root((spread * features).sum(-1)) + penalty
    return Bounds(mean, width, pooled_mean, pooled_width)
