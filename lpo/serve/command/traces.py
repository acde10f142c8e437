"""The trace that a configuration names: a head, from which plans are made, and the rest."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.runs import source_of
from lpo.serve.command.checks import trace_paths
from lpo.serve.command.config import AZURE, ClassesKind, ServeConfig, TraceLengthsKind
from lpo.serve.instance import Hardware, Instance
from lpo.serve.replay import (
    Classes,
    ClassTable,
    Trace,
    class_table,
    cluster_classes,
    compressed,
    cut,
    instance_of,
    mistaken,
    pooled,
    threshold_classes,
    trace_of,
    with_exponential_lengths,
)
from lpo.serve.requests import Requests, trace_requests
from lpo.workload.azure import AZURE_FILES
from lpo.workload.readers import Columns
from lpo.workload.requests import stream_requests


class GivenTrace(NamedTuple):
    """head: seconds of the trace that come before the replay. rest: what is replayed. table: the
    classes of the head. sources: files, with their checksums and rows."""

    name: str
    head: Trace
    rest: Trace
    classes: Classes
    table: ClassTable
    sources: list[dict[str, Any]]


def given_trace(cfg: ServeConfig) -> GivenTrace:
    """Read, cut and scale the trace, and sort the requests of its head into classes.

    Raises InputError on files that are no traces, on parts that lie outside of it, and on classes
    that the head does not have.
    """
    asked = cfg.trace
    files = _files(cfg)
    columns = Columns(asked.time_column, asked.context_column, asked.generated_column)
    each = [trace_of(stream_requests(path, columns=columns)) for path in files]
    whole = compressed(pooled(each), asked.rate_scale)
    head = _part("trace.start_s, trace.prior_s", whole, asked.start_s, asked.prior_s)
    rest = _part(
        "trace.prior_s, trace.seconds", whole, asked.start_s + asked.prior_s, asked.seconds
    )
    if asked.classes is ClassesKind.kmeans:
        classes: Classes = cluster_classes(head, asked.kinds, seed=cfg.seed)
    else:
        classes = threshold_classes(asked.prompt_edges, asked.decode_edges)
    sources = [
        source_of(path, rows=rows)
        for path, rows in zip(files, (len(one.time_s) for one in each), strict=True)
    ]
    table = class_table(head, classes.kinds(head), classes.names)
    name = "azure 2023" if AZURE in trace_paths(cfg) else ", ".join(path.stem for path in files)
    return GivenTrace(name, head, rest, classes, table, sources)


def instance_of_trace(given: GivenTrace, cfg: ServeConfig, hardware: Hardware) -> Instance:
    """Return the instance of the head of the trace on `n` GPUs, with the prices of `instance`."""
    return instance_of(
        given.table,
        gpus=cfg.n,
        patience=cfg.trace.patience,
        hardware=hardware,
        price_prompt=cfg.instance.price_prompt,
        price_decode=cfg.instance.price_decode,
    )


def requests_of_trace(
    cfg: ServeConfig,
    given: GivenTrace,
    instance: Instance,
    *,
    seed: int,
    class_error: float | None = None,
    lengths: TraceLengthsKind | None = None,
) -> Requests:
    """Return the requests that are replayed; patience, mistakes and drawn lengths are by `seed`.

    class_error, lengths: instead of the configuration's.
    """
    rest, kinds = given.rest, given.classes.kinds(given.rest)
    error = cfg.trace.class_error if class_error is None else class_error
    seen = mistaken(kinds, len(instance.arrival), error, seed=seed)
    if (lengths or cfg.trace.lengths) is TraceLengthsKind.exponential:
        rest = with_exponential_lengths(rest, kinds, seed=seed)
    return trace_requests(
        instance,
        arrival_s=rest.time_s,
        kind=kinds,
        prompt=rest.prompt,
        decode=rest.decode,
        seen=seen,
        seed=np.random.default_rng([cfg.seed, seed]),
    )


def _files(cfg: ServeConfig) -> list[Path]:
    root = os.environ.get("LPO_DATA")
    found: list[Path] = []
    for path in trace_paths(cfg):
        if path != AZURE:
            found.append(Path(path))
            continue
        if not root:
            raise InputError(
                f"trace.path: {AZURE} given; allowed: the folder of the traces in the environment "
                "variable LPO_DATA (python -m lpo.workload download fetches them)"
            )
        found += [Path(root) / AZURE_FILES[f"{kind}_2023"].file for kind in ("conv", "code")]
    missing = [path for path in found if not path.is_file()]
    if missing:
        raise InputError(f"trace.path: {missing[0]} is not there")
    return found


def _part(keys: str, trace: Trace, start_s: float, seconds: float | None) -> Trace:
    try:
        return cut(trace, start_s, seconds)
    except InputError as error:
        words = str(error).replace("`start_s` and `duration_s`", "they")
        raise InputError(f"{keys}: {words}") from error
