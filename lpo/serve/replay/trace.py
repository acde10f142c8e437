"""Traces of requests as arrays: joined, cut, compressed in time. docs/serve_replay.md."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.workload.requests import Requests


class Trace(NamedTuple):
    """R requests in order of arrival, at least one.

    time_s: float64 [R], seconds since the trace begins. prompt, decode: int64 [R], tokens, at least
    1. duration_s: seconds that the trace covers, so that R / duration_s is the rate of arrivals.
    """

    time_s: np.ndarray
    prompt: np.ndarray
    decode: np.ndarray
    duration_s: float


def trace_of(batches: Iterable[Requests]) -> Trace:
    """Return requests such as those of `lpo.workload.requests.stream_requests`, from the first on.

    Raises InputError on a request without a prompt or output, and on requests that all come at the
    same time.
    """
    parts = list(batches)
    time_ns, prompt, decode = (
        np.concatenate([getattr(part, name) for part in parts]) for name in Requests._fields
    )
    empty = np.flatnonzero((prompt < 1.0) | (decode < 1.0))
    if len(empty):
        raise InputError(
            f"Request {empty[0]} reads {prompt[empty[0]]:g} and generates {decode[empty[0]]:g} "
            f"tokens: both must be at least 1 ({len(empty)} such requests); leave them out."
        )
    time_s = (time_ns - time_ns[0]) / 1e9
    if time_s[-1] <= 0.0:
        raise InputError("All requests of the trace come at the same time: it has no rate.")
    lengths = (np.round(each).astype(np.int64) for each in (prompt, decode))
    return Trace(time_s, *lengths, duration_s=float(time_s[-1]))


def pooled(traces: Sequence[Trace]) -> Trace:
    """Return the requests of several traces that begin at the same moment, as long as the longest.

    Of equal times the earlier trace comes first.
    """
    time_s, prompt, decode = (
        np.concatenate([getattr(trace, name) for trace in traces]) for name in Trace._fields[:3]
    )
    order = np.argsort(time_s, kind="stable")
    duration_s = max(trace.duration_s for trace in traces)
    return Trace(time_s[order], prompt[order], decode[order], duration_s)


def cut(trace: Trace, start_s: float = 0.0, duration_s: float | None = None) -> Trace:
    """Return the requests of `duration_s` seconds from `start_s` on (None: to the end), which
    becomes time 0.

    Raises InputError where nothing is left.
    """
    left = trace.duration_s - start_s
    length = left if duration_s is None else duration_s
    if not (start_s >= 0.0 and 0.0 < length <= left):
        raise InputError(
            f"`start_s` and `duration_s` must lie within the {trace.duration_s:g} s of the trace, "
            f"got {start_s} and {duration_s}."
        )
    # the last request of a trace comes exactly at its end
    end = np.inf if length == left else start_s + length
    inside = (trace.time_s >= start_s) & (trace.time_s < end)
    if not inside.any():
        raise InputError(f"No request comes within {length:g} s from {start_s:g} s on.")
    return Trace(
        trace.time_s[inside] - start_s, trace.prompt[inside], trace.decode[inside], float(length)
    )


def compressed(trace: Trace, factor: float) -> Trace:
    """Return the same requests `factor` times as fast: rates grow, bursts keep their shape.

    Raises InputError on a factor that is not positive and finite.
    """
    if not (np.isfinite(factor) and factor > 0.0):
        raise InputError(f"`rate_scale` must be positive and finite, got {factor}.")
    return trace._replace(time_s=trace.time_s / factor, duration_s=trace.duration_s / factor)
