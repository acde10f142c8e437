"""Totals of windows of a run, as the other simulators give them."""

from collections.abc import Sequence

import jax
import numpy as np

from lpo.errors import InputError
from lpo.serve.instance import Instance
from lpo.serve.requests.arrivals import Requests
from lpo.serve.requests.served import Served, Status
from lpo.serve.requests.stages import (
    Interval,
    Stages,
    beside_prefill,
    inside,
    overlap,
    stages_of,
    tokens_made,
)
from lpo.serve.totals import Occupancy, Totals


def window_totals(
    instance: Instance,
    requests: Requests,
    served: Served,
    edges: Sequence[float] | np.ndarray,
) -> Totals:
    """Return the totals of the windows between `edges` [W + 1], s: arrays [W, I], [S, W, I] of S
    runs. A window holds its first edge and not its second.

    By true class. `left_prefill` counts the refused, `left_decode` those whom the buffer had no
    place for. `completing`: tokens generated over the class's mean, evenly over a request's time.
    A request that has been given a GPU waits until the GPU's next iteration begins.

    Raises InputError on edges that do not ascend or that the run has not come to.
    """
    edges = np.asarray(edges, np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0.0) or edges[0] < 0.0:
        raise InputError("`edges` must be at least two ascending times from 0 on, in seconds.")
    begun = np.isin(served.status, (Status.PREFILLING, Status.DECODING))
    if np.min(served.now_s) < edges[-1] and begun.any():
        raise InputError(
            f"The run is at {np.min(served.now_s):g} s, before the last edge at {edges[-1]:g} s."
        )
    if requests.arrival_s.ndim == 1:
        return _of_run(instance, requests, served, edges)
    runs = [
        _of_run(instance, Requests(*one), Served(*its), edges)
        for one, its in zip(zip(*requests, strict=True), zip(*served, strict=True), strict=True)
    ]
    return jax.tree.map(lambda *parts: np.stack(parts), *runs)


def _of_run(instance: Instance, requests: Requests, served: Served, edges: np.ndarray) -> Totals:
    I = len(instance.arrival)
    kinds = np.eye(I)[requests.kind]  # [R, I]
    stages = stages_of(requests, served)

    def counted(times: np.ndarray) -> np.ndarray:
        window = np.searchsorted(edges, times, side="right") - 1  # NaN comes last
        held = (window >= 0) & (window < len(edges) - 1)
        rows = window[held] * I + requests.kind[held]
        return np.bincount(rows, minlength=(len(edges) - 1) * I).reshape(-1, I).astype(float)

    def spent(seconds: np.ndarray) -> np.ndarray:
        return seconds.T @ kinds

    before = np.isin(served.status, (Status.LEFT_PREFILL, Status.REFUSED))
    mixed = spent(beside_prefill(served, stages, edges))
    waits = (stages.waiting_prefill, stages.prefilling, stages.waiting_decode)
    waiting, prefilling, queued = (spent(overlap(stage, edges)) for stage in waits)
    decoding = spent(overlap(stages.decoding, edges))
    at = _occupancy(requests, served, stages, edges) @ kinds  # [5, W + 1, I]
    return Totals(
        seconds=np.diff(edges),
        arrivals=counted(requests.arrival_s),
        left_prefill=counted(np.where(before, served.left_s, np.nan)),
        prefilled=counted(served.first_token_s),
        left_decode=counted(np.where(before, np.nan, served.left_s)),
        completed=counted(served.finish_s),
        time=Occupancy(waiting, prefilling, queued, mixed, np.maximum(decoding - mixed, 0.0)),
        completing=spent(tokens_made(served, edges)) / instance.decode,
        begin=Occupancy(*at[:, :-1]),
        end=Occupancy(*at[:, 1:]),
    )


def _occupancy(requests: Requests, served: Served, stages: Stages, times: np.ndarray) -> np.ndarray:
    """Who is in which stage at times, [5, T, R]; decoding beside a prefill and alone."""
    decoding = inside(stages.decoding, times)
    busy = np.zeros(decoding.shape, bool)
    for gpu in np.unique(served.decode_gpu[served.decode_gpu >= 0]):
        reads = served.prefill_gpu == gpu
        prefills = Interval(*(each[reads] for each in stages.prefilling))
        busy[served.decode_gpu == gpu] = inside(prefills, times).any(0)
    waits = (stages.waiting_prefill, stages.prefilling, stages.waiting_decode)
    rows = [*(inside(stage, times) for stage in waits), decoding & busy, decoding & ~busy]
    return np.stack(rows).transpose(0, 2, 1).astype(float)
