"""Limits on what requests experience, and whether a simulated fleet met them.

docs/serve_replay.md, "Capacity".
"""

from typing import NamedTuple

import numpy as np

from lpo.errors import InputError


class Limits(NamedTuple):
    """What a fleet must keep; None: no limit.

    ttft_s: most seconds from arrival to the first token at `ttft_percentile`, that is, for that
    share of the requests that get one. tpot_s: most seconds per generated token, waits for a decode
    slot included, at `tpot_percentile`, or in the mean over requests where that is None.
    abandonment: largest share of requests that give up or are lost. per_class: whether every class
    must keep them for itself.
    """

    ttft_s: float | None = None
    ttft_percentile: float = 99.0
    tpot_s: float | None = None
    tpot_percentile: float | None = None
    abandonment: float | None = None
    per_class: bool = False


class Experience(NamedTuple):
    """Of R requests of one run: kind int [R], and the rest as in `lpo.serve.requests.Latencies`."""

    kind: np.ndarray
    ttft_s: np.ndarray
    tpot_s: np.ndarray
    left: np.ndarray


class Measured(NamedTuple):
    """The numbers that are limited, [G]: of all requests, or of each class where `per_class`; NaN
    where there are no requests."""

    ttft_s: np.ndarray
    tpot_s: np.ndarray
    abandonment: np.ndarray


def check_limits(limits: Limits) -> Limits:
    """Return the limits; raises InputError where there are none, or a number is out of range."""
    if limits.ttft_s is None and limits.tpot_s is None and limits.abandonment is None:
        raise InputError("Give at least one of `ttft_s`, `tpot_s` and `abandonment`.")
    for name in ("ttft_s", "tpot_s"):
        value = getattr(limits, name)
        if value is not None and not (np.isfinite(value) and value > 0.0):
            raise InputError(f"`{name}` must be positive and finite, in seconds, got {value}.")
    for name in ("ttft_percentile", "tpot_percentile"):
        value = getattr(limits, name)
        if value is not None and not 0.0 < value <= 100.0:
            raise InputError(f"`{name}` must be above 0 and at most 100, got {value}.")
    if limits.abandonment is not None and not 0.0 <= limits.abandonment <= 1.0:
        raise InputError(f"`abandonment` must be between 0 and 1, got {limits.abandonment}.")
    return limits


def measure(limits: Limits, run: Experience, classes: int) -> Measured:
    """Return the limited numbers of one run."""
    groups = [run.kind == i for i in range(classes)] if limits.per_class else [run.kind >= 0]
    rows = []
    for group in groups:
        tpot = run.tpot_s[group]
        tpot = tpot[~np.isnan(tpot)]
        if limits.tpot_percentile is None:
            tpot_s = tpot.mean() if len(tpot) else np.nan
        else:
            tpot_s = percentile(tpot, limits.tpot_percentile)
        ttft_s = percentile(run.ttft_s[group], limits.ttft_percentile)
        rows.append((ttft_s, tpot_s, run.left[group].mean() if group.any() else np.nan))
    return Measured(*np.array(rows, np.float64).T)


def met(limits: Limits, measured: Measured) -> bool:
    """Return whether every limit is kept; a group without requests keeps them all."""
    pairs = zip((limits.ttft_s, limits.tpot_s, limits.abandonment), measured, strict=True)
    return not any(limit is not None and bool(np.any(value > limit)) for limit, value in pairs)


def check_reachable(
    limits: Limits, kind: np.ndarray, classes: int, prefill_s: np.ndarray, token_s: float
) -> None:
    """Raise InputError where not even a fleet in which nobody waits keeps the limits.

    kind [R]: classes of the requests. prefill_s [R]: seconds that each prefill takes by itself.
    token_s: the least seconds per generated token.
    """
    if limits.tpot_s is not None and limits.tpot_s < token_s:
        raise InputError(
            f"`tpot_s` = {limits.tpot_s:g} s is below the {token_s:.4g} s of a token on a GPU by "
            "itself: no number of GPUs meets it."
        )
    alone = Experience(kind, prefill_s, np.full(len(kind), np.nan), np.zeros(len(kind), bool))
    if limits.ttft_s is None:
        return
    least = measure(limits, alone, classes).ttft_s
    over = np.flatnonzero(least > limits.ttft_s)
    if len(over):
        whose = f"the prefills of class {over[0]}" if limits.per_class else "the prefills"
        raise InputError(
            f"`ttft_s` = {limits.ttft_s:g} s is below the {least[over[0]]:.4g} s that {whose} take "
            f"by themselves at percentile {limits.ttft_percentile:g}: no number of GPUs meets it."
        )


def percentile(values: np.ndarray, percent: float) -> float:
    """Return the least value that `percent` % of the values, NaN aside, are not above; NaN of none.

    So it keeps a limit exactly if that share of the values does; infinite values keep none.
    """
    kept = values[~np.isnan(values)]
    return float(np.percentile(kept, percent, method="inverted_cdf")) if len(kept) else np.nan
