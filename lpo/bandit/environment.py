"""What a policy meets: arms with features, rewards, and a log of an earlier deployment."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.bandit.assumptions import Assumptions
from lpo.bandit.certificate import Certificate
from lpo.bandit.offline import Offline


class Round(NamedTuple):
    """What could happen in a round. features: of the arms, [K, c]. allowed: which of them exist,
    [K] bool. means: expected rewards, [K]. rewards: what each arm would bring, [K]. delay: rounds
    after which the reward is seen, int [], or [K] of each arm; 0: at once."""

    features: jax.Array
    allowed: jax.Array
    means: jax.Array
    rewards: jax.Array
    delay: jax.Array


def constant(numbers: Any) -> jax.Array:
    """Return a NumPy array for the program that is being traced, in its precision.

    JAX 0.10 gives an array that programs close over the dtype that it had in the first of them, in
    single precision or in double. A copy has been in none.
    """
    return jnp.asarray(np.array(numbers))


class Environment(NamedTuple):
    """Pure functions and the shapes of what they return. NumPy arrays enter them by `constant`.

    draw: from a key an instance, any pytree, the log being a part of it. offline: the log's sums of
    an instance. certificate: what is claimed of the log's bias. play: (instance, key) to a Round;
    keys of rounds are independent. assumptions: that hold. arms: K. blocks: g, 1 or K. dimension:
    c. most_delay: of a reward, rounds.
    """

    draw: Callable[[jax.Array], Any]
    offline: Callable[[Any], Offline]
    certificate: Callable[[Any], Certificate]
    play: Callable[[Any, jax.Array], Round]
    assumptions: Assumptions
    arms: int
    blocks: int
    dimension: int
    most_delay: int = 0
