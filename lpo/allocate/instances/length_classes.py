"""Query types as classes of requests by the length of prompt and output."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.workload.readers import AZURE_COLUMNS, Columns
from lpo.workload.requests import stream_requests


class Classes(NamedTuple):
    """Query types by length: edges in tokens, ascending; a length on an edge is below it.

    P prompt edges and O output edges make (P + 1) (O + 1) classes; prompts vary slowest.
    """

    prompt_edges: tuple[float, ...] = ()
    output_edges: tuple[float, ...] = ()


def class_names(classes: Classes) -> tuple[str, ...]:
    """Name every class by its range of lengths, such as "in<=512 out>128".

    Raises InputError on edges that are not ascending, finite and at least 0.
    """
    for field, edges in zip(Classes._fields, classes, strict=True):
        if not (np.all(np.isfinite(edges)) and np.all(np.diff([-1.0, *edges]) > 0.0)):
            raise InputError(
                f"`{field}` must be ascending, finite and at least 0, got {list(edges)}."
            )
    prompts, outputs = _ranges("in", classes.prompt_edges), _ranges("out", classes.output_edges)
    return tuple(" ".join(filter(None, (a, b))) or "all" for a in prompts for b in outputs)


def class_of(classes: Classes, context: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Number of each request's class, int64, in the order of `class_names`."""
    prompt = np.searchsorted(classes.prompt_edges, context, side="left")
    output = np.searchsorted(classes.output_edges, generated, side="left")
    return prompt * (len(classes.output_edges) + 1) + output


def quantile_classes(
    path: str | Path,
    prompts: Sequence[float] = (),
    outputs: Sequence[float] = (),
    *,
    columns: Columns = AZURE_COLUMNS,
) -> Classes:
    """Return classes with edges at these quantiles of a trace's prompt and output lengths.

    (0.5,) cuts at the median. The edge of q is the smallest length that a share q of the requests
    does not exceed. Memory grows with the number of different lengths. Raises InputError as
    `stream_requests`, on quantiles outside (0, 1), and when two quantiles have one length.
    """
    for quantile in (*prompts, *outputs):
        if not 0.0 < quantile < 1.0:
            raise InputError(f"Quantiles of lengths must be in (0, 1), got {quantile}.")
    seen: tuple[dict[float, int], dict[float, int]] = ({}, {})
    for batch in stream_requests(path, columns=columns):
        for tally, lengths in zip(seen, (batch.context, batch.generated), strict=True):
            for length, count in zip(*np.unique(lengths, return_counts=True), strict=True):
                tally[float(length)] = tally.get(float(length), 0) + int(count)
    classes = Classes(_quantiles(seen[0], prompts), _quantiles(seen[1], outputs))
    for name, edges in zip(("prompts", "outputs"), classes, strict=True):
        if len(set(edges)) < len(edges):
            raise InputError(f"{path}: two quantiles of `{name}` are one length: {list(edges)}.")
    return classes


def _ranges(word: str, edges: Sequence[float]) -> list[str]:
    if not edges:
        return [""]
    between = [f"{word}{low + 1:g}-{high:g}" for low, high in pairwise(edges)]
    return [f"{word}<={edges[0]:g}", *between, f"{word}>{edges[-1]:g}"]


def _quantiles(tally: dict[float, int], quantiles: Sequence[float]) -> tuple[float, ...]:
    lengths = np.array(sorted(tally))
    below = np.cumsum([tally[length] for length in lengths])
    return tuple(
        float(lengths[np.searchsorted(below, quantile * below[-1])])
        for quantile in sorted(quantiles)
    )
