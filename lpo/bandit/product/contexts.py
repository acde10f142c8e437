"""Requests as contexts: what is known of each when it has to be routed. docs/bandit_product.md."""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.serve.replay.trace import Trace

CONTEXT = ("prompt_tokens", "output_tokens", "code", "interactive", "load", "price")
"""Columns of a context. output_tokens: predicted. code, interactive: 0 or 1. load: requests of the
last minute, in those of a mean one of the log. price: of a GPU hour, in list prices."""

PROMPT, OUTPUT, CODE, INTERACTIVE, LOAD, PRICE = range(len(CONTEXT))

_BANDS = 4  # of prompts, as many requests of the log in each
_PRICE_S = 900.0  # correlation time of prices
_INTERACTIVE = (0.8, 0.5)  # share of a task's requests: an assumption, traces do not say


class Contexts(NamedTuple):
    """Consecutive requests. time_s: [n]. values: [n, 6], the columns of `CONTEXT`. expected: output
    tokens of such requests (task and band of prompts) in the period, [n]; in the log's own period
    that is what is predicted. ratio: tokens that were really written over `expected`, [n]; its mean
    over requests of a kind is 1."""

    time_s: np.ndarray
    values: np.ndarray
    expected: np.ndarray
    ratio: np.ndarray


class Periods(NamedTuple):
    """log: requests of an earlier deployment. rounds: those after it, from which rounds are drawn.
    rate: requests a second in the log."""

    log: Contexts
    rounds: Contexts
    rate: float


def contexts_of(
    conversation: Trace,
    code: Trace,
    *,
    log_share: float = 0.5,
    window_s: float = 60.0,
    price_spread: float = 0.15,
    seed: int = 0,
) -> Periods:
    """Return the requests of two services that begin together, cut in two in time.

    **Arguments:**

    - `log_share`: of the time in which requests arrive, for the log.
    - `window_s`: over which load is counted, before the request; the first one only warms up.
    - `price_spread`: log standard deviation of the price, which wanders about 1 within quarters of
      an hour. Traces have no prices; this one is drawn.
    - `seed`: of prices, and of who is interactive (80 % of conversation, 50 % of code).

    Outputs are predicted by their mean in the log for the same task and a quarter of its prompts.

    **Raises:** InputError on shares and spreads out of range, and where a period is empty.
    """
    if not 0.0 < log_share < 1.0:
        raise InputError(f"`log_share` must be between 0 and 1, got {log_share}.")
    if not (np.isfinite(window_s) and window_s > 0.0):
        raise InputError(f"`window_s` must be positive and finite, got {window_s}.")
    if not 0.0 <= price_spread <= 1.0:
        raise InputError(f"`price_spread` must be from 0 to 1, got {price_spread}.")
    traces = conversation, code
    time_s = np.concatenate([trace.time_s for trace in traces])
    task = np.repeat([0, 1], [len(trace.time_s) for trace in traces])
    prompt, output = (
        np.concatenate([getattr(trace, name) for trace in traces]).astype(float)
        for name in ("prompt", "decode")
    )
    order = np.argsort(time_s, kind="stable")
    time_s, task, prompt, output = (each[order] for each in (time_s, task, prompt, output))
    end = window_s + log_share * (time_s[-1] - window_s)
    parts = (time_s >= window_s) & (time_s < end), time_s >= max(end, window_s)
    for name, part in zip(("log", "rounds"), parts, strict=True):
        if len(np.unique(task[part])) < 2:
            raise InputError(f"the {name} must have requests of both tasks: traces are too short.")
    rate = parts[0].sum() / (end - window_s)
    rng = np.random.default_rng(seed)
    before = np.searchsorted(time_s, time_s - window_s)  # the request itself does not count
    load = (np.arange(len(time_s)) - before) / (window_s * rate)
    interactive = rng.random(len(time_s)) < np.asarray(_INTERACTIVE)[task]
    price = _prices(time_s, price_spread, rng)
    kind = _kinds(task, prompt, parts[0])
    predicted = _means(kind, output, parts[0])
    columns = prompt, predicted, task, interactive, load, price
    values = np.stack([np.asarray(column, float) for column in columns], axis=-1)

    def period(part: np.ndarray) -> Contexts:
        expected = _means(kind, output, part)[part]
        return Contexts(time_s[part], values[part], expected, output[part] / expected)

    return Periods(period(parts[0]), period(parts[1]), float(rate))


