"""Demand of an instance from a trace of requests: docs/allocate_instances.md, "Demand"."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from lpo.allocate.instance import Instance, check_instance
from lpo.allocate.instances.length_classes import Classes, class_names, class_of
from lpo.errors import InputError
from lpo.workload.binning import MAX_BINS, bin_length_ns
from lpo.workload.readers import AZURE_COLUMNS, Columns
from lpo.workload.requests import stream_requests

_HOUR_NS = 3_600_000_000_000


class Demand(NamedTuple):
    """What arrives, for T query types, [T] each.

    arrivals_per_hour: queries. input_tokens, output_tokens: mean of a query. requests: how many
    were seen, in `hours` of trace.
    """

    query_types: tuple[str, ...]
    arrivals_per_hour: np.ndarray
    input_tokens: np.ndarray
    output_tokens: np.ndarray
    requests: np.ndarray
    hours: float


def estimate_demand(
    path: str | Path,
    classes: Classes = Classes(),  # noqa: B008 - immutable
    *,
    quantile: float | None = None,
    window_s: float = 300.0,
    name: str | None = None,
    columns: Columns = AZURE_COLUMNS,
) -> Demand:
    """Estimate arrival rates and mean lengths of each class of a trace's requests.

    **Main arguments:**

    - `path`: a trace, one row a request in time order (`lpo.workload.requests`).
    - `classes`: what a query type is; the default makes one of all requests.

    **Other arguments:**

    - `quantile`: None takes the mean rate, requests over the time between the first and the last.
      Otherwise this quantile, type by type, of the rate over whole windows of `window_s` seconds
      that begin with the first request, so that a plan also serves a busy window. (All types at
      their quantile at once is rarer than that.)
    - `name`: put before the names of the classes, to tell services apart in `joined`.
    - `columns`: names of the file's columns.

    Raises InputError as `stream_requests` does, on a class without requests, and on a trace that is
    too short for a rate.
    """
    names = class_names(classes)
    if quantile is not None and not 0.0 <= quantile <= 1.0:
        raise InputError(f"`quantile` must be in [0, 1], got {quantile}.")
    window_ns = bin_length_ns(window_s)
    size = len(names)
    first = last = None
    counted, tokens = np.zeros((0, size), np.int64), np.zeros((2, size))
    for batch in stream_requests(path, columns=columns):
        first = int(batch.time_ns[0]) if first is None else first
        last = int(batch.time_ns[-1])
        window = (batch.time_ns - first) // window_ns
        if int(window[-1]) >= MAX_BINS // size:
            raise InputError(
                f"{path}: more than {MAX_BINS:,} windows of {window_s:g} s and query types; "
                "correct the time stamps, or ask for longer windows."
            )
        kind = class_of(classes, batch.context, batch.generated)
        tokens[0] += np.bincount(kind, batch.context, size)
        tokens[1] += np.bincount(kind, batch.generated, size)
        windows = int(window[-1]) + 1
        counted = np.pad(counted, ((0, max(0, windows - len(counted))), (0, 0)))
        start = int(window[0])
        cells = np.bincount((window - start) * size + kind, minlength=(windows - start) * size)
        counted[start:] += cells.reshape(-1, size)
    if first is None or last is None or first == last:
        raise InputError(f"{path}: all requests have one time, which gives no rate.")

    requests = counted.sum(axis=0)
    for index in np.flatnonzero(requests == 0):
        raise InputError(f"{path}: no request is in class {names[index]!r}; choose other edges.")
    hours = (last - first) / _HOUR_NS
    rate = requests / hours
    if quantile is not None:
        whole = (last - first) // window_ns
        if whole < 1:
            raise InputError(f"{path}: is shorter than one window of {window_s:g} s.")
        rate = np.quantile(counted[:whole], quantile, axis=0) * (_HOUR_NS / window_ns)
    if name is not None:
        names = (name,) if names == ("all",) else tuple(f"{name} {each}" for each in names)
    return Demand(names, rate, tokens[0] / requests, tokens[1] / requests, requests, hours)


def joined(demands: Sequence[Demand]) -> Demand:
    """Put query types of several traces side by side; `hours` is the shortest of theirs.

    Raises InputError when there is none, and on a name that two of them share.
    """
    if not demands:
        raise InputError("There is no demand to join.")
    names = tuple(name for demand in demands for name in demand.query_types)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"Query type {twice[0]!r} appears more than once; give a `name` each.")
    columns = [np.concatenate(column) for column in zip(*(d[1:5] for d in demands), strict=True)]
    return Demand(names, *columns, hours=min(demand.hours for demand in demands))


def with_demand(
    instance: Instance, demand: Demand, by: Literal["name", "order"] = "name"
) -> Instance:
    """Return the instance with the demand's arrivals and lengths; limits and prices stay.

    by: "name" replaces the query types that the demand names and keeps the others; "order"
    replaces all, first by first, and takes the demand's names. Raises InputError on a name that
    the instance does not have and on another number of types.
    """
    if by not in ("name", "order"):
        raise InputError(f"`by` must be name or order, got {by!r}.")
    names = instance.query_types
    if by == "order" and len(demand.query_types) != len(names):
        raise InputError(
            f"The demand has {len(demand.query_types)} query types, the instance {len(names)}."
        )
    unknown = [name for name in demand.query_types if name not in names]
    if by == "name" and unknown:
        raise InputError(
            f"The instance has no query type {unknown[0]!r}; there are {', '.join(names)}."
        )
    order = by == "order"
    place = range(len(names)) if order else [names.index(name) for name in demand.query_types]
    changed = {}
    for field in ("arrivals_per_hour", "input_tokens", "output_tokens"):
        values = np.array(getattr(instance.data, field), np.float64)
        values[list(place)] = getattr(demand, field)
        changed[field] = values
    return check_instance(
        instance._replace(
            query_types=demand.query_types if order else names,
            data=instance.data._replace(**changed),
        )
    )
