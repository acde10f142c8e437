"""Which functions make up a policy."""

from collections.abc import Callable
from typing import Any, NamedTuple

from lpo.bandit import decide, state
from lpo.bandit.policy import Policy


class Learner(NamedTuple):
    """init: before the first round. select: an arm. update: with a reward. rebuilt: the same state
    without the rounding errors of many updates. Each takes the policy first."""

    init: Callable[..., Any]
    select: Callable[..., decide.Decision]
    update: Callable[..., Any]
    rebuilt: Callable[[Any], Any]


def learner_of(policy: Policy) -> Learner:
    """Return the functions of a policy."""
    return Learner(state.init, decide.select, state.update, state.rebuilt)
