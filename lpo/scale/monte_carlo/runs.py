"""Chunks of queries on the cores of the machine."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jax import Array

from lpo.errors import InputError
from lpo.scale.accuracy import check_beta
from lpo.scale.curves import Limits
from lpo.scale.laws import Latency, LawNumbers, Laws
from lpo.scale.models import Models
from lpo.scale.monte_carlo.answers import scores_for
from lpo.scale.monte_carlo.chunk import Chunk, Question, Sizes, simulate_chunk
from lpo.scale.monte_carlo.draws import BLOCK
from lpo.scale.passes import Pairs

_CPU, _ACCELERATOR = 1, 32  # blocks: what stays in a core's cache, and what fills a device
_MOST = 2**31 - 1

Given = TypeVar("Given")
Made = TypeVar("Made")


class Part(NamedTuple):
    """`count` queries from the block `first` on."""

    first: int
    count: int


def blocks_of(chunk: int | None) -> int:
    """Return the blocks of a compiled program for `chunk` queries; None: what suits the device.

    Raises InputError where it is no multiple of `BLOCK`.
    """
    if chunk is None:
        return _CPU if jax.default_backend() == "cpu" else _ACCELERATOR
    if chunk != int(chunk) or chunk < 1 or chunk % BLOCK:
        raise InputError(f"`chunk` must be a multiple of {BLOCK}, got {chunk}.")
    return int(chunk) // BLOCK


def parts_of(trials: int, blocks: int) -> list[Part]:
    """Return what each run of a program for so many blocks simulates, `trials` together."""
    size = blocks * BLOCK
    begins = range(0, trials, size)
    return [Part(begin // BLOCK, min(size, trials - begin)) for begin in begins]


def sizes_of(laws: Laws, k_max: int, parallel: np.ndarray, blocks: int, paths: bool) -> Sizes:
    """Return what the program is compiled for; the number of slots matters for one law alone."""
    slots = min(int(parallel.max()), k_max) if laws.latency == Latency.WORK_CONSERVING else 1
    return Sizes(k_max, slots, blocks, paths)


def run(key: Array, laws: Laws, sizes: Sizes, question: Question, part: Part) -> Chunk:
    """Return a chunk in NumPy arrays."""
    with jax.enable_x64(True):  # belongs to the thread
        made = simulate_chunk(laws, sizes, key, part.first, float(part.count), question)
        return jax.tree.map(np.asarray, made)


def on_cores(function: Callable[[Given], Made], items: Sequence[Given]) -> Iterator[Made]:
    """Yield `function` of each item in order: side by side on a CPU, where a compiled scan over
    short rows uses one core."""
    cores = min(len(items), os.cpu_count() or 1)
    if cores == 1 or jax.default_backend() != "cpu":
        yield from map(function, items)
        return
    with ThreadPoolExecutor(cores) as threads:
        yield from threads.map(function, items)


def question_of(
    laws: Laws,
    numbers: LawNumbers,
    models: Models,
    parallel: np.ndarray,
    pairs: Pairs | None = None,
    limits: Limits | None = None,
) -> Question:
    """Return what is simulated; raises InputError on models with leaves of several lengths, and on
    scores that no Beta distribution has where the laws ask for one."""
    leaves = [np.atleast_1d(np.asarray(leaf, np.float64)) for leaf in models]
    try:
        models = Models(*np.broadcast_arrays(*leaves))
    except ValueError:
        shapes = ", ".join(sorted({str(leaf.shape) for leaf in leaves}))
        raise InputError(f"`models` must be arrays of one length, got {shapes}.") from None
    check_beta(laws, models)
    with jax.enable_x64(True):
        scores = scores_for(laws, models.accuracy, models.accuracy_sd)
    return Question(numbers, models, scores, pairs, parallel, limits)


def whole(name: str, given: Any, least: int) -> np.ndarray:
    """Return numbers as int32 [n]; raises InputError unless they are whole and at least `least`."""
    numbers = np.atleast_1d(np.asarray(given))
    good = numbers.ndim == 1 and numbers.size > 0 and numbers.dtype.kind in "iuf"
    if good:
        inside = (numbers >= least) & (numbers <= _MOST)
        good = bool((inside & (numbers == np.floor(numbers))).all())
    if not good:
        raise InputError(f"`{name}` must be whole numbers of at least {least}, got {given}.")
    return numbers.astype(np.int32)
