"""Requests laid out so that an event looks up what it needs: queues are ranges of sorted arrays."""

from typing import Any, NamedTuple

import numpy as np

from lpo.serve.requests.arrivals import Requests


class Lines(NamedTuple):
    """R requests and, at R, nobody; arrays [R + 1], or [S, R + 1].

    request: their numbers among the caller's (those that fit no GPU are left out); arrival_s,
    prompt, decode, seen, patience_s (for decoding) as in `Requests`; bits uint32: random numbers.
    order: by class, then by arrival: a class waits in a range of it. place: of a request in
    `order`. first [I]: where each class begins there. due_request, due_s: requests in the order in
    which they give up before prefill, and when. due_rank: place of a request among them.
    """

    request: Any
    arrival_s: Any
    prompt: Any
    decode: Any
    seen: Any
    patience_s: Any
    bits: Any
    order: Any
    place: Any
    first: Any
    due_request: Any
    due_s: Any
    due_rank: Any


def make_lines(requests: Requests, classes: int, kv_tokens: int, seed: int) -> Lines:
    """Return the lines of one run [R]; requests of more than `kv_tokens` tokens are left out."""
    R = len(requests.arrival_s)
    bits = np.random.default_rng(seed).integers(2**32, size=R + 1, dtype=np.uint32)
    fits = requests.prompt.astype(np.int64) + requests.decode <= kv_tokens
    kept = np.flatnonzero(fits & np.isfinite(requests.arrival_s))
    chosen = np.concatenate([kept, np.full(R + 1 - len(kept), R)])  # nobody at the end

    def column(values: np.ndarray, nobody: float) -> np.ndarray:
        return np.append(values, np.asarray(nobody, values.dtype))[chosen]

    seen = column(requests.seen, classes)
    order = np.argsort(seen, kind="stable").astype(np.int32)
    arrival = column(requests.arrival_s, np.inf)
    due = arrival + column(requests.patience_prefill_s, np.inf)
    by_due = np.argsort(due, kind="stable").astype(np.int32)
    return Lines(
        request=chosen.astype(np.int32),
        arrival_s=arrival,
        prompt=column(requests.prompt, 1),
        decode=column(requests.decode, 1),
        seen=np.minimum(seen, classes - 1),
        patience_s=column(requests.patience_decode_s, np.inf),
        bits=bits[chosen],
        order=order,
        place=_inverse(order),
        first=np.searchsorted(seen[order], np.arange(classes)).astype(np.int32),
        due_request=by_due,
        due_s=due[by_due],
        due_rank=_inverse(by_due),
    )


def _inverse(order: np.ndarray) -> np.ndarray:
    places = np.empty_like(order)
    places[order] = np.arange(len(order), dtype=order.dtype)
    return places
