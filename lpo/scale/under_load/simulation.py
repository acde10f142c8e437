"""Passes of queries on a simulated cluster: how long they take there. docs/scale.md."""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.scale.curves import Estimate
from lpo.scale.models import Models
from lpo.scale.passes import Pairs
from lpo.scale.under_load.bursts import Lengths, bursts, long_tokens, query_times
from lpo.scale.under_load.cluster import (
    Cluster,
    instance_under_load,
    loads,
    mean_lengths,
    unloaded_s,
)
from lpo.scale.under_load.runs import Measured, Span, measured, serve_runs


class UnderLoad(NamedTuple):
    """k [K] passes a query on parallel [p] slots, for m models; arrays [m, p, K].

    load [m, K]: of the cluster, `lpo.serve.load`. pass_s: from the arrival of a pass to its last
    token, s. query_s: the same of a query, whose waves of min(k, P) passes are measured as they are
    and follow each other. unfinished: share of passes that were not complete when the run ended,
    and count as known to last so long. completed_per_s: passes completed per second, over k.
    steady: load below 1, no pass lost for want of room, and no more passes in the cluster at the
    end than at the beginning but for chance; where it is false the numbers are those of a run of
    this length: with a longer one times grow. law [m][p][K]: of the seconds of a pass, see
    `law_of`.

    The spread of query_s takes its waves for independent. Waves of one query meet the same queue,
    so that near a load of 1 it is too small: four waves of 4 spread .6 s for 1.2 s at a load of .8.
    """

    k: np.ndarray
    parallel: np.ndarray
    load: np.ndarray
    pass_s: Estimate
    query_s: Estimate
    unfinished: np.ndarray
    completed_per_s: np.ndarray
    steady: np.ndarray
    law: list[list[list[Pairs]]]


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

    Queries arrive as a Poisson process, their passes as `bursts` says. Passes have the lengths of
    their model and the speed of the cluster: prices and seconds per token of `models` do not count.
    Models of equal lengths are simulated once, and all runs by one compiled program.

    **Arguments:**

    - `models`: leaves [m]. `pairs`: observed lengths in place of normal ones.
    - `k` [K], `parallel` [p]: whole numbers of at least 1.
    - `seconds`: passes that arrive in so many seconds count. `warm_up_s`: before, by default as
      long, and twice as long as a long pass takes on an empty cluster at the least. `cool_down_s`:
      after, by default the latter; arrivals go on, so that the load stays.
    - `seeds`: runs with random numbers of their own, from which standard errors follow (NaN for
      one). `seed`: of them all.

    **Raises:** InputError on numbers out of range, where nothing arrives in the time that counts,
    where a run would have more than `MOST` passes, and where the policy needs more GPUs.
    """
    passes, slots = _whole("k", k), _whole("parallel", parallel)
    _check(seconds, seeds, seed, warm_up_s=warm_up_s, cool_down_s=cool_down_s)
    every, which = _different_lengths(models, pairs)
    spans = [_span(cluster, one, seconds, warm_up_s, cool_down_s) for one in every]
    prompt, output = mean_lengths(models, pairs)
    rate = cluster.queries_per_s
    most = 1
    for span in spans:
        expected = rate * span.until_s * int(passes.max())
        if expected > MOST:
            raise InputError(
                f"`queries_per_s` times `k` times {span.until_s:.3g} s must be at most {MOST:g} "
                f"passes, got {expected:.3g}."
            )
        times = [query_times(rate, span.until_s, [seed, run]) for run in range(seeds)]
        if not any(((span.begin_s <= each) & (each < span.end_s)).any() for each in times):
            raise InputError(f"`seconds` must be long enough for queries to arrive, got {seconds}.")
        most = max(most, max(map(len, times)) * int(passes.max()))
    size = max(_LEAST, 2 ** int(np.ceil(np.log2(most))))
    load, found = [], []
    for at, (lengths, span) in enumerate(zip(every, spans, strict=True)):
        own = which.index(at)
        means = float(prompt[own]), float(output[own])
        load.append(loads(cluster, *means, passes))
        runs = Runs(seeds, seed, size)
        found.append(_of_lengths(cluster, lengths, means, span, runs, passes, slots))
    return _put_together(passes, slots, np.array(load), found, which)


MOST = 1e6
"""Passes of a run at the most: at some 20 us each with tens of GPUs."""
_LEAST = 4096
"""Requests that programs are compiled for at the least, and else powers of two: nobody costs
nothing."""


class Runs(NamedTuple):
    """How many runs, the seed of all, and the requests that each is filled up to."""

    count: int
    seed: int
    size: int


def _of_lengths(
    cluster: Cluster,
    lengths: Lengths,
    means: tuple[float, float],
    span: Span,
    runs: Runs,
    passes: np.ndarray,
    slots: np.ndarray,
) -> list[list[Measured]]:
    """What passes of equal laws do, [p][K]; waves of equal sizes are simulated once."""
    served: dict[tuple[int, int], Measured] = {}
    for k in passes.tolist():
        instance = instance_under_load(cluster, *means, k)
        for burst in sorted({min(k, slot) for slot in slots.tolist()}):
            drawn = [
                bursts(lengths, cluster.queries_per_s, span.until_s, k, burst, [runs.seed, run])
                for run in range(runs.count)
            ]
            what = serve_runs(cluster, instance, drawn, span, runs.size, runs.seed)
            served[k, burst] = measured(drawn, what, span, k, burst)
    return [[served[k, min(k, slot)] for k in passes.tolist()] for slot in slots.tolist()]


def _put_together(
    passes: np.ndarray,
    slots: np.ndarray,
    load: np.ndarray,
    found: list[list[list[Measured]]],
    which: list[int],
) -> UnderLoad:
    """Of different lengths first, load [u, K] and found [u][p][K], then of models."""

    def each(read: Any) -> np.ndarray:
        return np.array([[[read(one) for one in row] for row in rows] for rows in found])[which]

    def estimate(read: Any) -> Estimate:
        mean, sd, sem = (each(lambda one, i=i: read(one)[i]) for i in range(3))
        return Estimate(mean, sd, sem)

    return UnderLoad(
        passes,
        slots,
        load[which],
        estimate(lambda one: one.pass_s),
        estimate(lambda one: one.query_s),
        each(lambda one: one.unfinished),
        each(lambda one: one.completed_per_s),
        ~each(lambda one: one.grows) & (load[which] < 1.0)[:, None],
        [[[one.law for one in row] for row in found[at]] for at in which],
    )


def _different_lengths(models: Models, pairs: Pairs | None) -> tuple[list[Lengths], list[int]]:
    """Lengths that models have, each once, and which of them each model has."""
    leaves = np.broadcast_arrays(*(np.atleast_1d(leaf) for leaf in models))
    if pairs is not None:
        return [Lengths(1.0, 0.0, 1.0, 0.0, pairs)], [0] * len(leaves[0])
    given = Models(*leaves)
    rows = np.stack([given.prompt, given.prompt_sd, given.output, given.output_sd], -1)
    unique, which = np.unique(rows, axis=0, return_inverse=True)
    every = [Lengths(p, p_sd, o, o_sd) for p, p_sd, o, o_sd in unique.tolist()]
    return every, which.ravel().tolist()


def _span(
    cluster: Cluster,
    lengths: Lengths,
    seconds: float,
    warm_up_s: float | None,
    cool_down_s: float | None,
) -> Span:
    long = 2.0 * unloaded_s(cluster, *long_tokens(lengths))
    begin = max(seconds, long) if warm_up_s is None else warm_up_s
    rest = long if cool_down_s is None else cool_down_s
    return Span(begin, begin + seconds, begin + seconds + rest)


def _check(seconds: float, seeds: int, seed: int, **spans: float | None) -> None:
    if not (np.isfinite(seconds) and seconds > 0.0):
        raise InputError(f"`seconds` must be positive and finite, got {seconds}.")
    for name, number, least in (("seeds", seeds, 1), ("seed", seed, 0)):
        if not (number == int(number) and number >= least):
            raise InputError(f"`{name}` must be a whole number of at least {least}, got {number}.")
    for name, span in spans.items():
        if span is not None and not (np.isfinite(span) and span >= 0.0):
            raise InputError(f"`{name}` must be finite and at least 0, got {span}.")


def _whole(name: str, given: Any) -> np.ndarray:
    numbers = np.atleast_1d(np.asarray(given))
    good = numbers.ndim == 1 and numbers.size > 0 and numbers.dtype.kind in "iuf"
    if not good or not (np.isfinite(numbers) & (numbers >= 1) & (numbers % 1 == 0)).all():
        raise InputError(f"`{name}` must be whole numbers of at least 1, got {given}.")
    return numbers.astype(np.int64)
