"""Radii of confidence ellipsoids. docs/bandit.md, "Widths" and "Audit".

All are of the kind of Theorem 2 of Abbasi-Yadkori, Pal and Szepesvari (NeurIPS 2011), and hold for
all rounds at once (where evidence is forgotten: for each round by itself).
"""

from typing import Any

import jax
import jax.numpy as jnp

from lpo.bandit.assumptions import Assumptions
from lpo.bandit.policy import OfflineNoise, Policy, Pooling, Widths


def online_radius(policy: Policy, given: Assumptions, growth: jax.Array) -> jax.Array:
    """beta_on, [g]: with probability 1 - delta (a share of it, if `union_split`) the truth lies
    within so many |.|_V of the online estimate. growth: log det V_t - c log lambda, [g]."""
    term = 2.0 * log_inverse(policy, given, growth)
    noise = given.noise * jnp.sqrt(term + _over_blocks(policy, growth))
    return noise + jnp.sqrt(given.regularisation) * _bound(policy, given)


def pooled_radius(
    policy: Policy,
    given: Assumptions,
    growth: jax.Array,
    of_log: jax.Array,
    constant: jax.Array,
    dimension: int,
) -> jax.Array:
    """beta_p, [g]. growth: log det W_t - log det W_0, [g]. of_log: log det W_0 - c log lambda, [g].
    constant: [g], see `precision_constant`. dimension: c.

    Of ridge pooling the smaller one of two: one self-normalised bound over log and rounds, or a
    bound on the norm of the log's noise and a self-normalised one over rounds.
    """
    sigma, lam = given.noise, given.regularisation
    term = 2.0 * log_inverse(policy, given, growth)
    growth, of_log = _over_blocks(policy, growth), _over_blocks(policy, of_log)
    rounds = jnp.sqrt(term + growth)
    if policy.pooling is Pooling.PRECISION:
        per_block = policy.widths is Widths.PER_BLOCK
        cap = given.block_bound + given.block_bound_off if per_block else given.cap
        return sigma * (constant + rounds) + jnp.sqrt(lam) * cap
    together = jnp.sqrt(term + (growth + of_log))
    if not policy.forgets:
        d = dimension * (len(growth) if policy.widths is Widths.JOINT else 1)
        together = jnp.minimum(together, noise_norm(policy.offline_noise, d, term) + rounds)
    return sigma * together + jnp.sqrt(lam) * _bound(policy, given)


def precision_constant(
    policy: Policy, given: Assumptions, gram: jax.Array, inverse: jax.Array
) -> jax.Array:
    """[g]: 1 for the bias, and the bound on the log's noise, in sigma, where H = `gram` is added
    for a log whose ridge has the inverse `inverse`, [g, c, c]."""
    trace = _over_blocks(policy, jnp.einsum("gcd,gdc->g", gram, inverse))
    term = 2.0 * log_inverse(policy, given, trace)
    return 1.0 + noise_norm(policy.offline_noise, trace, term)


def noise_norm(law: OfflineNoise, dimension: Any, term: jax.Array) -> jax.Array:
    """Bound on |A^(-1/2) sum z eps| / sigma for `term` = 2 log(1 / delta).

    dimension: at least the trace of the covariance, whose eigenvalues are at most 1. Gaussian:
    concentration of a norm. Sub-Gaussian: Hsu, Kakade and Zhang (2012), Theorem 1.
    """
    dimension = jnp.asarray(dimension, term.dtype)
    if law is OfflineNoise.GAUSSIAN:
        return jnp.sqrt(dimension) + jnp.sqrt(term)
    return jnp.sqrt(dimension + jnp.sqrt(2.0 * dimension * term) + term)


def allowed_error(policy: Policy, given: Assumptions, horizon: Any, arms: Any) -> jax.Array:
    """By how many |x|_{A^-1} the log's estimate can err, of all `arms` over `horizon` rounds, with
    probability 1 - delta (half of it and both signs, if `union_split`)."""
    ways = 4.0 if policy.union_split else 1.0
    noise = given.noise * jnp.sqrt(2.0 * jnp.log(ways * arms * horizon / given.delta))
    return noise + 2.0 * jnp.sqrt(given.regularisation) * given.block_bound_off


def crossing(policy: Policy, given: Assumptions, count: jax.Array, arms: Any) -> jax.Array:
    """What a sum of `count` noises exceeds at any time with probability delta / arms (half of it,
    if `union_split`): the method of mixtures with 10 rounds of prior."""
    n, share = count + 10.0, 2.0 if policy.union_split else 1.0
    return given.noise * jnp.sqrt(n * jnp.log(n / 10.0 * (share * arms / given.delta) ** 2))


def staged_radii(
    policy: Policy, given: Assumptions, horizon: Any, arms: int, blocks: int, dimension: int
) -> tuple[jax.Array, jax.Array]:
    """alpha + sqrt(lambda) B of rule staged, [], and the same with the norm of the log's noise.

    alpha = sigma sqrt(2 log(2 T K stages / delta)): a union over rounds, arms and stages.
    """
    sigma, per_block = given.noise, policy.widths is Widths.PER_BLOCK
    together = log_inverse(policy._replace(widths=Widths.JOINT), given, jnp.zeros(1))
    alpha = sigma * jnp.sqrt(2.0 * (jnp.log(2.0 * horizon * arms * policy.stages) + together))
    online = alpha + jnp.sqrt(given.regularisation) * _bound(policy, given)
    term = 2.0 * log_inverse(policy, given, jnp.zeros(blocks))
    size = dimension if per_block else blocks * dimension
    return online, online + sigma * noise_norm(policy.offline_noise, size, term)


def log_inverse(policy: Policy, given: Assumptions, growth: jax.Array) -> jax.Array:
    """log 1 / delta of one event. There are four: what rounds alone teach, one bound over log and
    rounds, the norm of the log's noise, and rounds on top of the log."""
    events = 4.0 if policy.union_split else 1.0
    if policy.widths is Widths.PER_BLOCK:
        events = events * len(growth)
    return jnp.log(events / given.delta)


def _bound(policy: Policy, given: Assumptions) -> Any:
    """On the norm of what one ellipsoid is about."""
    return given.block_bound if policy.widths is Widths.PER_BLOCK else given.bound


def _over_blocks(policy: Policy, each: jax.Array) -> jax.Array:
    """[g]: of each block, or of all together."""
    if policy.widths is Widths.PER_BLOCK:
        return each
    return jnp.broadcast_to(each.sum(), each.shape)
