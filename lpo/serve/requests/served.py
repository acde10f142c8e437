"""What became of every request of a run."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from lpo.serve.requests.arrivals import Requests
from lpo.serve.requests.gpus import NEVER, Gpus
from lpo.serve.requests.state import (
    FINISHED,
    PLACED,
    PLACED_ON,
    READ,
    STARTED,
    STARTED_ON,
)


class Status(IntEnum):
    """Where a request is. to_come: not arrived yet, or nobody. left_prefill, left_decode: gave up
    before either. refused: on arrival, as longer than the cache of a GPU. dropped: the decode
    buffer was full."""

    TO_COME = 0
    WAITING_PREFILL = 1
    PREFILLING = 2
    WAITING_DECODE = 3
    DECODING = 4
    COMPLETED = 5
    LEFT_PREFILL = 6
    LEFT_DECODE = 7
    REFUSED = 8
    DROPPED = 9


class Served(NamedTuple):
    """Of R requests at `now_s`, NumPy arrays [R], or [S, R] of S runs and then now_s [S].

    prefill_start_s, first_token_s, decode_start_s, finish_s: float64, s, NaN for what has not
    happened; the first token is there when the prompt has been read, a request that has a slot
    starts with the GPU's next iteration. left_s: when it gave up or was refused or dropped, NaN
    for those that did not. prefill_gpu, decode_gpu: int32, -1 for none. read, made: int32, prompt
    tokens read and tokens generated, those of the iteration under way included. status: int8, of
    `Status`.
    """

    prefill_start_s: np.ndarray
    first_token_s: np.ndarray
    decode_start_s: np.ndarray
    finish_s: np.ndarray
    left_s: np.ndarray
    prefill_gpu: np.ndarray
    decode_gpu: np.ndarray
    read: np.ndarray
    made: np.ndarray
    status: np.ndarray
    now_s: np.ndarray


def served_of(
    requests: Requests, log: np.ndarray, request: np.ndarray, gpus: Gpus, now_s: float
) -> Served:
    """Return what became of the requests of one run, [R].

    log [R + 1, 7]: as in `State`. request [R + 1]: their numbers, as in `Lines`. gpus: at the
    boundaries that follow `now_s`.
    """
    R = len(requests.arrival_s)
    rows = np.full((R + 1, log.shape[1]), np.nan)
    rows[request] = log
    rows, lost = rows[:R], rows[:R, PLACED] == -np.inf
    rows[lost, PLACED] = np.nan
    fits = np.isin(np.arange(R), request)
    came = requests.arrival_s <= now_s
    times = {
        "prefill_start_s": rows[:, STARTED],
        "first_token_s": rows[:, READ],
        "decode_start_s": rows[:, PLACED],
        "finish_s": rows[:, FINISHED],
    }
    started, read, placed, finished = (~np.isnan(each) for each in times.values())
    due = requests.arrival_s + requests.patience_prefill_s
    due_decode = times["first_token_s"] + requests.patience_decode_s
    left_prefill = came & fits & ~started & (due <= now_s)
    left_decode = read & ~placed & ~lost & (due_decode <= now_s)
    status = np.select(
        [~came, ~fits, left_prefill, ~started, ~read, lost, left_decode, ~placed, ~finished],
        [
            Status.TO_COME,
            Status.REFUSED,
            Status.LEFT_PREFILL,
            Status.WAITING_PREFILL,
            Status.PREFILLING,
            Status.DROPPED,
            Status.LEFT_DECODE,
            Status.WAITING_DECODE,
            Status.DECODING,
        ],
        Status.COMPLETED,
    )
    left = np.select(
        [
            status == Status.LEFT_PREFILL,
            status == Status.LEFT_DECODE,
            status == Status.REFUSED,
            status == Status.DROPPED,
        ],
        [due, due_decode, requests.arrival_s, times["first_token_s"]],
        np.nan,
    )
    tokens_read = np.where(read, requests.prompt, 0)
    gpu = np.flatnonzero(gpus.prefill >= 0)
    who = request[gpus.prefill[gpu]]
    tokens_read[who] = requests.prompt[who] - gpus.unread[gpu]
    made = np.where(finished, requests.decode, 0)
    gpu, slot = np.nonzero(gpus.ends_at != NEVER)
    who = request[gpus.holder[gpu, slot]]
    made[who] = requests.decode[who] - (gpus.ends_at[gpu, slot] - gpus.iteration[gpu])
    return Served(
        **times,
        left_s=left,
        prefill_gpu=_whole(rows[:, STARTED_ON]),
        decode_gpu=_whole(rows[:, PLACED_ON]),
        read=tokens_read.astype(np.int32),
        made=made.astype(np.int32),
        status=status.astype(np.int8),
        now_s=np.asarray(now_s),
    )


def _whole(numbers: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(numbers), -1, numbers).astype(np.int32)
