"""Accuracy, cost and time of k passes without simulation. docs/scale.md."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from lpo.errors import InputError
from lpo.scale.accuracy import accuracy_moments, check_beta
from lpo.scale.curves import Curves, Estimate
from lpo.scale.latency import check_closed_form, largest_wave, time_moments
from lpo.scale.laws import Latency, LawNumbers, Laws, Rule
from lpo.scale.models import Models
from lpo.scale.passes import Pairs, PassMoments, pass_moments


def exact_curves(
    laws: Laws,
    numbers: LawNumbers,
    models: Models,
    k: Any,
    parallel: Any,
    pairs: Pairs | None = None,
) -> Curves:
    """Return the curves of every model, parallelism and k, exact up to quadrature.

    **Arguments:**

    - `models`: leaves [m], or numbers for one model.
    - `k`, `parallel`: whole numbers of at least 1, [K] and [p]. They must be known; `models`,
      `numbers` and `pairs` may be traced.
    - `pairs`: observed token lengths in place of normal ones.

    **Returns:** `Curves` [m, p, K] whose standard errors are 0; float64, NumPy unless something is
    being traced. Scenarios are filters on it. Programs are compiled for the laws, the shapes and
    the largest wave, min(max P, max k); for rules that count votes also for the largest k.

    **Raises:** InputError on k or P that are no whole numbers of at least 1, as `accuracy_moments`
    (lpo.scale.accuracy), and for the latency work_conserving, which must be simulated.
    """
    check_closed_form(laws)
    k, parallel = _whole("k", k), _whole("parallel", parallel)
    most = None if laws.latency == Latency.MEAN else largest_wave(k, parallel)
    votes = int(k.max()) if laws.rule in (Rule.MAJORITY, Rule.WEIGHTED) else None
    traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((numbers, models, pairs)))
    if not traced:
        check_beta(laws, models)
    with jax.enable_x64(True):
        models = Models(*jnp.broadcast_arrays(*map(jnp.atleast_1d, models)))
        given = jax.tree.map(_real, (numbers, models, pairs))
        of: Any = _moments if traced else _compiled  # its options are for a program of its own
        found = of(laws, most, votes, *given, jnp.asarray(k), jnp.asarray(parallel))
        if not traced:
            found = jax.tree.map(np.asarray, found)
        one, time, accuracy = found
        every = np.ones((len(parallel), 1))
        cost = (
            one.cost[:, None, None] * (every * k),
            one.cost_sd[:, None, None] * np.sqrt(every * k),
        )
        accuracy = accuracy[0][:, None, :] * every, accuracy[1][:, None, :] * every
        none = np.zeros(cost[0].shape)
        cost, time, accuracy = (Estimate(mean, sd, none) for mean, sd in (cost, time, accuracy))
        return Curves(k, parallel, cost, time, accuracy)


_QUICK: Any = {"xla_cpu_use_fusion_emitters": False}
"""Of XLA: equally fast programs that compile in two thirds of the time (jaxlib 0.10)."""


def _moments(
    laws: Laws,
    most: int | None,
    votes: int | None,
    numbers: LawNumbers,
    models: Models,
    pairs: Pairs | None,
    k: jax.Array,
    parallel: jax.Array,
) -> tuple[PassMoments, tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """What is to be compiled: of one pass [m], time [m, p, K] and accuracy [m, K]."""
    return (
        pass_moments(models, pairs),
        time_moments(laws, numbers, models, pairs, k, parallel, most=most),
        accuracy_moments(laws, numbers, models, k, votes),
    )


_compiled = partial(jax.jit, static_argnums=(0, 1, 2), compiler_options=_QUICK)(_moments)


def _real(leaf: Any) -> jax.Array:
    return jnp.asarray(leaf, jnp.float64)


def _whole(name: str, given: Any) -> np.ndarray:
    numbers = np.atleast_1d(np.asarray(given))
    good = numbers.ndim == 1 and numbers.size > 0 and np.issubdtype(numbers.dtype, np.number)
    if not good or not (np.isfinite(numbers) & (numbers >= 1) & (numbers % 1 == 0)).all():
        raise InputError(f"`{name}` must be whole numbers of at least 1, got {given}.")
    return numbers.astype(np.int64)
