"""A certificate learned from the learner's own rewards. docs/bandit.md, "Learned certificates".

It guards and does not gain: a bias bounded only by the online ellipsoid never makes the pooled
width the smaller one (the no-gain lemma there).
"""

import math

import jax
import jax.numpy as jnp

from lpo.bandit.policy import Policy, Widths
from lpo.bandit.radii import log_inverse, noise_norm, online_radius
from lpo.bandit.state import State


def refresh_rounds(horizon: int, dimension: int) -> list[int]:
    """Rounds at which the certificate is learned anew: 4 d, 8 d, 16 d, ..., below `horizon`."""
    first = 4 * dimension
    count = max(0, math.ceil(math.log2(horizon / first))) if horizon > first else 0
    return [first * 2**k for k in range(count)]


def refreshed(policy: Policy, state: State) -> State:
    """Return the state with the certificate that its rounds so far allow, and trust in it."""
    budgets = learned_budgets(policy, state)[None]
    gram = state.evidence.gram
    pull = jnp.einsum("gab,mgbc,gcd->mgad", gram, budgets, gram, optimize=True)
    return state._replace(
        log=state.log._replace(budgets=budgets),
        evidence=state.evidence._replace(pull=pull),
        trusted=jnp.ones_like(state.trusted),
    )


def learned_budgets(policy: Policy, state: State) -> jax.Array:
    """Diagonal blocks [g, c, c] of an ellipsoid Q around the bias, with probability 1 - delta.

    The bias is the difference D of the two estimates plus a vector of the online ellipsoid plus one
    of the log's: outer ellipsoids of least trace of sums (Kurzhanski and Valyi, 1997).
    """
    given, log = state.assumptions, state.log
    online = jnp.einsum("gcd,gd->gc", state.online.inverse, state.online.moment)
    difference = log.estimate - online
    radius = online_radius(policy, given, state.online.growth)
    g, c = difference.shape
    term = 2.0 * log_inverse(policy, given, radius)
    joint = policy.widths is Widths.JOINT
    of_log = given.noise * noise_norm(policy.offline_noise, g * c if joint else c, term)
    bound = given.bound_off if joint else given.block_bound_off
    of_log = of_log + jnp.sqrt(given.regularisation) * bound
    first = radius[:, None, None] ** 2 * state.online.inverse
    both = _sum(policy, first, of_log**2 * log.inverse)
    return _sum(policy, both, difference[:, :, None] * difference[:, None, :])


def _sum(policy: Policy, one: jax.Array, other: jax.Array) -> jax.Array:
    """Ellipsoids around the sums of two, of least trace over all blocks or in each."""
    axis = (0, 1) if policy.widths is Widths.JOINT else 1
    sizes = [
        jnp.sqrt(jnp.diagonal(each, axis1=-2, axis2=-1).sum(axis, keepdims=True)[..., None])
        for each in (one, other)
    ]
    a, b = (jnp.maximum(size, jnp.finfo(one.dtype).tiny) for size in sizes)
    return (1.0 + b / a) * one + (1.0 + a / b) * other
