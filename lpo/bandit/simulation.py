"""Policies side by side on the same instances: one compiled program for all rounds and seeds."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.bandit.assumptions import Assumptions
from lpo.bandit.certificate import Certificate
from lpo.bandit.environment import Environment, Round
from lpo.bandit.learned import refresh_rounds, refreshed
from lpo.bandit.learner import learner_of
from lpo.bandit.offline import Offline
from lpo.bandit.policy import Policy, Rule, Settings, check_policy
from lpo.errors import InputError

SEGMENT = 500
"""Rounds whose features and rewards are drawn at once, and after which inverses are rebuilt."""


class Played(NamedTuple):
    """Of N seeds and T rounds. regret: of each round, [N, T]. used_offline: [N, T] bool. arm:
    [N, T]. reward, propensity: [N, T]. state: after the last round, leaves [N, ...]."""

    regret: jax.Array
    used_offline: jax.Array
    arm: jax.Array
    reward: jax.Array
    propensity: jax.Array
    state: Any


def simulate(
    environment: Environment,
    policies: Mapping[str, tuple[Policy, Settings]],
    horizon: int,
    seeds: Sequence[int],
    x64: bool = False,
    advance: Callable[[int], object] | None = None,
) -> dict[str, Played]:
    """Return what each policy did over `horizon` rounds on the instance of each seed.

    All policies meet the same instances, rounds and rewards; a policy's own random numbers do not
    depend on the others. x64: in double precision. advance: is told, as they are done, that so many
    of `segments_of(horizon)` segments of each policy are.

    Raises InputError without rounds or seeds, as `check_policy`, and where a union bound is over
    fewer rounds (`Settings.horizon`).
    """
    if horizon < 1 or horizon != int(horizon):
        raise InputError(f"`horizon` must be a whole number of at least 1, got {horizon}.")
    if not len(seeds) or len(set(seeds)) != len(seeds):
        raise InputError(f"`seeds` must be different and at least one, got {list(seeds)}.")
    for policy, settings in policies.values():
        check_policy(policy, settings)
        if (policy.audit or policy.rule is Rule.STAGED) and settings.horizon < horizon:
            raise InputError(
                f"`Settings.horizon` of audited and staged policies must be at least {horizon}, as "
                f"many rounds as are played, got {settings.horizon:g}."
            )
    with jax.enable_x64(x64):
        keys = jax.vmap(jax.random.key)(jnp.asarray(list(seeds), jnp.uint32))
        instances, of_rounds, of_policy = _drawn(environment, keys)
        given = _given(environment, instances)
        one = jax.eval_shape(jax.vmap(environment.play), instances, of_rounds)
        slots = environment.most_delay + 1 if environment.most_delay else 0
        waiting = _nothing_waits(one, (len(keys), slots))
        carries = {
            name: (_begun(policy, environment.arms, settings, *given), waiting)
            for name, (policy, settings) in policies.items()
        }
        learnt = refresh_rounds(horizon, environment.blocks * environment.dimension)
        parts: dict[str, list[Any]] = {name: [] for name in policies}
        for start in range(0, horizon, SEGMENT):
            numbers = start + jnp.arange(SEGMENT)
            rounds = _rounds(environment.play, instances, of_rounds, numbers)
            learns = np.isin(numbers, learnt)
            for name, (policy, _) in policies.items():
                given = numbers, numbers < horizon, jnp.asarray(learns), rounds
                carries[name], seen = _segment(policy, carries[name], of_policy, given)
                parts[name].append(seen)
                if advance is not None:
                    jax.block_until_ready(seen)
                    advance(1)
        return {
            name: Played(*_together(parts[name], horizon), state=carries[name][0])
            for name in policies
        }


def segments_of(horizon: int) -> int:
    """Return in how many parts so many rounds are played."""
    return -(-horizon // SEGMENT)


class _Waiting(NamedTuple):
    """Rewards that have not been seen yet, a slot a round. features: [slots, c]. arm, reward, due:
    [slots]; due is the round at whose end the reward is seen. stage: `Decision.stage`, [slots]."""

    features: jax.Array
    arm: jax.Array
    reward: jax.Array
    due: jax.Array
    stage: jax.Array


@partial(jax.jit, static_argnums=1)
def _together(parts: list[Any], horizon: int) -> tuple[jax.Array, ...]:
    """Segments [R, N] as one, [N, T]."""
    return tuple(jnp.concatenate(leaves)[:horizon].T for leaves in zip(*parts, strict=True))


@partial(jax.jit, static_argnums=0)
def _drawn(environment: Environment, keys: jax.Array) -> tuple[Any, jax.Array, jax.Array]:
    """Instances of the seeds, and keys of their rounds and of the policies' own numbers."""
    split = jax.vmap(partial(jax.random.split, num=3))(keys)
    return jax.vmap(environment.draw)(split[:, 0]), split[:, 1], split[:, 2]


