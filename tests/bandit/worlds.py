"""What `simulate` meets, as arrays, and what a policy's bounds are in each round."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.bandit.certificate import Certificate
from lpo.bandit.environment import Environment, Round
from lpo.bandit.learner import learner_of
from lpo.bandit.offline import Offline
from lpo.bandit.policy import Policy, Settings
from tests import quick


class Worlds(NamedTuple):
    """Of N seeds. instance: leaves [N, ...]. offline, certificate: of the log. rounds: leaves
    [N, T, ...]. keys: of the policy's own numbers."""

    instance: Any
    offline: Offline
    certificate: Certificate
    rounds: Round
    keys: jax.Array
    assumptions: Any  # Assumptions


class Trace(NamedTuple):
    """bounds, decision: what `select` returned, leaves [N, T, ...]. state: after the last round."""

    decision: Any
    state: Any


@partial(quick.jit, static_argnums=(0, 2))
def _worlds(environment: Environment, keys: jax.Array, horizon: int) -> Worlds:
    def one(key: jax.Array) -> Worlds:
        of_instance, of_rounds, of_policy = jax.random.split(key, 3)
        instance = environment.draw(of_instance)
        each = jax.vmap(lambda t: jax.random.fold_in(of_rounds, t))(jnp.arange(horizon))
        rounds = jax.vmap(lambda key: environment.play(instance, key))(each)
        given = environment.offline(instance), environment.certificate(instance)
        return Worlds(instance, *given, rounds, of_policy, None)

    return jax.vmap(one)(keys)


def worlds(environment: Environment, seeds: Sequence[int], horizon: int) -> Worlds:
    """What `simulate` meets under these seeds."""
    keys = jax.vmap(jax.random.key)(jnp.asarray(list(seeds), jnp.uint32))
    drawn = _worlds(environment, keys, horizon)
    return drawn._replace(assumptions=environment.assumptions)


def of_seed(given: Worlds, seed: int, horizon: int | None = None) -> Worlds:
    """The arrays of one seed, in NumPy, its first rounds; no keys."""
    instance, offline, certificate, rounds = jax.tree.map(
        lambda leaf: np.asarray(leaf)[seed], given[:4]
    )
    rounds = jax.tree.map(lambda leaf: leaf[:horizon], rounds)
    return Worlds(instance, offline, certificate, rounds, given.keys, given.assumptions)


@partial(quick.jit, static_argnums=0)
def trace(policy: Policy, settings: Settings, given: Worlds) -> Trace:
    """Play all rounds, rewards seen at once, and keep every decision. The log and everything but
    `bounds` of the policy's numbers are those of `simulate`."""
    learner = learner_of(policy)
    arms = given.rounds.means.shape[-1]

    def one(offline: Offline, certificate: Certificate, rounds: Round, key: jax.Array) -> Trace:
        state = learner.init(policy, settings, given.assumptions, offline, certificate, arms)

        def step(state: Any, now: tuple[jax.Array, Round]) -> tuple[Any, Any]:
            t, now_ = now
            own = jax.random.fold_in(key, t)
            chosen = learner.select(policy, state, now_.features, now_.allowed, own)
            x, y = now_.features[chosen.arm], now_.rewards[chosen.arm]
            state = learner.update(policy, state, x, chosen.arm, y, 1.0, chosen.stage)
            return state, chosen

        horizon = rounds.delay.shape[0]
        state, decisions = jax.lax.scan(step, state, (jnp.arange(horizon), rounds))
        return Trace(decisions, state)

    return jax.vmap(one)(given.offline, given.certificate, given.rounds, given.keys)
