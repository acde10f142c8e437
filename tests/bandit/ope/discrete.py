"""A problem with few contexts, whose values are sums: logs of it by JAX, for many at once."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Discrete(NamedTuple):
    """contexts [m, c], equally likely; by context and action [m, K] the mean reward, the logging
    policy and a target policy; rewards have normal noise."""

    contexts: np.ndarray
    means: np.ndarray
    logging: np.ndarray
    target: np.ndarray
    noise: float

    @property
    def value(self) -> float:
        return float((self.target * self.means).sum(1).mean())


def discrete(seed: int, m: int = 6, actions: int = 4, c: int = 2, noise: float = 0.5) -> Discrete:
    rng = np.random.default_rng(seed)
    contexts = rng.normal(size=(m, c))
    # linear up to a part that no linear model has
    means = 2.0 + contexts @ rng.normal(size=(c, actions)) + 0.3 * rng.normal(size=(m, actions))
    logging = 0.7 * rng.dirichlet(np.ones(actions), m) + 0.3 / actions
    target = rng.dirichlet(0.5 * np.ones(actions), m)
    return Discrete(contexts, means, logging, target, noise)


def drawn(problem: Discrete, key, n: int):
    """Rows of a log: places of contexts, actions, rewards [n]."""
    where, what, noise = jax.random.split(key, 3)
    x = jax.random.randint(where, (n,), 0, len(problem.contexts))
    a = jax.random.categorical(what, jnp.log(jnp.asarray(problem.logging))[x])
    return x, a, jnp.asarray(problem.means)[x, a] + problem.noise * jax.random.normal(noise, (n,))