def synthetic_contexts(requests: int = 20_000, *, seed: int = 0, **options: Any) -> Periods:
    """Return about so many requests made up in the likeness of the Azure traces of 2023.

    Rates (5.4 and 2.5 requests a second), means and spreads of lengths are theirs: prompts 1155 and
    2048 tokens, outputs 211 and 28, log-normal; rates wander with a log standard deviation of .25
    within ten minutes. options: as of `contexts_of`.

    Raises InputError on fewer than 200 requests, and as `contexts_of`.
    """
    if requests != int(requests) or requests < 200:
        raise InputError(f"`requests` must be a whole number of at least 200, got {requests}.")
    rng = np.random.default_rng([seed, 1])
    duration_s = requests / 7.9
    laws = ((5.4, (1155, 0.8), (211, 0.7)), (2.5, (2048, 0.8), (28, 1.0)))
    traces = [_service(rng, duration_s, *law) for law in laws]
    return contexts_of(*traces, seed=seed, **options)


def _service(
    rng: np.random.Generator,
    duration_s: float,
    rate: float,
    prompt: tuple[float, float],
    output: tuple[float, float],
) -> Trace:
    seconds = np.arange(np.ceil(duration_s))
    level = np.exp(_wandering(seconds, 0.25, 600.0, rng))
    counts = rng.poisson(rate * level)
    time_s = np.sort(np.repeat(seconds, counts) + rng.random(counts.sum()))
    lengths = [
        np.clip(
            np.rint(mean * np.exp(rng.normal(-(sigma**2) / 2, sigma, len(time_s)))), 1, most
        ).astype(np.int64)
        for (mean, sigma), most in ((prompt, 8000), (output, 1500))
    ]
    return Trace(time_s, *lengths, duration_s=float(duration_s))


def _kinds(task: np.ndarray, prompt: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Task and quarter of prompts of each request, of edges that the log has, [n]."""
    kind = np.empty(len(task), int)
    for each in (0, 1):
        edges = np.quantile(prompt[log & (task == each)], np.arange(1, _BANDS) / _BANDS)
        own = task == each
        kind[own] = each * _BANDS + np.searchsorted(edges, prompt[own])
    return kind


def _means(kind: np.ndarray, output: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Mean output of each request's kind in a part; of all of the part for a kind it has not."""
    count = np.bincount(kind[part], minlength=2 * _BANDS)
    total = np.bincount(kind[part], output[part], minlength=2 * _BANDS)
    mean = np.where(count > 0, total / np.maximum(count, 1), output[part].mean())
    return mean[kind]


def _prices(time_s: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    grid = np.arange(0.0, time_s[-1] + 2.0)
    return np.exp(np.interp(time_s, grid, _wandering(grid, spread, _PRICE_S, rng)))


def _wandering(
    grid: np.ndarray, spread: float, correlation_s: float, rng: np.random.Generator
) -> np.ndarray:
    """An Ornstein-Uhlenbeck path over seconds, whose exponential has the mean 1."""
    keep = np.exp(-1.0 / correlation_s)
    path = np.empty(len(grid))
    path[0] = rng.standard_normal()
    for i, step in enumerate(np.sqrt(1.0 - keep**2) * rng.standard_normal(len(grid) - 1)):
        path[i + 1] = keep * path[i] + step
    return spread * path - spread**2 / 2.0