@partial(jax.jit, static_argnums=0)
def _rounds(
    play: Callable[[Any, jax.Array], Round], instances: Any, keys: jax.Array, numbers: jax.Array
) -> Round:
    """The rounds `numbers` [R] of all seeds, leaves [R, N, ...]; one program for all cases."""
    of_round = jax.vmap(jax.random.fold_in, (0, None))
    return jax.vmap(lambda t: jax.vmap(play)(instances, of_round(keys, t)))(numbers)


@partial(jax.jit, static_argnums=0)
def _given(environment: Environment, instances: Any) -> tuple[Assumptions, Offline, Certificate]:
    """What all policies are given, of all seeds."""
    every = jax.vmap(environment.offline)(instances), jax.vmap(environment.certificate)(instances)
    return environment.assumptions, *every


@partial(jax.jit, static_argnums=(0, 1))
def _begun(
    policy: Policy,
    arms: int,
    settings: Settings,
    assumptions: Assumptions,
    offline: Offline,
    certificate: Certificate,
) -> Any:
    """States before the first round; the same program for all environments of a shape."""
    begin = partial(learner_of(policy).init, policy, settings, assumptions)
    return jax.vmap(lambda log, claim: begin(log, claim, arms))(offline, certificate)


def _nothing_waits(one: Round, shape: tuple[int, int]) -> _Waiting:
    """No reward that is still to be seen, of `shape` seeds and slots. one: a round."""
    whole = jnp.zeros(shape, jnp.int32)
    return _Waiting(
        jnp.zeros((*shape, one.features.shape[-1]), one.features.dtype),
        whole,
        jnp.zeros(shape, one.rewards.dtype),
        whole - 1,
        whole,
    )


@partial(jax.jit, static_argnums=0)
def _segment(
    policy: Policy,
    carry: tuple[Any, _Waiting],
    keys: jax.Array,
    given: tuple[jax.Array, jax.Array, jax.Array, Round],
) -> tuple[tuple[Any, _Waiting], tuple[jax.Array, ...]]:
    """Some rounds of all seeds: their numbers [R], whether they count, whether a certificate is
    learned before them, and what they hold."""
    learner = learner_of(policy)

    def step(carry: tuple[Any, _Waiting], now: Any) -> tuple[tuple[Any, _Waiting], Any]:
        (states, waiting), (t, counts, learns, rounds) = carry, now
        if policy.learned:
            states = jax.lax.cond(
                learns, jax.vmap(partial(refreshed, policy)), lambda states: states, states
            )
        own = jax.vmap(jax.random.fold_in, (0, None))(keys, t)
        one = partial(_round, learner, policy, t, counts)
        return jax.vmap(one)(states, waiting, rounds, own)

    carry, seen = jax.lax.scan(step, carry, given)
    return (jax.vmap(learner.rebuilt)(carry[0]), carry[1]), seen


def _round(
    learner: Any,
    policy: Policy,
    t: jax.Array,
    counts: jax.Array,
    state: Any,
    waiting: _Waiting,
    now: Round,
    key: jax.Array,
) -> tuple[tuple[Any, _Waiting], tuple[jax.Array, ...]]:
    """One round of one seed."""
    chosen = learner.select(policy, state, now.features, now.allowed, key)
    arm = chosen.arm
    features, reward = now.features[arm], now.rewards[arm]
    weight = counts.astype(features.dtype)
    best = jnp.where(now.allowed, now.means, -jnp.inf).max()
    slots = len(waiting.due)
    if slots:
        delay = jnp.broadcast_to(now.delay, now.means.shape)[arm]
        new = _Waiting(features, arm, reward, t + delay, chosen.stage)
        here = jnp.arange(slots) == t % slots

        def put(old: jax.Array, one: jax.Array) -> jax.Array:
            place = here.reshape(-1, *(1,) * one.ndim)
            return jnp.where(place, one.astype(old.dtype), old)  # whole numbers stay int32

        waiting = jax.tree.map(put, waiting, new)

        def see(state: Any, one: _Waiting) -> tuple[Any, None]:
            seen = weight * (one.due == t)
            return learner.update(policy, state, *one[:3], seen, one.stage), None

        state, _ = jax.lax.scan(see, state, waiting)
    else:
        state = learner.update(policy, state, features, arm, reward, weight, chosen.stage)
    seen = best - now.means[arm], chosen.used_offline, arm, reward, chosen.propensity
    return (state, waiting), seen
