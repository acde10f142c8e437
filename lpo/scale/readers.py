"""A user's own models and token lengths, read from files. docs/scale.md, "Your own models"."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lpo.csv_rows import number_in, read_rows
from lpo.errors import InputError
from lpo.scale.models import ModelSet, make_models
from lpo.scale.passes import Pairs, make_pairs, pairs_of_histograms
from lpo.yaml_mapping import read_mapping

_SAME = ("accuracy", "accuracy_sd", "prompt", "prompt_sd", "output", "output_sd")
_MILLIONTH = {
    "input_price": "input_price",
    "output_price": "output_price",
    "input_us": "input_s",
    "output_us": "output_s",
}
FIELDS = (*_SAME, *_MILLIONTH)
"""What a model has in a file: prices in dollars per million tokens, microseconds per token."""
_TITLE = "title"
_BINS = ("side", "low", "high", "count")


def models_of(records: Mapping[str, Mapping[str, float]]) -> ModelSet:
    """Return models of records by name, each with `FIELDS`; raises InputError as `make_models`."""
    units = {
        name: {field: record[field] for field in _SAME}
        | {ours: 1e-6 * record[field] for field, ours in _MILLIONTH.items()}
        for name, record in records.items()
    }
    return make_models(units)


def read_models(path: str | Path) -> ModelSet:
    """Read models: a YAML file of names with `FIELDS` (and, if wanted, a `title`) each, or a CSV
    file with the columns `name` and `FIELDS`.

    Raises InputError that names file and model, or file, row and column.
    """
    records = _of_rows(path) if Path(path).suffix.lower() == ".csv" else _of_mapping(path)
    try:
        return models_of(records)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_pairs(path: str | Path) -> Pairs:
    """Read lengths of passes: a CSV file with `prompt`, `output` and, if wanted, `weight`, tokens
    and a number above 0. Raises InputError that names file, row and column."""
    rows = read_rows(path, _no_pairs)
    columns = {
        name: [number_in(row, name, positive=True) for row in rows] for name in rows[0].cells
    }
    return make_pairs(columns["prompt"], columns["output"], columns.get("weight"))


def read_histograms(path: str | Path) -> Pairs:
    """Read independent histograms of both lengths: a CSV file with the columns side (prompt or
    output), low, high (tokens) and count; the middle of a bin stands for it.

    Raises InputError that names file, row and column.
    """
    middles: dict[str, list[float]] = {"prompt": [], "output": []}
    counts: dict[str, list[float]] = {"prompt": [], "output": []}
    for row in read_rows(path, _no_bins):
        side = row.cells["side"].strip()
        if side not in middles:
            raise InputError(f"{row.place}, column `side`: must be prompt or output, got {side!r}.")
        low, high = (number_in(row, name, positive=True) for name in ("low", "high"))
        if not low <= high:
            raise InputError(f"{row.place}: `low` must be at most `high`, got {low:g}, {high:g}.")
        middles[side].append(0.5 * (low + high))
        counts[side].append(number_in(row, "count"))
    for side, each in counts.items():
        if not sum(each) > 0.0:
            raise InputError(f"{path}: side {side} has no counts.")
    return pairs_of_histograms(
        middles["prompt"], counts["prompt"], middles["output"], counts["output"]
    )


def _of_rows(path: str | Path) -> dict[str, dict[str, float]]:
    records: dict[str, dict[str, float]] = {}
    for row in read_rows(path, _no_models):
        name = row.cells["name"].strip()
        if not name or name in records:
            problem = "appears more than once" if name else "is empty"
            raise InputError(f"{row.place}, column `name`: {name!r} {problem}.")
        records[name] = {
            field: number_in(row, field, most=1.0 if field == "accuracy" else np.inf)
            for field in FIELDS
        }
    return records


def _of_mapping(path: str | Path) -> dict[str, dict[str, float]]:
    records: dict[str, dict[str, float]] = {}
    for name, record in read_mapping(path).items():
        given = set(record) - {_TITLE} if isinstance(record, dict) else set()
        if given != set(FIELDS):
            wrong = sorted(given ^ set(FIELDS)) if given else ["everything"]
            raise InputError(
                f"{path}: model `{name}`: {', '.join(map(str, wrong))} missing or unknown; a model "
                f"has {', '.join(FIELDS)}."
            )
        records[str(name)] = {field: _number(path, name, field, record[field]) for field in FIELDS}
    return records


def _number(path: str | Path, name: object, field: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise InputError(f"{path}: model `{name}`: `{field}` must be a number, got {given!r}.")
    return float(given)


def _no_models(header: list[str]) -> str | None:
    wanted = ("name", *FIELDS)
    return None if sorted(header) == sorted(wanted) else ", ".join(f"`{name}`" for name in wanted)


def _no_pairs(header: list[str]) -> str | None:
    if sorted(header) in (["output", "prompt"], ["output", "prompt", "weight"]):
        return None
    return "`prompt`, `output` and, if wanted, `weight`"


def _no_bins(header: list[str]) -> str | None:
    return None if sorted(header) == sorted(_BINS) else ", ".join(f"`{name}`" for name in _BINS)
