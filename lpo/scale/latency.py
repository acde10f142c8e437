r"""How long k passes take together on P slots: mean and standard deviation. docs/scale_laws.md.

With full = floor(k / P) waves of P passes and one of r = k mod P, and W_n the longest of n passes,

    mean        E[T] = (k / P) E[t],                       Var T = (k / P^2) Var t
    waves       E[T] = full E[W_P] + E[W_r],               Var T = full Var W_P + Var W_r
    contended   the same with f_n W_n for W_n,             f_n = 1 + contention (n - 1)

because waves do not overlap and passes are independent. `mean` is the law of arXiv 2510.18905, the
others are *ours*.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from lpo.errors import InputError
from lpo.scale.laws import Latency, LawNumbers, Laws
from lpo.scale.models import Models
from lpo.scale.passes import Pairs, longest_spread, pass_moments
from lpo.scale.root import root


def time_moments(
    laws: Laws,
    numbers: LawNumbers,
    models: Models,
    pairs: Pairs | None,
    k: Any,
    parallel: Any,
    *,
    most: int | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Return mean and standard deviation of the time of k passes, s, [..., p, K].

    **Arguments:**

    - `models`: leaves [...], such as [m]; `pairs`: observed lengths in place of normal ones.
    - `k`: [K], whole numbers of at least 1; real ones only for the law `mean`.
    - `parallel`: P, [p], at least 1.
    - `most`: passes in the largest wave, min(max P, max k) or more (not checked); needed where k or
      P is being traced.

    In the precision of JAX, which should be float64. Differentiable with respect to `models` and
    `numbers`.

    **Raises:** InputError for the law work_conserving, which has no closed form.
    """
    check_closed_form(laws)
    if laws.latency == Latency.MEAN:
        parallel = jnp.asarray(parallel)[:, None]
        one = pass_moments(models, pairs)
        mean, sd = (jnp.asarray(leaf)[..., None, None] for leaf in (one.time, one.time_sd))
        return mean * k / parallel, sd * jnp.sqrt(k) / parallel
    if most is None:
        most = largest_wave(k, parallel)
    k, parallel = jnp.asarray(k), jnp.asarray(parallel)[:, None]
    mean, variance = longest_spread(models, pairs, most)
    if laws.latency == Latency.CONTENDED:
        slower = 1.0 + numbers.contention * jnp.maximum(jnp.arange(most + 1) - 1, 0)
        mean, variance = slower * mean, slower**2 * variance
    full, rest = k // parallel, k % parallel
    # a full wave of more than `most` passes never comes: then full is 0
    wave = jnp.minimum(parallel, most)
    total = full * mean[..., wave] + mean[..., rest]
    return total, root(full * variance[..., wave] + variance[..., rest])


def check_closed_form(laws: Laws) -> None:
    """Raise InputError for the law work_conserving, which has no closed form."""
    if laws.latency == Latency.WORK_CONSERVING:
        raise InputError("`latency` work_conserving has no closed form: it must be simulated.")


def largest_wave(k: Any, parallel: Any) -> int:
    """Return how many passes the largest wave has; k and P must be known, not traced."""
    if isinstance(k, Tracer) or isinstance(parallel, Tracer):
        raise InputError("`most` must be given while k or the parallelism is being traced.")
    return int(min(np.max(parallel), np.max(k)))
