"""How long requests are in each stage, and what they hold meanwhile, in windows of time."""

from typing import NamedTuple

import numpy as np

from lpo.serve.requests.arrivals import Requests
from lpo.serve.requests.served import Served


class Interval(NamedTuple):
    """Of R requests: begin_s, end_s float64 [R], infinite while they last; NaN for none."""

    begin_s: np.ndarray
    end_s: np.ndarray


class Stages(NamedTuple):
    """What a request goes through, up to the last that it reaches."""

    waiting_prefill: Interval
    prefilling: Interval
    waiting_decode: Interval
    decoding: Interval


def stages_of(requests: Requests, served: Served) -> Stages:
    """Return the stages of the requests of one run.

    A request that has been given a GPU waits until the GPU's next iteration begins.
    """
    came = np.where(requests.arrival_s <= served.now_s, requests.arrival_s, np.nan)
    chain = (came, served.prefill_start_s, served.first_token_s, served.decode_start_s)
    follows = (*chain[1:], served.finish_s)
    ends = []
    for begin, end in zip(chain, follows, strict=True):
        lasts = np.where(np.isnan(served.left_s), np.inf, served.left_s)
        ends.append(np.where(np.isnan(begin), np.nan, np.where(np.isnan(end), lasts, end)))
    return Stages(*(Interval(begin, end) for begin, end in zip(chain, ends, strict=True)))


def overlap(interval: Interval, edges: np.ndarray) -> np.ndarray:
    """Return the seconds of each interval in each window between `edges` [W + 1], [R, W]."""
    begin, end = _within(interval, edges)
    return end - begin


def inside(interval: Interval, times: np.ndarray) -> np.ndarray:
    """Return whether an interval has begun before a time and not ended before it; bool [R, T]."""
    return (interval.begin_s[:, None] < times) & (times <= interval.end_s[:, None])


def beside_prefill(served: Served, stages: Stages, edges: np.ndarray) -> np.ndarray:
    """Return the seconds that each request decodes while its GPU prefills, [R, W]."""
    begin, end = _within(stages.decoding, edges)
    seconds = np.zeros(begin.shape)
    for gpu in np.unique(served.decode_gpu[served.decode_gpu >= 0]):
        there = np.flatnonzero(served.decode_gpu == gpu)
        reads = served.prefill_gpu == gpu
        starts = np.sort(stages.prefilling.begin_s[reads])
        stops = np.minimum(np.sort(stages.prefilling.end_s[reads]), edges[-1])
        stops = np.maximum(stops, starts)
        # seconds with a prefill up to a time: straight lines between its starts and ends
        times = np.stack([starts, stops], -1).ravel()
        upto = np.repeat(np.cumsum(stops - starts), 2)
        upto[::2] -= stops - starts
        if len(times):
            seconds[there] = np.interp(end[there], times, upto) - np.interp(
                begin[there], times, upto
            )
    return seconds


def tokens_made(served: Served, edges: np.ndarray) -> np.ndarray:
    """Return the tokens that each request generates in each window, [R, W], evenly over the time
    that it decodes."""
    return served.made[:, None] * _share(_until_now(served, "decode"), edges)


def tokens_read(served: Served, edges: np.ndarray) -> np.ndarray:
    """Return the prompt tokens that are read in each window, [R, W], evenly over the time of the
    prefill."""
    return served.read[:, None] * _share(_until_now(served, "prefill"), edges)


def cached(requests: Requests, served: Served, stages: Stages, edges: np.ndarray) -> np.ndarray:
    """Return tokens in caches times seconds in each window, [W].

    A prompt that is read counts half of it, one that waits all, and a decode the prompt and what
    it has generated, evenly over its time.
    """
    prompt = requests.prompt[:, None]
    held = overlap(stages.prefilling, edges) * prompt / 2.0
    held += overlap(stages.waiting_decode, edges) * prompt
    begin, end = _within(stages.decoding, edges)
    decoding = _until_now(served, "decode")
    with np.errstate(invalid="ignore", divide="ignore"):
        pace = served.made / (decoding.end_s - decoding.begin_s)
        middle = (begin + end) / 2.0 - decoding.begin_s[:, None]
        made = np.nan_to_num(pace[:, None] * middle, posinf=0.0, neginf=0.0)
    held += (end - begin) * (prompt + made)
    return held.sum(0)


def _within(interval: Interval, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends cut to the windows, [R, W]; equal where there is no overlap."""
    never = np.isnan(interval.begin_s)
    begin = np.where(never, np.inf, interval.begin_s)[:, None]
    end = np.where(never, np.inf, interval.end_s)[:, None]
    low, high = edges[:-1], edges[1:]
    return np.clip(begin, low, high), np.clip(end, low, high)


def _until_now(served: Served, stage: str) -> Interval:
    """Decoding or prefilling, of those who still do up to now."""
    if stage == "decode":
        begin, end = served.decode_start_s, served.finish_s
    else:
        begin, end = served.prefill_start_s, served.first_token_s
    now = np.maximum(served.now_s, begin)
    return Interval(begin, np.where(np.isnan(end) & ~np.isnan(begin), now, end))


def _share(interval: Interval, edges: np.ndarray) -> np.ndarray:
    """Of each interval that lies in each window, [R, W]."""
    length = (interval.end_s - interval.begin_s)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(overlap(interval, edges) / length, posinf=0.0)
