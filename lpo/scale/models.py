"""Models as records of numbers: what a token costs, how long it takes, how good a pass is."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError


class Models(NamedTuple):
    """m models; float64 arrays [m], or numbers for one model; a pytree that differentiates.

    accuracy, accuracy_sd: mean and standard deviation of the score of one pass, in [0, 1]; for
    rules that count right and wrong, accuracy is the probability of being right. prompt,
    prompt_sd, output, output_sd: tokens of one pass. input_price, output_price: dollars per token.
    input_s, output_s: seconds per token.
    """

    accuracy: Any
    accuracy_sd: Any
    prompt: Any
    prompt_sd: Any
    output: Any
    output_sd: Any
    input_price: Any
    output_price: Any
    input_s: Any
    output_s: Any


class ModelSet(NamedTuple):
    """names: of the models, in the order of the arrays [m] of `models`."""

    names: tuple[str, ...]
    models: Models


_POSITIVE = ("prompt", "output")


def make_models(records: Mapping[str, Mapping[str, float]]) -> ModelSet:
    """Return the models of records by name, each with the fields of `Models`.

    Raises InputError, one line, on no records, on missing or unknown fields and on numbers out of
    range: accuracy in [0, 1], mean lengths of at least 1 token, everything else finite and at
    least 0.
    """
    if not records:
        raise InputError("`models` must be at least one.")
    for name, record in records.items():
        wrong = set(record) ^ set(Models._fields)
        if wrong:
            raise InputError(
                f"models.{name}: {', '.join(sorted(wrong))} missing or unknown; the fields are "
                f"{', '.join(Models._fields)}."
            )
        for field, number in record.items():
            _check(f"models.{name}.{field}", field, number)
    columns = {
        field: np.array([float(record[field]) for record in records.values()])
        for field in Models._fields
    }
    return ModelSet(tuple(records), Models(**columns))


def chosen(given: ModelSet, names: Sequence[str]) -> ModelSet:
    """Return some of the models, in the order of `names`; raises InputError on an unknown one."""
    wrong = [name for name in names if name not in given.names]
    if wrong:
        raise InputError(f"`model` must be one of {', '.join(given.names)}, got {wrong[0]!r}.")
    at = [given.names.index(name) for name in names]
    return ModelSet(tuple(names), Models(*(np.asarray(leaf)[at] for leaf in given.models)))


def _check(key: str, field: str, number: float) -> None:
    least = 1.0 if field in _POSITIVE else 0.0
    most = 1.0 if field == "accuracy" else np.inf
    if not (np.isfinite(number) and least <= number <= most):
        allowed = "in [0, 1]" if field == "accuracy" else f"finite and at least {least:g}"
        raise InputError(f"`{key}` must be {allowed}, got {number}.")
