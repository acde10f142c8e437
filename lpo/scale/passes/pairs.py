"""Token lengths of a pass as they were observed, in place of normal numbers. docs/scale.md."""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError


class Pairs(NamedTuple):
    """A law on n pairs of lengths, for every model the same; arrays [n], a pytree.

    prompt, output: tokens of one pass, not negative. weight: probabilities, which sum to 1. In
    place of tokens they may hold what they are multiplied by in `Models`: seconds, with input_s 0
    and output_s 1.
    """

    prompt: Any
    output: Any
    weight: Any


def make_pairs(prompt: Any, output: Any, weight: Any = None) -> Pairs:
    """Return the law of pairs [n] with weights [n] in proportion to `weight`, equal by default.

    Raises InputError, one line, on arrays of other shapes, on nothing at all, and on numbers that
    are negative or not finite.
    """
    prompt, output = np.asarray(prompt, float), np.asarray(output, float)
    weight = np.ones_like(prompt) if weight is None else np.asarray(weight, float)
    _check("prompt", prompt)
    for name, given in (("output", output), ("weight", weight)):
        _check(name, given)
        if given.shape != prompt.shape:
            raise InputError(f"`{name}` must be {len(prompt)} numbers, got {len(given)}.")
    return Pairs(prompt, output, _shares(weight))


def pairs_of_histograms(prompt: Any, prompt_weight: Any, output: Any, output_weight: Any) -> Pairs:
    """Return the pairs [a b] of independent lengths with histograms [a] and [b].

    prompt, output: the lengths that stand for the bins, tokens; weights in any unit. Raises
    InputError as `make_pairs`.
    """
    first = make_pairs(prompt, prompt, prompt_weight)
    second = make_pairs(output, output, output_weight)
    lengths = np.meshgrid(first.prompt, second.prompt, indexing="ij")
    weight = np.outer(first.weight, second.weight)
    return Pairs(lengths[0].ravel(), lengths[1].ravel(), weight.ravel())


def pairs_of_trace(prompt: Any, output: Any, most: int = 16_384) -> Pairs:
    """Return the pairs of a trace's requests [n], equal ones put together.

    Where more than `most` different pairs remain, `most` requests stand for all: those at equal
    steps in the order of their outputs, and of their prompts where outputs are equal (systematic
    sampling; Cochran, "Sampling Techniques", 1977, chapter 8). The law of outputs is then exact to
    1 / most in probability, that of prompts and of what depends on both to about 1 / sqrt(most).

    Raises InputError as `make_pairs`, and on `most` below 1.
    """
    if most < 1:
        raise InputError(f"`most` must be at least 1, got {most}.")
    given = make_pairs(prompt, output)
    pairs, counts = np.unique(np.stack([given.output, given.prompt]), axis=1, return_counts=True)
    if len(counts) > most:
        place = (np.arange(most) + 0.5) * (len(given.prompt) / most)
        taken = np.searchsorted(np.cumsum(counts), place, side="right")
        at, counts = np.unique(taken, return_counts=True)
        pairs = pairs[:, at]
    return Pairs(pairs[1], pairs[0], _shares(counts))


def _check(name: str, given: np.ndarray) -> None:
    if given.ndim != 1 or len(given) == 0:
        raise InputError(f"`{name}` must be a list of numbers, got shape {given.shape}.")
    if not (np.isfinite(given) & (given >= 0.0)).all():
        raise InputError(f"`{name}` must be finite and at least 0, got {given}.")


def _shares(weight: np.ndarray) -> np.ndarray:
    total = weight.sum()
    if total <= 0.0:
        raise InputError(f"`weight` must be positive somewhere, got {weight}.")
    return weight / total
