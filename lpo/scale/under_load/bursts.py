"""When the passes of queries arrive at a cluster, and how long they are."""

from typing import NamedTuple

import numpy as np

from lpo.scale.passes import Pairs
from lpo.scale.passes.standard import LONGEST
from lpo.serve.requests import Requests, make_requests
from lpo.serve.requests.arrivals import LONGEST as MOST_TOKENS


class Lengths(NamedTuple):
    """Of the passes of one model: mean and standard deviation of normal tokens, as in `Models`, or
    pairs in their place."""

    prompt: float
    prompt_sd: float
    output: float
    output_sd: float
    pairs: Pairs | None = None


class Bursts(NamedTuple):
    """R passes in the order of arrival. wave int [R]: which burst each belongs to, from 0. size int
    [waves]: passes of each burst."""

    requests: Requests
    wave: np.ndarray
    size: np.ndarray


def query_times(queries_per_s: float, seconds: float, seed: list[int]) -> np.ndarray:
    """Return when queries arrive, ascending, s: a Poisson process."""
    rng = np.random.default_rng([*seed, 0])
    return np.sort(rng.uniform(0.0, seconds, rng.poisson(queries_per_s * seconds)))


def bursts(
    lengths: Lengths, queries_per_s: float, seconds: float, k: int, parallel: int, seed: list[int]
) -> Bursts:
    """Return the passes of queries that arrive as a Poisson process, k passes each.

    The first min(k, P) passes of a query arrive with it. The waves of P that follow would arrive
    when the one before is complete, which a simulation of arrivals that are given does not know:
    each comes at a time of its own, uniform over the run. So waves come at the right rates and
    sizes, and meet waves of other queries as in a steady state; that waves of one query meet the
    same queue, and never each other, is lost. Against waves that begin when the one before is
    complete, found by repeated simulation, two waves of 4 on 10 GPUs take as long to 0.2 % at loads
    of 0.5 and 0.8; four of them take 1.4 % longer at 0.8, and two some per cent at 0.9. Lengths are
    clipped as in `lpo.scale.passes.standard` and whole.

    Query and pass have random numbers of their own, whatever k and P are.
    """
    arrival = query_times(queries_per_s, seconds, seed)
    begin = [arrival]
    for wave in range(1, -(-k // parallel)):
        own = np.random.default_rng([*seed, 1, wave])
        begin.append(own.uniform(0.0, seconds, len(arrival)))
    times, tokens, waves = [], [], []
    for number in range(k):
        wave = number // parallel
        times.append(begin[wave])
        tokens.append(_drawn(lengths, np.random.default_rng([*seed, 2, number]), len(arrival)))
        waves.append(wave * len(arrival) + np.arange(len(arrival)))
    at, of_wave = np.concatenate(times), np.concatenate(waves)
    prompt, output = np.concatenate(tokens, axis=1)
    order = np.argsort(at, kind="stable")
    requests = make_requests(
        arrival_s=at[order],
        kind=np.zeros(len(at), np.int32),
        prompt=prompt[order],
        decode=output[order],
    )
    count = len(begin) * len(arrival)
    return Bursts(requests, of_wave[order], np.bincount(of_wave, minlength=count))


def long_tokens(lengths: Lengths) -> tuple[int, int]:
    """Return tokens of prompt and output that one pass in a thousand exceeds, of each by itself."""
    if lengths.pairs is None:
        far = 3.09  # standard deviations
        both = (
            lengths.prompt + far * lengths.prompt_sd,
            lengths.output + far * lengths.output_sd,
        )
    else:
        both = (_quantile(side, lengths.pairs.weight) for side in lengths.pairs[:2])
    prompt, output = (int(np.clip(np.ceil(tokens), 1, MOST_TOKENS)) for tokens in both)
    return prompt, output


def _quantile(tokens: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(tokens)
    upto = np.cumsum(np.asarray(weight)[order])
    return float(np.asarray(tokens)[order][np.searchsorted(upto, 0.999 * upto[-1])])


def _drawn(lengths: Lengths, rng: np.random.Generator, count: int) -> np.ndarray:
    """Whole tokens of prompts and outputs, [2, count]."""
    if lengths.pairs is not None:
        given = lengths.pairs
        at = rng.choice(len(given.weight), count, p=given.weight)
        prompt, output = np.asarray(given.prompt)[at], np.asarray(given.output)[at]
    else:
        first, second = rng.standard_normal((2, count))
        prompt = np.clip(lengths.prompt + lengths.prompt_sd * first, 1.0, LONGEST * lengths.prompt)
        output = np.clip(lengths.output + lengths.output_sd * second, 1.0, LONGEST * prompt)
    return np.clip(np.rint([prompt, output]), 1, MOST_TOKENS).astype(np.int32)
