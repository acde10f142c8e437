"""A model of the rewards q(x, a) for estimates that use one: ridge regression, cross-fitted.
docs/off_policy_evaluation.md, "The model of the rewards"."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.bandit.offline import Offline, offline_sums
from lpo.bandit.ope.log import Log
from lpo.errors import InputError


def predicted_rewards(
    log: Log, *, folds: int = 5, regularisation: float = 1.0, seed: int = 0
) -> np.ndarray:
    """Return q [n, K], each row predicted by a model that has not seen the rewards of its fold.

    `evaluate` uses the same q for the same numbers. Raises InputError unless `folds` is a whole
    number from 2 to n and `regularisation` above 0, finite and large enough for a Cholesky factor.
    """
    n = len(log.rewards)
    if n < 2:
        raise InputError("`log` must have at least 2 rows for a model of the rewards, got 1.")
    if folds != int(folds) or not 2 <= folds <= n:
        raise InputError(f"`folds` must be a whole number of 2 to {n}, the rows; got {folds}.")
    if not 0.0 < regularisation < np.inf:
        raise InputError(f"`regularisation` must be above 0 and finite, got {regularisation}.")
    with jax.enable_x64(True):
        fold = fold_of_rows(jax.random.key(seed), n, int(folds))
        q = cross_fitted(
            jnp.asarray(log.contexts),
            jnp.asarray(log.actions),
            jnp.asarray(log.rewards),
            fold,
            regularisation,
            actions_count=len(log.action_names),
            folds=int(folds),
        )
        q = np.asarray(q)
    if not np.isfinite(q).all():
        raise InputError(f"`regularisation` of {regularisation:g} is too small for these contexts.")
    return q


def fold_of_rows(key: Array, n: int, folds: int) -> Array:
    """Return the fold of each of n rows at random, int32 [n]; sizes differ by at most 1."""
    return jax.random.permutation(key, jnp.arange(n, dtype=jnp.int32)) % folds


@partial(jax.jit, static_argnames=("actions_count", "folds", "chunk"))
def cross_fitted(
    contexts: Array,
    actions: Array,
    rewards: Array,
    fold: Array,
    regularisation: Any = 1.0,
    *,
    actions_count: int,
    folds: int,
    chunk: int = 8192,
) -> Array:
    """Return the predictions of each row's reward for all K actions by ridge regressions on the
    rows of the other folds, [n, K].

    **Arguments:** contexts [n, c], actions int [n] below `actions_count` = K, rewards [n], fold int
    [n] below `folds`, regularisation lambda > 0, in rows, chunk: rows whose products are held at a
    time.

    With features phi = (1, standardised x), and sums over the rows outside a fold,

        shared     theta   = (G + lambda diag(0, 1, ..., 1))^-1 b
        action a   theta_a = theta + (G_a + lambda I)^-1 (b_a - G_a theta)

    so that an action is shrunk towards what all actions have in common, and is that where it has no
    rows. Adding a constant to the rewards adds it to the predictions. Grams are summed once for
    every fold and action; leaving one out is a sum over the others.

    Contexts of a fold take part in the standardisation, its actions and rewards in nothing.
    """
    phi = _features(contexts)
    sums = _sums(phi, rewards, fold * actions_count + actions, folds * actions_count, chunk)
    others = 1.0 - jnp.eye(folds, dtype=phi.dtype)  # no difference of sums: nothing of it remains
    gram, moment = (
        jnp.tensordot(others, of.reshape(folds, actions_count, *of.shape[1:]), 1)
        for of in (sums.gram, sums.moment)
    )
    d = phi.shape[1]
    slopes = jnp.diag((jnp.arange(d) > 0).astype(phi.dtype))
    shared = _solve(gram.sum(1) + regularisation * slopes, moment.sum(1))[:, None]  # [folds, 1, d]
    left = moment - jnp.einsum("fkde,fkd->fke", gram, jnp.broadcast_to(shared, moment.shape))
    theta = shared + _solve(gram + regularisation * jnp.eye(d, dtype=phi.dtype), left)

    def choose(f: Array, q: Array) -> Array:
        return jnp.where((fold == f)[:, None], phi @ theta[f].T, q)

    return jax.lax.fori_loop(0, folds, choose, jnp.zeros((len(phi), actions_count), phi.dtype))


def _features(contexts: Array) -> Array:
    """A one and the columns with mean 0 and deviation 1, [n, 1 + c]; a constant column is 0."""
    centred = contexts - contexts.mean(0)
    deviation = jnp.sqrt((centred**2).mean(0))
    tiny = 1e-12 * jnp.abs(contexts).max(0, initial=0.0)  # what rounding makes of a constant
    varies = deviation > tiny
    columns = jnp.where(varies, centred / jnp.where(varies, deviation, 1.0), 0.0)
    return jnp.concatenate([jnp.ones((len(contexts), 1), contexts.dtype), columns], 1)


def _sums(phi: Array, rewards: Array, segment: Array, segments: int, chunk: int) -> Offline:
    """Sums of products over the rows of each segment, a chunk of rows at a time."""
    n = len(phi)
    size = min(n, chunk)
    chunks = -(-n // size)
    pad = chunks * size - n
    padded = (
        jnp.pad(phi, ((0, pad), (0, 0))).reshape(chunks, size, -1),
        jnp.pad(rewards, (0, pad)).reshape(chunks, size),
        jnp.pad(segment, (0, pad), constant_values=-1).reshape(chunks, size),  # of no segment
    )

    def add(total: Offline, rows: tuple[Array, Array, Array]) -> tuple[Offline, None]:
        return jax.tree.map(jnp.add, total, offline_sums(*rows, segments)), None

    d = phi.shape[1]
    zero = Offline(
        jnp.zeros((segments, d, d), phi.dtype),
        jnp.zeros((segments, d), phi.dtype),
        jnp.zeros(segments, phi.dtype),
    )
    return jax.lax.scan(add, zero, padded)[0]


def _solve(matrix: Array, right: Array) -> Array:
    """x of matrix x = right for positive definite [..., d, d] and [..., d]."""
    factor = jax.scipy.linalg.cho_factor(matrix, lower=True)
    return jax.scipy.linalg.cho_solve(factor, right[..., None])[..., 0]
