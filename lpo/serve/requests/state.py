"""What a run of the request-level simulator is made of."""

from typing import Any, NamedTuple

import numpy as np

from lpo.serve.policies import Policy, Router, Targets
from lpo.serve.requests.buffer import Buffer, empty_buffer
from lpo.serve.requests.gpus import Gpus, idle_gpus

STARTED, STARTED_ON, READ, PLACED, PLACED_ON, FINISHED, SPARE = range(7)
"""Columns of the log: prefill started, and where; read; decode started, and where; finished."""


class Shape(NamedTuple):
    """What a program is compiled for; hashable. gpus: the most that there are. gives_up_prefill,
    gives_up_decode: whether anybody ever does, before either."""

    policy: Policy
    gpus: int
    batch: int
    classes: int
    gives_up_prefill: bool
    gives_up_decode: bool


class Setting(NamedTuple):
    """Numbers that stay the same until the policy is given others.

    times: `IterationTime`. chunk int32 []: C. kv_tokens int32 []: cache of a GPU. targets. gpus,
    mixed int32 []: n and M. until_s []: s.
    """

    times: Any
    chunk: Any
    kv_tokens: Any
    targets: Targets
    gpus: Any
    mixed: Any
    until_s: Any


class State(NamedTuple):
    """A run between two events.

    now_s []. live []: something happened in the last step. again []: the policy may have more to
    do at this time. wake_s []: when credit next admits somebody. steps int32 []. arrived int32 []:
    the next request. due_next int32 []: the next to give up, in `Lines.due_request`. head, tail
    int32 [I]: ranges of `Lines.order` that wait for prefill. waiting, prefilling int32 [I], by seen
    class; those who gave up are not counted. credit float64 [I]. placed int32 []: requests that
    have been given a decode slot. log float64 [R + 1, 7].
    """

    now_s: Any
    live: Any
    again: Any
    wake_s: Any
    steps: Any
    arrived: Any
    due_next: Any
    head: Any
    tail: Any
    waiting: Any
    prefilling: Any
    credit: Any
    placed: Any
    gpus: Gpus
    buffer: Buffer
    log: Any


def empty_state(shape: Shape, first: np.ndarray, requests: int, places: int) -> State:
    """Return the state before the first arrival, in NumPy; `first` [I] as in `Lines`."""
    none, classes = np.int32(0), np.zeros(shape.classes, np.int32)
    rings = 2 * shape.classes if shape.policy.router == Router.SHARES else 1
    if shape.policy.router == Router.SAME_GPU:
        places = 1  # nobody ever waits to decode
    return State(
        now_s=np.float64(0.0),
        live=np.True_,
        again=np.True_,
        wake_s=np.float64(np.inf),
        steps=none,
        arrived=none,
        due_next=none,
        head=first,
        tail=first,
        waiting=classes,
        prefilling=classes,
        credit=np.zeros(shape.classes),
        placed=none,
        gpus=idle_gpus(shape.gpus, shape.batch),
        buffer=empty_buffer(rings, places),
        log=np.full((requests + 1, 7), np.nan),
    )
