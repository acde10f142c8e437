"""What a log says of a linear model: sums over its rows."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError


class Offline(NamedTuple):
    """Sums over a log, for each of g blocks of c features: one block for features that all arms
    share, one block an arm for features of its own (one-hot x context).

    gram: sum of z z', [g, c, c]. moment: sum of z y, [g, c]. count: rows, [g].
    """

    gram: jax.Array
    moment: jax.Array
    count: jax.Array


def offline_sums(
    features: Any, rewards: Any, arms: Any | None = None, blocks: int = 1, weight: Any = 1.0
) -> Offline:
    """Return the sums of a log of `features` [S, c] and `rewards` [S].

    arms [S] of 0 to blocks - 1: the block of each row; None: all in one. weight: sigma over the
    sigma of the log's noise, [] or [S], so that the noise of all weighted rows has one sigma.
    S = 0 is allowed. Traceable; arrays are checked by `check_log`.
    """
    features, rewards = jnp.asarray(features), jnp.asarray(rewards)
    weight = jnp.broadcast_to(jnp.asarray(weight, features.dtype), rewards.shape)
    squared = features * weight[:, None] ** 2
    if arms is None:
        gram, moment = (squared.T @ features)[None], (squared.T @ rewards)[None]
        return Offline(gram, moment, jnp.full((1,), len(rewards)))
    of_block = jax.nn.one_hot(arms, blocks, dtype=features.dtype)  # [S, g]
    gram = jnp.einsum("sg,sc,sd->gcd", of_block, squared, features, optimize=True)
    return Offline(gram, jnp.einsum("sg,sc,s->gc", of_block, squared, rewards), of_block.sum(0))


def no_offline(blocks: int, dimension: int) -> Offline:
    """Return the sums of a log without rows."""
    return Offline(
        jnp.zeros((blocks, dimension, dimension)),
        jnp.zeros((blocks, dimension)),
        jnp.zeros(blocks),
    )


def check_log(features: Any, rewards: Any, arms: Any | None, blocks: int, dimension: int) -> None:
    """Raise InputError, with row and column, unless the log can be summed for such blocks."""
    features, rewards = np.asarray(features), np.asarray(rewards)
    if features.ndim != 2 or features.shape[1] != dimension:
        raise InputError(f"`features` must be [rows, {dimension}], got {features.shape}.")
    if rewards.shape != (len(features),):
        raise InputError(f"`rewards` must be [{len(features)}] as features, got {rewards.shape}.")
    bad = np.argwhere(~np.isfinite(features))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"features, row {row}, column {column}: must be finite, got {features[row, column]}."
        )
    bad = np.flatnonzero(~np.isfinite(rewards))
    if len(bad):
        raise InputError(f"rewards, row {bad[0]}: must be finite, got {rewards[bad[0]]}.")
    if arms is None:
        return
    arms = np.asarray(arms)
    if arms.shape != rewards.shape:
        raise InputError(f"`arms` must be [{len(rewards)}] as rewards, got {arms.shape}.")
    bad = np.flatnonzero((arms < 0) | (arms >= blocks) | (arms != np.floor(arms)))
    if len(bad):
        raise InputError(
            f"arms, row {bad[0]}: must be a whole number of 0 to {blocks - 1}, got {arms[bad[0]]}."
        )
