"""What a certificate of bias adds to an interval. docs/off_policy_evaluation.md, "A biased log"."""

from enum import StrEnum
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.bandit.ope.log import Log
from lpo.errors import InputError

_PSD = 1e-9  # eigenvalues below minus this share of the greatest make a matrix indefinite


class Shift(StrEnum):
    """How the bias is bounded: at each row apart, or as the one vector that it is."""

    PER_ROW = "per_row"
    FIXED = "fixed"


@partial(jax.jit, static_argnames="shift")
def shift_allowance(
    probabilities: Array, features: Array, budgets: Array, shift: Shift = Shift.PER_ROW
) -> Array:
    """Return by how much the values of policies [..., n, K] may differ between the rewards of the
    log, <x_a, theta + Delta>, and those of now, <x_a, theta>: [...].

    **Arguments:**

    - `features`: x [n, K, c] for each arm, or [n, c], the same for all.
    - `budgets`: Q [m, g, c, c] of `lpo.bandit.certificate`: m parts, which add up; g = 1 block of
      features that all arms share, or g = K blocks, one an arm.
    - `shift`: `per_row` is mean_i sum_a pi(a | x_i) sum_m |Q_ma^(1/2) x_ia|, which also holds where
      the bias depends on the context. `fixed` is the greatest change that one Delta makes,
      sum_mg |Q_mg^(1/2) v_g| with v_g = mean_i sum_{a in g} pi(a | x_i) x_ia: the support function
      of the certificate at the mean features. It is never greater.
    """
    g, K = budgets.shape[1], probabilities.shape[-1]
    x = "ic" if features.ndim == 2 else "iac"
    if shift == Shift.PER_ROW:
        of_arm = jnp.broadcast_to(budgets, (len(budgets), K, *budgets.shape[2:]))
        squares = jnp.einsum(f"{x},macd,{x[:-1]}d->mia", features, of_arm, features)
        terms = jnp.sqrt(jnp.clip(squares, 0.0)).sum(0)  # [n, K]
        return (probabilities * terms).sum(-1).mean(-1)
    mean = jnp.einsum(f"...ia,{x}->...ac", probabilities, features) / len(features)
    mean = mean.sum(-2, keepdims=True) if g == 1 else mean
    squares = jnp.einsum("...gc,mgcd,...gd->...mg", mean, budgets, mean)
    return jnp.sqrt(jnp.clip(squares, 0.0)).sum((-2, -1))


def check_shift(log: Log, budgets: Any, features: Any | None) -> tuple[np.ndarray, np.ndarray]:
    """Return features and budgets as `shift_allowance` takes them, float64.

    features: [n, K, c] or [n, c]; None: the contexts of the log, each arm with parameters of its
    own. Raises InputError on other shapes, on numbers that are not finite, and on budgets that are
    not symmetric and positive semidefinite.
    """
    n, K = len(log.rewards), len(log.action_names)
    budgets = np.asarray(budgets, np.float64)
    x = log.contexts if features is None else np.asarray(features, np.float64)
    if x.shape[:-1] not in ((n,), (n, K)) or not np.isfinite(x).all():
        raise InputError(f"`features` must be finite, [{n}, {K}, c] or [{n}, c], got {x.shape}.")
    c = x.shape[-1]
    blocks = (1, K) if x.ndim == 3 else (K,)
    if budgets.ndim != 4 or budgets.shape[1] not in blocks or budgets.shape[2:] != (c, c):
        raise InputError(
            f"`budgets` must be [parts, {' or '.join(map(str, blocks))}, {c}, {c}] for features of "
            f"the shape {x.shape}, got {budgets.shape}; one block for all arms needs `features` "
            f"[n, {K}, c]."
        )
    if not np.isfinite(budgets).all():
        raise InputError("`budgets` must be finite; a cap stands for what is not known.")
    value = np.linalg.eigvalsh(0.5 * (budgets + budgets.swapaxes(-1, -2)))
    if not np.allclose(budgets, budgets.swapaxes(-1, -2)) or (
        (value.min(-1) < -_PSD * np.abs(value).max(-1)).any()
    ):
        raise InputError("`budgets` must be symmetric and positive semidefinite matrices.")
    return x, budgets
