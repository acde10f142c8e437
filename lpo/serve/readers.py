"""Measurements of iteration times and published fits of them, read from files. docs/serve.md."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpo.csv_rows import number_in, read_rows
from lpo.errors import InputError
from lpo.serve.instance import Hardware, make_hardware
from lpo.serve.iteration_time import Tabular, TwoRegime, TwoRegimeKV
from lpo.yaml_mapping import read_mapping

_NEEDED, _OPTIONAL = ("tokens", "time_s"), ("kv_tokens",)


class PublishedFit(NamedTuple):
    """A fit that somebody published, or that was made of data that somebody published.

    hardware: with the batch and chunk that a plan takes unless told otherwise. k_kv: s per token in
    the cache, an estimate, None where there is none. r2, mean_error, max_error: as in `Fit`, None
    where they were not published. b0: tokens, as published. table: the times that were published,
    None where they were not.
    """

    name: str
    gpu: str
    model: str
    tensor_parallel: int
    source: str
    hardware: Hardware
    k_kv: float | None
    r2: float
    mean_error: float | None
    max_error: float | None
    b0: float
    table: Tabular | None

    @property
    def iteration_time(self) -> TwoRegime | TwoRegimeKV:
        """The fitted model, with the estimate for the cache where there is one."""
        fitted = (self.hardware.alpha, self.hardware.beta, self.hardware.tau_solo)
        return TwoRegime(*fitted) if self.k_kv is None else TwoRegimeKV(*fitted, self.k_kv)


def read_measurements(path: str | Path) -> pd.DataFrame:
    """Read a CSV file of measured iterations for `fit`, one a row.

    Columns in any order: `tokens` in the batch, `time_s` of the iteration and, if they were
    measured, `kv_tokens` in the cache; others are refused, because a misspelt one would go
    unnoticed. Raises InputError that names file, row and column.
    """
    rows = read_rows(path, _other_columns)
    numbers = [
        {column: number_in(row, column, positive=column != "kv_tokens") for column in row.cells}
        for row in rows
    ]
    return pd.DataFrame(numbers)


def _other_columns(header: list[str]) -> str | None:
    if sorted(header) in (sorted(_NEEDED), sorted(_NEEDED + _OPTIONAL)):
        return None
    return "`tokens`, `time_s` and, if wanted, `kv_tokens`"


_TEXTS = ("name", "gpu", "model", "source")
_NUMBERS = ("tensor_parallel", "batch", "chunk", "alpha", "beta", "tau_solo", "r2", "b0")
_MAYBE = ("k_kv", "mean_error", "max_error")
_LISTS = ("tokens", "time_s")


def read_published_fit(path: str | Path) -> PublishedFit:
    """Read a YAML file of conf/hardware, or one of that form.

    Raises InputError that names file and key: keys that are missing or not known, and values of
    another kind.
    """
    content = read_mapping(path)
    known = (*_TEXTS, *_NUMBERS, *_MAYBE, *_LISTS)
    for wrong, what in (
        ([key for key in content if key not in known], "is not known"),
        ([key for key in known if key not in content], "is missing"),
    ):
        if wrong:
            raise InputError(f"{path}: key `{wrong[0]}` {what}; there are {', '.join(known)}.")
    for key, value in content.items():
        allowed = _problem(key, value)
        if allowed is not None:
            raise InputError(f"{path}: key `{key}` must be {allowed}, got {value!r}.")
    columns = [content[key] for key in _LISTS]
    if len({None if column is None else len(column) for column in columns}) > 1:
        raise InputError(f"{path}: `tokens` and `time_s` must be equally long, or both null.")
    try:
        hardware = make_hardware(**{key: content[key] for key in Hardware._fields})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return PublishedFit(
        **{key: content[key] for key in (*_TEXTS, *_MAYBE, "tensor_parallel", "r2", "b0")},
        hardware=hardware,
        table=None if columns[0] is None else Tabular(*(np.array(c, float) for c in columns)),
    )


def _problem(key: str, value: Any) -> str | None:
    """What a value should be, None if it is."""
    if key in _TEXTS:
        return None if isinstance(value, str) and value else "text"
    if key in _LISTS:
        good = value is None or (isinstance(value, list) and len(value) > 1)
        good = good and all(map(_is_number, value or []))
        if good and key == "tokens" and value is not None:
            good = value == sorted(set(value))
        ascending = ", ascending" if key == "tokens" else ""
        return None if good else f"null or a list of two numbers at least{ascending}"
    if value is None and key in _MAYBE:
        return None
    return None if _is_number(value) else "a number"


def _is_number(value: Any) -> bool:
    whole_or_real = isinstance(value, int | float) and not isinstance(value, bool)
    return whole_or_real and bool(np.isfinite(value))
