"""Requests one by one: when they arrive, how long they are and how long they wait.

docs/serve_requests.md.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.serve.instance import Instance

Lengths = Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From a generator and classes int [R] to prompt and decode tokens, int [R] both."""

LONGEST = 10**6
"""Tokens of a prompt, and of a decode, at the most: sums over a GPU are 32-bit integers."""
_LATEST = 1e9  # s, at which the clock still holds microseconds


class Requests(NamedTuple):
    """R requests in the order of their arrival; NumPy arrays [R], or [S, R] for S runs.

    arrival_s: float64, s; infinite for nobody, which fills runs up to the same R. kind: int32,
    class. seen: int32, class that the policy believes. prompt, decode: int32, tokens, at least 1.
    patience_prefill_s, patience_decode_s: float64, s that a request waits for either at most; inf:
    for ever.
    """

    arrival_s: np.ndarray
    kind: np.ndarray
    seen: np.ndarray
    prompt: np.ndarray
    decode: np.ndarray
    patience_prefill_s: np.ndarray
    patience_decode_s: np.ndarray


def make_requests(
    *,
    arrival_s: Sequence[float] | np.ndarray,
    kind: Sequence[int] | np.ndarray,
    prompt: Sequence[int] | np.ndarray,
    decode: Sequence[int] | np.ndarray,
    seen: Sequence[int] | np.ndarray | None = None,
    patience_prefill_s: Sequence[float] | np.ndarray | float = np.inf,
    patience_decode_s: Sequence[float] | np.ndarray | float = np.inf,
) -> Requests:
    """Return checked requests in the order of arrival; the arguments are the fields of `Requests`.

    seen None: the true classes. One patience counts for all requests.
    Raises InputError on lengths that differ, on arrivals or patiences that are negative or no
    numbers, on classes below 0, and on tokens that are not whole numbers from 1 to `LONGEST`.
    """
    times = _column("arrival_s", arrival_s, None, 0.0, _LATEST)
    R = len(times)
    order = np.argsort(times, kind="stable")
    whole = {"kind": (kind, 0), "prompt": (prompt, 1), "decode": (decode, 1)}
    whole["seen"] = (kind if seen is None else seen, 0)
    columns = {}
    for name, (given, least) in whole.items():
        numbers = _column(name, given, R, least, LONGEST)
        if np.any(numbers != np.floor(numbers)):
            raise InputError(f"`{name}` must be whole numbers.")
        columns[name] = numbers[order].astype(np.int32)
    waits = {"patience_prefill_s": patience_prefill_s, "patience_decode_s": patience_decode_s}
    for name, given in waits.items():
        each = np.full(R, given) if np.ndim(given) == 0 else given
        columns[name] = _column(name, each, R, 0.0, np.inf)[order]
    return Requests(arrival_s=times[order], **columns)


def poisson_requests(
    instance: Instance,
    gpus: float,
    seconds: float,
    *,
    seed: int | np.random.Generator = 0,
    lengths: str | Lengths = "exponential",
) -> Requests:
    """Return the requests that a fleet of `gpus` GPUs receives: Poisson arrivals of every class.

    lengths: "exponential", geometric with the instance's means, which is the exponential law in
    whole tokens; "fixed", the means, rounded; or a function that draws them. Patience is
    exponential with the instance's rates. Arrivals, lengths and patience have random numbers of
    their own, so that other lengths leave the arrivals as they are.

    Raises InputError on a fleet or time that is not positive, on means below 1 token, and as
    `make_requests`.
    """
    for name, number in (("gpus", gpus), ("seconds", seconds)):
        if not (np.isfinite(number) and number > 0.0):
            raise InputError(f"`{name}` must be positive and finite, got {number}.")
    arriving, drawing, waiting = np.random.default_rng(seed).spawn(3)
    counts = arriving.poisson(gpus * seconds * np.asarray(instance.arrival))
    kind = np.repeat(np.arange(len(counts)), counts)
    times = arriving.uniform(0.0, seconds, len(kind))
    order = np.argsort(times)
    times, kind = times[order], kind[order]
    prompt, decode = _lengths(instance, lengths)(drawing, kind)
    rate = np.asarray(instance.patience)[kind]
    prefill, wait = waiting.exponential(size=(2, len(kind)))
    with np.errstate(divide="ignore"):
        return make_requests(
            arrival_s=times,
            kind=kind,
            prompt=prompt,
            decode=decode,
            patience_prefill_s=prefill / rate,
            patience_decode_s=wait / rate,
        )


