"""Which functions make up a policy."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from lpo.bandit import decide, staged, state
from lpo.bandit.policy import Policy, Rule


class Learner(NamedTuple):
    """init: before the first round. select: an arm. update: with the features and the reward of an
    arm, a weight (1, or 0: nothing happened) and `Decision.stage`. rebuilt: the same state without
    the rounding errors of many updates. All but the last take the policy first."""

    init: Callable[..., Any]
    select: Callable[..., decide.Decision]
    update: Callable[..., Any]
    rebuilt: Callable[[Any], Any]


def learner_of(policy: Policy) -> Learner:
    """Return the functions of a policy."""
    if policy.rule is Rule.STAGED:
        return Learner(staged.init, staged.select, staged.update, staged.rebuilt)
    return Learner(state.init, decide.select, _updated, state.rebuilt)


def _updated(
    policy: Policy,
    now: state.State,
    features: jax.Array,
    arm: jax.Array,
    reward: jax.Array,
    weight: jax.Array | float = 1.0,
    stage: jax.Array | int = 0,
) -> state.State:
    """Where there are no stages."""
    del stage
    return state.update(policy, now, features, arm, reward, weight)
