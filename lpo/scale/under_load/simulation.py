"""Passes of queries on a simulated cluster: how long they take there. docs/scale.md."""

from typing import Any, NamedTuple

import jax
import numpy as np

from lpo.errors import InputError
from lpo.scale.curves import Estimate
from lpo.scale.models import Models
from lpo.scale.passes import Pairs
from lpo.scale.under_load.bursts import Bursts, Lengths, bursts
from lpo.scale.under_load.cluster import (
    Cluster,
    instance_under_load,
    loads,
    mean_lengths,
    unloaded_s,
)
from lpo.scale.under_load.runs import Measured, measured
from lpo.serve.policies import plan_for, targets_of
from lpo.serve.requests import serve, stack_requests


class UnderLoad(NamedTuple):
    """k [K] passes a query on parallel [p] slots, for m models; arrays [m, p, K].

    load: of the cluster, `lpo.serve.load`. pass_s: from the arrival of a pass to its last token, s.
    query_s: the same of a query, min(k, P) of whose passes arrive at once and are over with the
    longest; waves after the first add up. unfinished: share of passes that were not complete when
    the run ended. completed_per_s: passes completed per second, over k. steady: load below 1 and no
    more passes in the cluster at the end than at the beginning, but for chance; where it is false
    all times grow with the length of the run and mean nothing. passes: laws of single passes,
    [m][p][K], see `law_of`.
    """

    k: np.ndarray
    parallel: np.ndarray
    load: np.ndarray
    pass_s: Estimate
    query_s: Estimate
    unfinished: np.ndarray
    completed_per_s: Estimate
    steady: np.ndarray
    passes: list[list[list[Pairs]]]


def serve_passes(
    cluster: Cluster,
    models: Models,
    k: Any,
    parallel: Any,
    *,
    pairs: Pairs | None = None,
    seconds: float = 60.0,
    warm_up_s: float | None = None,
    cool_down_s: float | None = None,
    seeds: int = 4,
    seed: int = 0,
) -> UnderLoad:
    """Return how long passes and queries take on a cluster, *ours*.

    Queries arrive as a Poisson process, and their passes as `bursts` says. Passes have the lengths
    of their model but run at the speed of the cluster: prices and seconds per token of `models` do
    not count. Models of equal lengths are simulated once.

    **Arguments:**

    - `models`: leaves [m]. `pairs`: observed lengths in place of normal ones.
    - `k` [K], `parallel` [p]: whole numbers of at least 1.
    - `seconds`: passes that arrive in so many seconds count. `warm_up_s` before, by default as
      long, or three passes on an empty cluster where that is longer; `cool_down_s` after, while
      arrivals go on so that the load stays, by default three of the longest passes.
    - `seeds`: runs with random numbers of their own, from which standard errors follow (NaN for
      one).

    **Raises:** InputError on numbers out of range, where nothing arrives in the time that counts,
    and as `lpo.serve.policies.targets_of`.
    """
    passes, slots = (_whole(name, given) for name, given in (("k", k), ("parallel", parallel)))
    for name, number in (("seeds", seeds), ("seconds", seconds)):
        if not (np.isfinite(number) and number > 0) or (name == "seeds" and number != int(number)):
            raise InputError(f"`{name}` must be positive, got {number}.")
    every, kind = _different_lengths(models, pairs)
    found: list[list[list[Measured]]] = []
    for lengths in every:
        span = _span(cluster, lengths, seconds, warm_up_s, cool_down_s)
        runs: dict[tuple[int, int], Measured] = {}
        for one in _sizes(passes, slots):
            runs[one] = _run(cluster, lengths, span, *one, passes, seeds, seed)
        found.append([[runs[c, min(c, int(P))] for c in passes.tolist()] for P in slots.tolist()])
    of_models = [found[which] for which in kind]
    ...
