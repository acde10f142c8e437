r"""Queries that several models answer together: how many passes of each.

With k_m passes of model m the best score has the distribution function prod_m F_m^{k_m}, and

    E[A] = \int_0^1 1 - exp(sum_m k_m log F_m(x)) dx

is increasing and concave in real k (arXiv 2510.18905 for one model; mixed ones are *ours*). Which
whole numbers are best within limits of cost and time is a knapsack with two limits.
"""

from enum import StrEnum
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.special import log_ndtr

from lpo.errors import InputError
from lpo.scale.accuracy.normal import SPLITS
from lpo.scale.curves import Limits
from lpo.scale.mix_search import (
    Nodes,
    beginnings,
    every_mix,
    exchanged,
    filled,
    loss,
    sparing,
)
from lpo.scale.models import Models
from lpo.scale.quadrature import over_pieces

_NODES = 12
_NEVER = -700.0  # in place of log 0, of which 0 passes would be NaN


class Method(StrEnum):
    """How mixes are searched: all of them, step by step, or all where there are few enough."""

    AUTO = "auto"
    ENUMERATION = "enumeration"
    GREEDY = "greedy"


class Mix(NamedTuple):
    """passes int [m]. accuracy: E[A], 0 without a pass. cost: dollars. time: seconds. feasible:
    whether there is a pass, and the accuracy is at least the limit. exact: whether all mixes were
    tried."""

    passes: np.ndarray
    accuracy: float
    cost: float
    time: float
    feasible: bool
    exact: bool


def best_mix(
    models: Models,
    cost: Any,
    time: Any,
    limits: Limits,
    parallel: int,
    *,
    method: str = Method.AUTO,
    most: int = 100_000,
    k_max: int | None = None,
) -> Mix:
    """Return the mix of the greatest E[A] whose mean cost and time keep the limits.

    Time is the mean law's (arXiv 2510.18905): that of all passes together over the slots.

    enumeration: every mix to which no pass can be added, in batches. greedy: passes are added one
    by one by what they gain over the shares of the limits that they use; then one or two passes of
    a model are exchanged for those of another as long as that helps; from nothing, and from as many
    passes as fit of each model alone, of which the best end is returned. In 300 random cases of two
    to five models, with up to 100 000 mixes each, greedy found the best one 298 times, and lost
    0.0023 of accuracy at the most. Accuracies within 1e-14 are equal: passes
    that add no more are left out, and of equals the mix that then uses least wins.

    **Arguments:**

    - `cost`, `time`: dollars and seconds of one pass, [m]. `limits`: numbers; the accuracy does not
      narrow the search, it says whether the result is feasible. `parallel`: slots.
    - `most`: how many mixes auto enumerates at the most.
    - `k_max`: passes of all models together at the most; None: as many as fit.

    **Raises:** InputError on numbers out of range, on a model without cost and time under finite
    limits, of which any number would fit, and where there are too many mixes to enumerate.
    """
    if method not in tuple(Method):
        raise InputError(f"`method` must be one of {', '.join(Method)}, got {method!r}.")
    use = _use(models, cost, time, limits, parallel, k_max)
    nodes = _nodes(models)
    mixes = None if method == Method.GREEDY else every_mix(use, most)
    if mixes is None and method == Method.ENUMERATION:
        raise InputError(f"`method` enumeration is for up to {most} mixes (`most`).")
    exact = mixes is not None
    if mixes is None:
        begins = beginnings(use)
        mixes = np.stack([exchanged(nodes, use, filled(nodes, use, each)) for each in begins])
    passes = sparing(nodes, use, mixes)
    accuracy = 1.0 - float(loss(nodes, passes[None])[0])
    return Mix(
        passes,
        accuracy,
        cost=float(passes @ np.asarray(cost)),
        time=float(passes @ np.asarray(time) / parallel),
        feasible=bool(passes.any() and accuracy >= limits.accuracy),
        exact=exact,
    )


def mixed_accuracy(models: Models, passes: Any) -> np.ndarray:
    """Return E[A] of mixes of passes [..., m] of m models, [...]; may be real.

    Scores are clipped normal (arXiv 2510.18905) and independent. Gauss-Legendre quadrature on
    pieces between all models' mu + sigma z, z those of `lpo.scale.accuracy`; 1e-12.
    """
    counts = np.asarray(passes, np.float64)
    lost = loss(_nodes(models), counts.reshape(-1, counts.shape[-1]))
    return 1.0 - lost.reshape(counts.shape[:-1])


def _nodes(models: Models) -> Nodes:
    mean, sd = (
        np.asarray(leaf, np.float64).reshape(-1, 1)
        for leaf in (models.accuracy, models.accuracy_sd)
    )
    breaks = np.unique(np.concatenate([[0.0, 1.0], np.clip(mean + sd * SPLITS, 0.0, 1.0).ravel()]))
    with jax.enable_x64(True):
        x, weight = map(np.asarray, over_pieces(breaks, _NODES))
    with np.errstate(divide="ignore"):
        z = (x - mean) / sd
    return Nodes(np.maximum(log_ndtr(z), _NEVER), weight)


def _use(
    models: Models, cost: Any, time: Any, limits: Limits, parallel: int, k_max: int | None
) -> np.ndarray:
    """[m, 2 or 3]: shares of the limits of cost, time and passes that a pass uses."""
    count = np.size(models.accuracy)
    if not parallel >= 1:
        raise InputError(f"`parallel` must be at least 1, got {parallel}.")
    if k_max is not None and not k_max >= 1:
        raise InputError(f"`k_max` must be None or at least 1, got {k_max}.")
    shares = [] if k_max is None else [np.full(count, 1.0 / k_max)]
    for name, given, limit in (
        ("cost", cost, limits.cost),
        ("time", np.asarray(time, np.float64) / parallel, limits.time),
    ):
        each = np.asarray(given, np.float64)
        if each.shape != (count,) or not (np.isfinite(each) & (each >= 0.0)).all():
            raise InputError(
                f"`{name}` must be a finite number of at least 0 for each of {count} models, "
                f"got {given}."
            )
        if not limit > 0.0:
            raise InputError(f"`limits.{name}` must be positive, got {limit}.")
        shares.append(each / limit)
    use = np.column_stack(shares)
    if not use.any(1).all():
        free = int(np.flatnonzero(~use.any(1))[0])
        raise InputError(f"`cost` and `time` of model {free} use nothing of a finite limit.")
    return use