def trace_requests(
    instance: Instance,
    *,
    arrival_s: np.ndarray,
    kind: np.ndarray,
    prompt: np.ndarray,
    decode: np.ndarray,
    seen: np.ndarray | None = None,
    seed: int | np.random.Generator = 0,
) -> Requests:
    """Return the requests of a trace, with a patience drawn from the instance's rates.

    All arrays [R]; seconds count from 0. seen None: the true classes.
    Raises InputError as `make_requests`, and on a class that the instance does not have.
    """
    rates = np.asarray(instance.patience)
    for given in (kind, kind if seen is None else seen):
        if np.size(given) and np.max(given) >= len(rates):
            raise InputError(
                f"The instance has {len(rates)} classes, the trace names class {np.max(given)}."
            )
    (waiting,) = np.random.default_rng(seed).spawn(1)
    prefill, wait = waiting.exponential(size=(2, len(kind)))
    with np.errstate(divide="ignore"):
        return make_requests(
            arrival_s=arrival_s,
            kind=kind,
            seen=seen,
            prompt=prompt,
            decode=decode,
            patience_prefill_s=prefill / rates[kind],
            patience_decode_s=wait / rates[kind],
        )


def stack_requests(runs: Sequence[Requests], size: int | None = None) -> Requests:
    """Return runs on a first axis [S, R], filled up with nobody to the longest, or to `size`.

    Runs of the same R share a compiled program. Raises InputError where `size` is too small.
    """
    longest = max(len(run.arrival_s) for run in runs)
    size = longest if size is None else size
    if size < longest:
        raise InputError(f"`size` is {size}, the longest run has {longest} requests.")
    nobody = Requests(np.inf, 0, 0, 1, 1, np.inf, np.inf)  # type: ignore[arg-type]
    columns = []
    for name, fill in zip(Requests._fields, nobody, strict=True):
        given = [getattr(run, name) for run in runs]
        columns.append(
            np.stack([np.concatenate([g, np.full(size - len(g), fill, g.dtype)]) for g in given])
        )
    return Requests(*columns)


def _lengths(instance: Instance, lengths: str | Lengths) -> Lengths:
    if not isinstance(lengths, str):
        return lengths
    means = np.stack([np.asarray(instance.prompt), np.asarray(instance.decode)])
    if np.any(means < 1.0):
        raise InputError("`prompt` and `decode` must have means of at least 1 token.")
    if lengths == "exponential":
        return lambda rng, kind: tuple(rng.geometric(1.0 / means[:, kind]))
    if lengths == "fixed":
        return lambda _, kind: tuple(np.rint(means[:, kind]).astype(np.int64))
    raise InputError(f"`lengths` must be exponential, fixed or a function, got {lengths!r}.")


def _column(name: str, given: object, count: int | None, least: float, most: float) -> np.ndarray:
    numbers = np.asarray(given)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iuf" or count not in (None, len(numbers)):
        wanted = "a list of numbers" if count is None else f"a list of {count} numbers"
        raise InputError(f"`{name}` must be {wanted}, got shape {numbers.shape}.")
    good = (numbers >= least) & (numbers <= most)
    if not good.all():
        at = int(np.argmin(good))
        raise InputError(
            f"`{name}[{at}]` must be between {least:g} and {most:g}, got {numbers[at]}."
        )
    return numbers.astype(np.float64)
