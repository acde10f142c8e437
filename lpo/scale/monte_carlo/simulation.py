"""Curves by simulation, in bounded memory. docs/scale_simulation.md."""

from collections.abc import Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
from jax import Array

from lpo.errors import InputError
from lpo.scale.curves import Curves, Estimate, Limits
from lpo.scale.laws import LawNumbers, Laws
from lpo.scale.models import Models
from lpo.scale.monte_carlo.chunk import ACCURACY, COST, TIME, Question, Sizes
from lpo.scale.monte_carlo.draws import BLOCK
from lpo.scale.monte_carlo.moments import Moments, estimate_of, merged
from lpo.scale.monte_carlo.percentiles import percentiles as percentiles_of
from lpo.scale.monte_carlo.runs import (
    Part,
    blocks_of,
    on_cores,
    parts_of,
    question_of,
    run,
    sizes_of,
    whole,
)
from lpo.scale.passes import Pairs

GROUP = 2048
"""Queries that percentiles are taken of at a time; those of more are means over groups."""


class Group(NamedTuple):
    """What a group of queries tells: moments [K, q, m] with the rows of `Chunk`, percentiles
    [2, K, q, m] or None, met int [K, s, p, m] or None."""

    moments: Moments
    tails: Any
    met: Any


def simulate(
    key: Array,
    laws: Laws,
    numbers: LawNumbers,
    models: Models,
    k: Sequence[int] | np.ndarray,
    parallel: int | Sequence[int] | np.ndarray,
    *,
    trials: int = 500,
    limits: Limits | None = None,
    percentiles: bool = True,
    chunk: int | None = None,
    pairs: Pairs | None = None,
) -> Curves:
    """Return curves of `trials` simulated queries (Monte Carlo, arXiv 2510.18905).

    **Arguments:**

    - `key`: as of `query_paths`; the curves are statistics of its paths.
    - `models`: [m], or one. `k` int [K]: passes. `parallel` int [p]: slots.
    - `limits`: numbers or [s]; `Curves.met` then counts the queries that keep all three at once
      (to 1e-6 of a limit, the rounding of single queries).
    - `percentiles`: whether to return percentiles 2.5 and 97.5. With more than `GROUP` trials they
      are means over groups of so many, which brings both percentiles of a normal number nearer to
      its mean by 0.5 % of its standard deviation.
    - `chunk`: queries of one run of the compiled program, a multiple of 512; what suits the device
      by default. Results depend on it by rounding errors of float64 alone, percentiles by groups of
      `chunk` where that is more than `GROUP`.

    Memory does not grow with `trials`. The program is compiled for the laws, the greatest k and the
    numbers of models, of entries of `parallel` and of scenarios.
    Raises InputError, one line, on numbers that are not whole or too small (trials: 2), and on
    limits that are no numbers.
    """
    passes, slots = whole("k", k, 1), whole("parallel", parallel, 1)
    (count,) = whole("trials", trials, 2)
    sizes = sizes_of(laws, int(passes.max()), slots, blocks_of(chunk), bool(percentiles))
    question = question_of(laws, numbers, models, slots, pairs, _checked(limits))
    parts = parts_of(int(count), sizes.blocks)
    at_once = max(GROUP // (sizes.blocks * BLOCK), 1)
    groups = [parts[begin : begin + at_once] for begin in range(0, len(parts), at_once)]

    group_of = partial(_group, key, laws, sizes, question, passes - 1)
    total = reduce(_both, on_cores(group_of, groups))
    estimate = Estimate(*map(_by_model, estimate_of(total.moments, total.tails)))
    cost, accuracy, time = (_part(estimate, rows, len(slots)) for rows in (COST, ACCURACY, TIME))
    met = None if limits is None else np.transpose(total.met, (1, 3, 2, 0))
    return Curves(passes, slots, cost, time, accuracy, int(count), met)


def _group(
    key: Array, laws: Laws, sizes: Sizes, question: Question, at: np.ndarray, parts: Sequence[Part]
) -> Group:
    """Run the chunks of a group one after the other; `at`: the k that count, less 1."""
    every = slice(None) if len(at) == sizes.k_max and (np.diff(at) == 1).all() else at
    ends = np.cumsum([part.count for part in parts])
    values, moments, met = None, [], []
    for part, end in zip(parts, ends, strict=True):
        each = run(key, laws, sizes, question, part)
        moments.append(Moments(part.count, each.mean[every], each.squares[every]))
        if question.limits is not None:
            met.append(each.met[every])
        if sizes.paths:
            own = each.values[every][..., : part.count]
            if values is None:
                values = np.empty((*own.shape[:-1], ends[-1]), np.float32)
            values[..., end - part.count : end] = own
    tails = None if values is None else percentiles_of(values)
    return Group(merged(moments), tails, sum(met) if met else None)


def _both(one: Group, other: Group) -> Group:
    """Both groups together; what is kept does not grow with their number."""
    moments, tails = merged([one.moments, other.moments]), None
    if one.tails is not None:
        tails = one.tails + other.moments.count / moments.count * (other.tails - one.tails)
    return Group(moments, tails, None if one.met is None else one.met + other.met)


def _by_model(array: np.ndarray | None) -> np.ndarray | None:
    """[K, q, m] as [m, q, K]."""
    return None if array is None else np.transpose(array, (2, 1, 0))


def _part(estimate: Estimate, rows: slice, slots: int) -> Estimate:
    """Rows of [m, q, K] as [m, p, K]: the same for every number of slots if there is but one."""

    def of(array: np.ndarray | None) -> np.ndarray | None:
        if array is None:
            return None
        some = array[:, rows]
        return np.repeat(some, slots // some.shape[1], axis=1)

    return Estimate(*map(of, estimate))


def _checked(limits: Limits | None) -> Limits | None:
    """The limits as float64 [s]."""
    if limits is None:
        return None
    numbers = [np.atleast_1d(np.asarray(limit, np.float64)) for limit in limits]
    for name, given in zip(Limits._fields, numbers, strict=True):
        if given.ndim != 1 or np.isnan(given).any():
            raise InputError(f"`limits.{name}` must be numbers, one or one a scenario.")
    try:
        return Limits(*np.broadcast_arrays(*numbers))
    except ValueError:
        raise InputError("`limits` must be of one number of scenarios.") from None
